//! Linear layers.

use super::{Matrix, PlainArena, dot};
use gradus_kernels::Linear;

pub(super) fn forward(params: &PlainArena, layer: &Linear, x: &Matrix) -> Matrix {
    assert_eq!(x.cols, layer.weight.cols, "input width");
    let weight = params.view(layer.weight);
    let bias = layer.bias.map(|b| params.view(b));
    let mut out = Matrix::zeros(x.rows, layer.weight.rows);
    for row in 0..x.rows {
        let x = x.row(row);
        for (o, out) in out.row_mut(row).iter_mut().enumerate() {
            let weights = &weight[o * x.len()..(o + 1) * x.len()];
            *out = dot(x, weights) + bias.as_ref().map_or(0.0, |b| b[o]);
        }
    }
    out
}

/// The gradient of `x`, on top of `onto`; adds to those of the layer.
pub(super) fn backward(
    params: &PlainArena,
    layer: &Linear,
    x: &Matrix,
    dy: &Matrix,
    onto: Option<Matrix>,
    grads: &mut PlainArena,
) -> Matrix {
    assert_eq!((dy.rows, dy.cols), (x.rows, layer.weight.rows), "gradient");
    let weight = params.view(layer.weight);
    let mut of_weight = vec![0.0; layer.weight.len()];
    let mut of_bias = vec![0.0; dy.cols];
    let mut dx = onto.unwrap_or_else(|| Matrix::zeros(x.rows, x.cols));
    assert_eq!((dx.rows, dx.cols), (x.rows, x.cols), "what it is added to");
    for row in 0..x.rows {
        for (o, dy) in dy.row(row).iter().enumerate() {
            of_bias[o] += dy;
            let place = o * x.cols..(o + 1) * x.cols;
            for (sum, x) in of_weight[place.clone()].iter_mut().zip(x.row(row)) {
                *sum += dy * x;
            }
            for (dx, w) in dx.row_mut(row).iter_mut().zip(&weight[place]) {
                *dx += dy * w;
            }
        }
    }
    grads.add_all(layer.weight, &of_weight);
    if let Some(bias) = layer.bias {
        grads.add_all(bias, &of_bias);
    }
    dx
}
