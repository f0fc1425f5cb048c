//! Activations, gates, and the softmax of scores.

use super::{Matrix, PlainScored};
use crate::reference;
use gradus_kernels::{Activation, GateOrder, ScoredRow};
use std::f64::consts::PI;

/// The derivative of an activation.
fn slope(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => 1.0,
        Activation::Gelu => {
            let below = 0.5 * (1.0 + reference::erf(x / 2f64.sqrt()));
            below + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
        }
        Activation::GeluTanh => {
            let root = (2.0 / PI).sqrt();
            let t = (root * (x + 0.044715 * x.powi(3))).tanh();
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * root * (1.0 + 3.0 * 0.044715 * x * x)
        }
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Silu => {
            let s = 1.0 / (1.0 + (-x).exp());
            s * (1.0 + x * (1.0 - s))
        }
        Activation::Tanh => 1.0 - x.tanh().powi(2),
    }
}

pub(super) fn activate(activation: Activation, pre: Matrix) -> Matrix {
    pre.map(|x| reference::activate(activation, x))
}

pub(super) fn activation_backward(activation: Activation, pre: &Matrix, dy: Matrix) -> Matrix {
    dy.zip(pre, |dy, x| dy * slope(activation, x))
}

/// The columns of gate and up.
fn halves(order: GateOrder, inner: usize) -> (usize, usize) {
    match order {
        GateOrder::GateFirst => (0, inner),
        GateOrder::UpFirst => (inner, 0),
    }
}

pub(super) fn gated(activation: Activation, order: GateOrder, pre: &Matrix) -> Matrix {
    let inner = pre.cols / 2;
    let (gate, up) = halves(order, inner);
    let mut out = Matrix::zeros(pre.rows, inner);
    for row in 0..pre.rows {
        let pre = pre.row(row);
        for (c, out) in out.row_mut(row).iter_mut().enumerate() {
            *out = reference::activate(activation, pre[gate + c]) * pre[up + c];
        }
    }
    out
}

pub(super) fn gated_backward(
    activation: Activation,
    order: GateOrder,
    mut pre: Matrix,
    dy: &Matrix,
) -> Matrix {
    let (gate, up) = halves(order, dy.cols);
    for row in 0..pre.rows {
        let pre = pre.row_mut(row);
        for (c, dy) in dy.row(row).iter().enumerate() {
            let (g, u) = (pre[gate + c], pre[up + c]);
            pre[gate + c] = dy * u * slope(activation, g);
            pre[up + c] = dy * reference::activate(activation, g);
        }
    }
    pre
}

/// How rows fare, and the gradient of `scale` times the sum of their losses.
pub(super) fn cross_entropy(
    mut scores: Matrix,
    targets: &[u32],
    scale: f32,
) -> (PlainScored, Matrix) {
    assert_eq!(scores.rows, targets.len(), "one target for each row");
    let mut scored = vec![];
    for (row, &target) in targets.iter().enumerate() {
        let row = scores.row_mut(row);
        let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = row.iter().map(|x| (x - highest).exp()).sum();
        let own = row[target as usize];
        scored.push(ScoredRow {
            loss: total.ln() + highest - own,
            correct: own >= highest,
        });
        for x in &mut *row {
            *x = f64::from(scale) * (*x - highest).exp() / total;
        }
        row[target as usize] -= f64::from(scale);
    }
    (PlainScored(scored), scores)
}
