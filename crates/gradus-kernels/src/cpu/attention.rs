//! Multi-head self-attention over packed sequences, one head of one sequence
//! at a time. Only that head's scores are ever held; backward recomputes them.

use super::{Cpu, Tensor, cut, math};
use crate::Packed;
use crate::dropout::Dropout;

/// Tokens a thread should have at least.
const GRAIN: usize = 16;

/// One head's working memory.
struct Scratch {
    /// Keys (or values) with tokens along the row: `[head, len]`.
    across: Vec<f32>,
    /// Probabilities, `[len, len]`.
    probs: Vec<f32>,
    /// Gradients of the probabilities, then of the scores, `[len, len]`.
    slopes: Vec<f32>,
}

/// Where one head of one sequence lies in a `[tokens, 3 * width]` matrix.
#[derive(Clone, Copy)]
struct Head {
    first: usize,
    len: usize,
    width: usize,
    from: usize,
    size: usize,
}

impl Head {
    /// Row `i`, part 0 (query), 1 (key) or 2 (value).
    #[inline(always)]
    fn part<'a>(&self, qkv: &'a [f32], i: usize, part: usize) -> &'a [f32] {
        let at = (self.first + i) * 3 * self.width + part * self.width + self.from;
        &qkv[at..at + self.size]
    }

    #[inline(always)]
    fn transpose(&self, qkv: &[f32], part: usize, across: &mut [f32]) {
        for i in 0..self.len {
            for (d, &x) in self.part(qkv, i, part).iter().enumerate() {
                across[d * self.len + i] = x;
            }
        }
    }

    /// Probabilities before dropout.
    #[inline(always)]
    fn probabilities(&self, qkv: &[f32], scratch: &mut Scratch) {
        let len = self.len;
        let scale = 1.0 / (self.size as f32).sqrt();
        scratch.across.resize(self.size * len, 0.0);
        scratch.probs.resize(len * len, 0.0);
        self.transpose(qkv, 1, &mut scratch.across);
        for i in 0..len {
            let row = &mut scratch.probs[i * len..(i + 1) * len];
            row.fill(0.0);
            for (q, keys) in self
                .part(qkv, i, 0)
                .iter()
                .zip(scratch.across.chunks_exact(len))
            {
                math::axpy(row, q * scale, keys);
            }
            let largest = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
            for x in row.iter_mut() {
                *x = math::exp(*x - largest);
            }
            let inverse = 1.0 / math::sum(row);
            for x in row.iter_mut() {
                *x *= inverse;
            }
        }
    }
}

/// The dropout key of a row of one head's probabilities: heads count as rows
/// of their own.
#[inline(always)]
fn row_key(dropout: &Dropout, stream: u64, head: usize, i: usize) -> u32 {
    dropout.row_key(stream, (head << 32) | i)
}

pub(super) fn forward(
    cpu: &Cpu,
    qkv: &Tensor,
    batch: &Packed,
    heads: usize,
    dropout: Option<Dropout>,
) -> Tensor {
    let width = qkv.cols() / 3;
    let size = width / heads;
    let mut out = cpu.uninit(qkv.rows(), width);
    let sequences = cpu.split_sequences(batch, GRAIN);
    let rows: Vec<_> = sequences
        .iter()
        .map(|s| batch.offsets()[s.start]..batch.offsets()[s.end])
        .collect();
    let parts = cut(out.values_mut(), &rows, width)
        .into_iter()
        .zip(&sequences)
        .zip(&rows)
        .collect();
    cpu.each(parts, |((out, sequences), rows)| {
        cpu.simd(
            #[inline(always)]
            || {
                let mut scratch = Scratch {
                    across: vec![],
                    probs: vec![],
                    slopes: vec![],
                };
                for s in sequences.clone() {
                    let (first, end) = (batch.offsets()[s], batch.offsets()[s + 1]);
                    for h in 0..heads {
                        let head = Head {
                            first,
                            len: end - first,
                            width,
                            from: h * size,
                            size,
                        };
                        head.probabilities(qkv.values(), &mut scratch);
                        for i in 0..head.len {
                            let probs = &mut scratch.probs[i * head.len..(i + 1) * head.len];
                            if let Some(d) = &dropout {
                                d.apply(probs, row_key(d, batch.streams()[s], h, i));
                            }
                            let at = (first - rows.start + i) * width + head.from;
                            let out = &mut out[at..at + size];
                            out.fill(0.0);
                            for (j, p) in probs.iter().enumerate() {
                                math::axpy(out, *p, head.part(qkv.values(), j, 2));
                            }
                        }
                    }
                }
            },
        );
    });
    out
}

