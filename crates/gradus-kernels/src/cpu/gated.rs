//! Gated activations, row by row.

use super::linear::{activate, slopes};
use super::{Cpu, ROW_GRAIN, Tensor};
use crate::{Activation, GateOrder};

/// Values of a row that are worked on at a time.
const BLOCK: usize = 256;

/// Gate and up of a row.
#[inline(always)]
fn halves(order: GateOrder, row: &[f32]) -> (&[f32], &[f32]) {
    let (first, second) = row.split_at(row.len() / 2);
    match order {
        GateOrder::GateFirst => (first, second),
        GateOrder::UpFirst => (second, first),
    }
}

#[inline(always)]
fn halves_mut(order: GateOrder, row: &mut [f32]) -> (&mut [f32], &mut [f32]) {
    let (first, second) = row.split_at_mut(row.len() / 2);
    match order {
        GateOrder::GateFirst => (first, second),
        GateOrder::UpFirst => (second, first),
    }
}

pub(super) fn forward(cpu: &Cpu, activation: Activation, order: GateOrder, pre: &Tensor) -> Tensor {
    let exact = cpu.half.is_none();
    let (tokens, inner) = (pre.rows(), pre.cols() / 2);
    assert_eq!(pre.cols(), 2 * inner, "gate and up");
    let mut out = cpu.uninit(tokens, inner);
    cpu.rows_mut(
        &mut out,
        ROW_GRAIN,
        #[inline(always)]
        |out, range| {
            for (out, i) in out.chunks_exact_mut(inner.max(1)).zip(range) {
                let (gate, up) = halves(order, pre.row(i));
                activate(activation, exact, gate, out);
                for (out, up) in out.iter_mut().zip(up) {
                    *out *= up;
                }
            }
        },
    );
    out
}

pub(super) fn backward(
    cpu: &Cpu,
    activation: Activation,
    order: GateOrder,
    mut pre: Tensor,
    dy: &Tensor,
) -> Tensor {
    let exact = cpu.half.is_none();
    let (tokens, cols) = (pre.rows(), pre.cols());
    assert_eq!((dy.rows(), 2 * dy.cols()), (tokens, cols), "gradient shape");
    cpu.rows_mut(
        &mut pre,
        ROW_GRAIN,
        #[inline(always)]
        |part, range| {
            let mut opened = [0f32; BLOCK];
            let mut steep = [0f32; BLOCK];
            for (row, i) in part.chunks_exact_mut(cols.max(1)).zip(range) {
                let (gate, up) = halves_mut(order, row);
                let blocks = gate.chunks_mut(BLOCK).zip(up.chunks_mut(BLOCK));
                for ((gate, up), dy) in blocks.zip(dy.row(i).chunks(BLOCK)) {
                    let (opened, steep) = (&mut opened[..dy.len()], &mut steep[..dy.len()]);
                    activate(activation, exact, gate, opened);
                    steep.fill(1.0);
                    slopes(activation, gate, steep);
                    for ((((gate, up), dy), f), slope) in
                        gate.iter_mut().zip(up).zip(dy).zip(opened).zip(steep)
                    {
                        *gate = dy * *up * *slope;
                        *up = dy * *f;
                    }
                }
            }
        },
    );
    pre
}
