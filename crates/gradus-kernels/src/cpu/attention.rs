//! Multi-head self-attention over packed sequences, one head of one sequence
//! at a time. Only that head's scores are ever held; backward recomputes them.

use super::{Cpu, Tensor, cut, math};
use crate::Packed;
use crate::dropout::Dropout;
use std::ops::Range;

/// Tokens a thread should have at least.
const GRAIN: usize = 16;

/// One head's working memory; rows of `len` values are padded to whole vectors.
#[derive(Default)]
struct Scratch {
    /// Keys (or values) with tokens along the row: `[head, len]`.
    across: Vec<f32>,
    /// Probabilities, `[len, len]`.
    probs: Vec<f32>,
    /// Gradients of the probabilities, then of the scores, `[len, len]`.
    slopes: Vec<f32>,
    /// Probabilities after dropout, `[len, len]`.
    kept: Vec<f32>,
    /// One column of the above, `[len]`.
    column: Vec<f32>,
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
        let stride = math::padded(self.len);
        for i in 0..self.len {
            for (d, &x) in self.part(qkv, i, part).iter().enumerate() {
                across[d * stride + i] = x;
            }
        }
    }

    /// Probabilities before dropout. Rows are padded to whole vectors; the
    /// padding's probability is zero.
    #[inline(always)]
    fn probabilities(&self, qkv: &[f32], scratch: &mut Scratch) {
        let (len, stride) = (self.len, math::padded(self.len));
        let scale = 1.0 / (self.size as f32).sqrt();
        scratch.across.clear();
        scratch.across.resize(self.size * stride, 0.0);
        scratch.probs.resize(len * stride, 0.0);
        self.transpose(qkv, 1, &mut scratch.across);
        for i in 0..len {
            let row = &mut scratch.probs[i * stride..(i + 1) * stride];
            let across = &scratch.across;
            math::combine_rows(
                row,
                self.part(qkv, i, 0),
                #[inline(always)]
                |d| &across[d * stride..(d + 1) * stride],
            );
            row[len..].fill(f32::NEG_INFINITY);
            let largest = math::largest(row) * scale;
            for x in row.iter_mut() {
                *x = math::exp(x.mul_add(scale, -largest));
            }
            let inverse = 1.0 / math::sum(row);
            for x in row.iter_mut() {
                *x *= inverse;
            }
        }
    }

    /// Writes the context of every token to `out`, whose rows start at token
    /// `first_row`.
    #[inline(always)]
    fn forward(
        &self,
        qkv: &[f32],
        scratch: &mut Scratch,
        out: &mut [f32],
        first_row: usize,
        mut drop: impl FnMut(usize, &mut [f32]),
    ) {
        self.probabilities(qkv, scratch);
        let stride = math::padded(self.len);
        for i in 0..self.len {
            let probs = &mut scratch.probs[i * stride..i * stride + self.len];
            drop(i, probs);
            let at = (self.first - first_row + i) * self.width + self.from;
            math::combine_rows(
                &mut out[at..at + self.size],
                probs,
                #[inline(always)]
                |j| self.part(qkv, j, 2),
            );
        }
    }

    /// Writes the gradients of every token's query, key and value.
    #[inline(always)]
    fn backward(
        &self,
        qkv: &[f32],
        dy: &Tensor,
        scratch: &mut Scratch,
        grad: &mut [f32],
        first_row: usize,
        mut drop: impl FnMut(usize, &mut [f32]),
    ) {
        let (len, size, stride) = (self.len, self.size, math::padded(self.len));
        let scale = 1.0 / (size as f32).sqrt();
        let at = |i: usize, part: usize| {
            let from =
                (self.first - first_row + i) * 3 * self.width + part * self.width + self.from;
            from..from + size
        };
        let slope_of = |i: usize| &dy.row(self.first + i)[self.from..self.from + size];
        self.probabilities(qkv, scratch);
        let Scratch {
            across,
            probs,
            slopes,
            kept,
            column,
        } = scratch;
        slopes.resize(len * stride, 0.0);
        kept.resize(len * stride, 0.0);
        self.transpose(qkv, 2, across);
        for i in 0..len {
            let row = i * stride..(i + 1) * stride;
            let (probs, slopes, kept) = (
                &probs[row.clone()],
                &mut slopes[row.clone()],
                &mut kept[row],
            );
            math::combine_rows(
                slopes,
                slope_of(i),
                #[inline(always)]
                |d| &across[d * stride..(d + 1) * stride],
            );
            kept.fill(1.0);
            drop(i, &mut kept[..len]);
            // dV gets the dropped probabilities; the slope of the softmax
            // needs the undropped ones.
            for ((slope, kept), p) in slopes.iter_mut().zip(kept).zip(probs) {
                *slope *= *kept;
                *kept *= p;
            }
            let mean = math::dot(slopes, probs);
            for (slope, p) in slopes.iter_mut().zip(probs) {
                *slope = (*slope - mean) * p * scale;
            }
            math::combine_rows(
                &mut grad[at(i, 0)],
                &slopes[..len],
                #[inline(always)]
                |j| self.part(qkv, j, 1),
            );
        }
        // Keys and values gather down the columns.
        for j in 0..len {
            column.clear();
            column.extend((0..len).map(|i| slopes[i * stride + j]));
            math::combine_rows(
                &mut grad[at(j, 1)],
                column,
                #[inline(always)]
                |i| self.part(qkv, i, 0),
            );
            column.clear();
            column.extend((0..len).map(|i| kept[i * stride + j]));
            math::combine_rows(&mut grad[at(j, 2)], column, slope_of);
        }
    }
}