pub(super) fn backward(
    cpu: &Cpu,
    qkv: &Tensor,
    batch: &Packed,
    heads: usize,
    dropout: Option<Dropout>,
    dy: &Tensor,
) -> Tensor {
    let width = qkv.cols() / 3;
    let size = width / heads;
    let scale = 1.0 / (size as f32).sqrt();
    let mut grad = qkv.like();
    let sequences = cpu.split_sequences(batch, GRAIN);
    let rows: Vec<_> = sequences
        .iter()
        .map(|s| batch.offsets()[s.start]..batch.offsets()[s.end])
        .collect();
    let parts = cut(grad.values_mut(), &rows, 3 * width)
        .into_iter()
        .zip(&sequences)
        .zip(&rows)
        .collect();
    cpu.each(parts, |((grad, sequences), rows)| {
        cpu.simd(
            #[inline(always)]
            || {
                grad.fill(0.0);
                let mut scratch = Scratch {
                    across: vec![],
                    probs: vec![],
                    slopes: vec![],
                };
                let mut mask = vec![];
                for s in sequences.clone() {
                    let (first, end) = (batch.offsets()[s], batch.offsets()[s + 1]);
                    let len = end - first;
                    for h in 0..heads {
                        let head = Head {
                            first,
                            len,
                            width,
                            from: h * size,
                            size,
                        };
                        let at = |i: usize, part: usize| {
                            (first - rows.start + i) * 3 * width + part * width + head.from
                        };
                        head.probabilities(qkv.values(), &mut scratch);
                        scratch.slopes.resize(len * len, 0.0);
                        head.transpose(qkv.values(), 2, &mut scratch.across);
                        for i in 0..len {
                            let dy = &dy.row(first + i)[head.from..head.from + size];
                            let probs = &scratch.probs[i * len..(i + 1) * len];
                            let slopes = &mut scratch.slopes[i * len..(i + 1) * len];
                            slopes.fill(0.0);
                            for (d, values) in dy.iter().zip(scratch.across.chunks_exact(len)) {
                                math::axpy(slopes, *d, values);
                            }
                            mask.clear();
                            mask.resize(len, 1.0);
                            if let Some(d) = &dropout {
                                d.apply(&mut mask, row_key(d, batch.streams()[s], h, i));
                            }
                            // dV gets the dropped probabilities; the slope of the
                            // softmax needs the undropped ones.
                            for j in 0..len {
                                let v = at(j, 2);
                                math::axpy(&mut grad[v..v + size], probs[j] * mask[j], dy);
                                slopes[j] *= mask[j];
                            }
                            let mean = math::dot(slopes, probs);
                            for (slope, p) in slopes.iter_mut().zip(probs) {
                                *slope = (*slope - mean) * p * scale;
                            }
                            let q = at(i, 0);
                            for (j, slope) in slopes.iter().enumerate() {
                                math::axpy(
                                    &mut grad[q..q + size],
                                    *slope,
                                    head.part(qkv.values(), j, 1),
                                );
                            }
                        }
                        for i in 0..len {
                            let query = head.part(qkv.values(), i, 0);
                            for j in 0..len {
                                let k = at(j, 1);
                                math::axpy(
                                    &mut grad[k..k + size],
                                    scratch.slopes[i * len + j],
                                    query,
                                );
                            }
                        }
                    }
                }
            },
        );
    });
    grad
}
