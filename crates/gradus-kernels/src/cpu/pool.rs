//! Pooling of token vectors into sentence vectors, and row normalisation.

use super::{Cpu, Tensor, cut, math};
use crate::{Packed, Pooling};

/// Sequences a thread should have at least.
const GRAIN: usize = 8;

/// The weight of each of `len` tokens, one of them marked, in a pooling that is a
/// weighted sum; `None` for max pooling.
#[inline(always)]
fn token_weight(mode: Pooling, len: usize, mark: usize) -> Option<impl Fn(usize) -> f32> {
    let n = len as f32;
    let all = match mode {
        Pooling::Max => return None,
        Pooling::Mean => 1.0 / n,
        Pooling::MeanSqrtLen => 1.0 / n.sqrt(),
        Pooling::WeightedMean => 2.0 / (n * (n + 1.0)),
        Pooling::Cls | Pooling::LastToken | Pooling::Marked => 1.0,
    };
    Some(move |i: usize| match mode {
        Pooling::WeightedMean => all * (i + 1) as f32,
        Pooling::Cls if i != 0 => 0.0,
        Pooling::LastToken if i + 1 != len => 0.0,
        Pooling::Marked if i != mark => 0.0,
        _ => all,
    })
}

pub(super) fn forward(cpu: &Cpu, modes: &[Pooling], batch: &Packed, x: &Tensor) -> Tensor {
    let width = x.cols();
    let mut out = cpu.uninit(batch.sequences(), width * modes.len());
    let stride = width * modes.len();
    cpu.rows_mut(
        &mut out,
        GRAIN,
        #[inline(always)]
        |out, range| {
            for (row, s) in out.chunks_exact_mut(stride.max(1)).zip(range) {
                let (first, end) = (batch.offsets()[s], batch.offsets()[s + 1]);
                for (out, &mode) in row.chunks_exact_mut(width).zip(modes) {
                    out.fill(0.0);
                    match token_weight(mode, end - first, batch.marks()[s]) {
                        Some(weight) => {
                            for i in 0..end - first {
                                let w = weight(i);
                                if w != 0.0 {
                                    math::axpy(out, w, x.row(first + i));
                                }
                            }
                        }
                        None if end > first => {
                            out.copy_from_slice(x.row(first));
                            for i in first + 1..end {
                                for (out, &x) in out.iter_mut().zip(x.row(i)) {
                                    *out = if x > *out { x } else { *out };
                                }
                            }
                        }
                        None => {}
                    }
                }
            }
        },
    );
    out
}

pub(super) fn backward(
    cpu: &Cpu,
    modes: &[Pooling],
    batch: &Packed,
    x: &Tensor,
    dy: &Tensor,
) -> Tensor {
    let width = x.cols();
    let mut dx = x.like();
    let sequences = cpu.split_sequences(batch, 32);
    let rows: Vec<_> = sequences
        .iter()
        .map(|s| batch.offsets()[s.start]..batch.offsets()[s.end])
        .collect();
    let parts = cut(dx.values_mut(), &rows, width)
        .into_iter()
        .zip(&sequences)
        .zip(&rows)
        .collect();
    cpu.each(parts, |((dx, sequences), rows)| {
        cpu.simd(
            #[inline(always)]
            || {
                dx.fill(0.0);
                for s in sequences.clone() {
                    let (first, end) = (batch.offsets()[s], batch.offsets()[s + 1]);
                    for (dy, &mode) in dy.row(s).chunks_exact(width).zip(modes) {
                        match token_weight(mode, end - first, batch.marks()[s]) {
                            Some(weight) => {
                                for i in 0..end - first {
                                    let at = (first - rows.start + i) * width;
                                    let w = weight(i);
                                    if w != 0.0 {
                                        math::axpy(&mut dx[at..at + width], w, dy);
                                    }
                                }
                            }
                            None if end > first => {
                                for (c, dy) in dy.iter().enumerate() {
                                    let mut best = first;
                                    for i in first + 1..end {
                                        if x.row(i)[c] > x.row(best)[c] {
                                            best = i;
                                        }
                                    }
                                    dx[(best - rows.start) * width + c] += dy;
                                }
                            }
                            None => {}
                        }
                    }
                }
            },
        );
    });
    dx
}

/// Rows shorter than this are divided by it, as PyTorch's `normalize` does.
const SHORTEST: f32 = 1e-12;

pub(super) fn normalize(cpu: &Cpu, x: &Tensor) -> Tensor {
    let mut out = x.like();
    let width = x.cols();
    cpu.simd(
        #[inline(always)]
        || {
            for (i, out) in out.values_mut().chunks_exact_mut(width.max(1)).enumerate() {
                let x = x.row(i);
                let inverse = 1.0 / math::dot(x, x).sqrt().max(SHORTEST);
                for (out, x) in out.iter_mut().zip(x) {
                    *out = x * inverse;
                }
            }
        },
    );
    out
}

pub(super) fn normalize_backward(cpu: &Cpu, x: &Tensor, dy: &Tensor) -> Tensor {
    let mut dx = x.like();
    let width = x.cols();
    cpu.simd(
        #[inline(always)]
        || {
            for (i, dx) in dx.values_mut().chunks_exact_mut(width.max(1)).enumerate() {
                let (x, dy) = (x.row(i), dy.row(i));
                let length = math::dot(x, x).sqrt();
                let inverse = 1.0 / length.max(SHORTEST);
                // A row at the floor is divided by a constant.
                let along = if length > SHORTEST {
                    math::dot(x, dy) * inverse * inverse
                } else {
                    0.0
                };
                for ((dx, dy), x) in dx.iter_mut().zip(dy).zip(x) {
                    *dx = (dy - x * along) * inverse;
                }
            }
        },
    );
    dx
}