/// The dropout key of a row of one head's probabilities: heads count as rows
/// of their own.
#[inline(always)]
fn row_key(dropout: &Dropout, stream: u64, head: usize, i: usize) -> u32 {
    dropout.row_key(stream, (head << 32) | i)
}

/// The heads of some sequences, each with its sequence's stream and its number.
#[inline(always)]
fn heads_of(
    batch: &Packed,
    sequences: Range<usize>,
    heads: usize,
    width: usize,
) -> impl Iterator<Item = (u64, usize, Head)> {
    let size = width / heads;
    sequences.flat_map(move |s| {
        let (first, end) = (batch.offsets()[s], batch.offsets()[s + 1]);
        (0..heads).map(move |h| {
            let head = Head {
                first,
                len: end - first,
                width,
                from: h * size,
                size,
            };
            (batch.streams()[s], h, head)
        })
    })
}

/// The sequences of each task and the rows they own.
fn tasks(cpu: &Cpu, batch: &Packed) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let sequences = cpu.split_sequences(batch, GRAIN);
    let offsets = batch.offsets();
    let rows = sequences
        .iter()
        .map(|s| offsets[s.start]..offsets[s.end])
        .collect();
    (sequences, rows)
}

pub(super) fn forward(
    cpu: &Cpu,
    qkv: &Tensor,
    batch: &Packed,
    heads: usize,
    dropout: Option<Dropout>,
) -> Tensor {
    let width = qkv.cols() / 3;
    let mut out = cpu.uninit(qkv.rows(), width);
    let (sequences, rows) = tasks(cpu, batch);
    let parts = cut(out.values_mut(), &rows, width)
        .into_iter()
        .zip(&sequences)
        .zip(&rows)
        .collect();
    cpu.each(parts, |((out, sequences), rows)| {
        cpu.simd(
            #[inline(always)]
            || {
                let mut scratch = Scratch::default();
                for (stream, h, head) in heads_of(batch, sequences.clone(), heads, width) {
                    head.forward(
                        qkv.values(),
                        &mut scratch,
                        out,
                        rows.start,
                        #[inline(always)]
                        |i, row| {
                            if let Some(d) = &dropout {
                                d.apply(row, row_key(d, stream, h, i));
                            }
                        },
                    );
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
    let mut grad = qkv.like();
    let (sequences, rows) = tasks(cpu, batch);
    let parts = cut(grad.values_mut(), &rows, 3 * width)
        .into_iter()
        .zip(&sequences)
        .zip(&rows)
        .collect();
    cpu.each(parts, |((grad, sequences), rows)| {
        cpu.simd(
            #[inline(always)]
            || {
                let mut scratch = Scratch::default();
                for (stream, h, head) in heads_of(batch, sequences.clone(), heads, width) {
                    head.backward(
                        qkv.values(),
                        dy,
                        &mut scratch,
                        grad,
                        rows.start,
                        #[inline(always)]
                        |i, row| {
                            if let Some(d) = &dropout {
                                d.apply(row, row_key(d, stream, h, i));
                            }
                        },
                    );
                }
            },
        );
    });
    grad
}
