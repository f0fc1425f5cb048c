//! One head of one sequence.

use crate::cpu::math::{self, Strided};
use crate::cpu::transpose::Square;
use crate::cpu::{Isa, Tensor};
use std::ops::Range;

/// Queries whose probabilities are held at a time in a forward pass, so that
/// memory does not grow with the square of a long sequence.
const QUERIES: usize = 512;

/// One head's working memory; rows of `len` values are padded to whole vectors.
#[derive(Default)]
pub(super) struct Scratch {
    /// Keys (or values) with tokens along the row: `[head, len]`.
    across: Vec<f32>,
    /// Probabilities, `[len, len]`.
    probs: Vec<f32>,
    /// Gradients of the probabilities, then of the scores, `[len, len]`.
    slopes: Vec<f32>,
    /// Probabilities after dropout, `[len, len]`.
    kept: Vec<f32>,
}

/// Where one head of one sequence lies in a `[tokens, 3 * width]` matrix, and
/// what is added to its scores.
#[derive(Clone, Copy)]
pub(super) struct Head<'b> {
    pub first: usize,
    pub len: usize,
    pub width: usize,
    pub from: usize,
    pub size: usize,
    /// For every distance, the query's own in the middle.
    pub bias: Option<&'b [f32]>,
}

impl Head<'_> {
    /// The bias on the scores of query `i`.
    #[inline(always)]
    fn bias_of(&self, i: usize) -> Option<&[f32]> {
        let bias = self.bias?;
        let from = bias.len() / 2 - i;
        Some(&bias[from..from + self.len])
    }

    /// Row `i`, part 0 (query), 1 (key) or 2 (value).
    #[inline(always)]
    fn part<'a>(&self, qkv: &'a [f32], i: usize, part: usize) -> &'a [f32] {
        let at = (self.first + i) * 3 * self.width + part * self.width + self.from;
        &qkv[at..at + self.size]
    }

    /// The same part of every row, as a matrix.
    #[inline(always)]
    fn all<'a>(&self, qkv: &'a [f32], part: usize) -> Strided<'a> {
        let row = 3 * self.width;
        Strided {
            values: &qkv[self.first * row + part * self.width + self.from..],
            row,
            col: 1,
        }
    }

    /// Writes one part with tokens along the row, `[size, len]`.
    #[inline(always)]
    fn transpose(&self, isa: Isa, qkv: &[f32], part: usize, across: &mut [f32]) {
        const SIDE: usize = 16;
        let stride = math::padded(self.len);
        for first in (0..self.len).step_by(SIDE) {
            let tokens = first..(first + SIDE).min(self.len);
            for from in (0..self.size).step_by(SIDE) {
                let width = (self.size - from).min(SIDE);
                let mut square = Square::ZERO;
                for (row, i) in square.0.iter_mut().zip(tokens.clone()) {
                    let values = &self.part(qkv, i, part)[from..from + width];
                    match values.first_chunk::<SIDE>() {
                        Some(values) => *row = values.map(f32::to_bits),
                        None => {
                            for (bits, x) in row.iter_mut().zip(values) {
                                *bits = x.to_bits();
                            }
                        }
                    }
                }
                square.mirror(isa);
                for (c, row) in square.0[..width].iter().enumerate() {
                    let at = (from + c) * stride + first;
                    if let Some(to) = across[at..].first_chunk_mut::<SIDE>() {
                        *to = row.map(f32::from_bits);
                    }
                }
            }
        }
    }

    /// Lays out the keys for [`Head::probabilities`].
    #[inline(always)]
    fn keys_across(&self, isa: Isa, qkv: &[f32], scratch: &mut Scratch) {
        let stride = math::padded(self.len);
        scratch.across.resize(self.size * stride, 0.0);
        self.transpose(isa, qkv, 1, &mut scratch.across);
    }

    /// Probabilities before dropout of some queries. Rows are padded to whole
    /// vectors; the padding's probability is zero.
    #[inline(always)]
    fn probabilities(&self, qkv: &[f32], queries: Range<usize>, scratch: &mut Scratch) {
        let (len, stride) = (self.len, math::padded(self.len));
        let scale = 1.0 / (self.size as f32).sqrt();
        scratch.probs.resize(queries.len() * stride, 0.0);
        let all = self.all(qkv, 0);
        let some = Strided {
            values: &all.values[queries.start * all.row..],
            ..all
        };
        math::multiply(
            (&mut scratch.probs, stride),
            some,
            (&scratch.across, stride),
            [queries.len(), self.size, stride],
        );
        let rows = scratch.probs[..queries.len() * stride].chunks_exact_mut(stride);
        for (i, row) in queries.zip(rows) {
            match self.bias_of(i) {
                None => math::softmax(row, len, scale),
                Some(bias) => {
                    math::scale_and_add(&mut row[..len], scale, bias);
                    math::softmax(row, len, 1.0);
                }
            }
        }
    }

    /// Writes the context of every token to `out`, whose rows start at token
    /// `first_row`.
    #[inline(always)]
    pub fn forward(
        &self,
        isa: Isa,
        qkv: &[f32],
        scratch: &mut Scratch,
        out: &mut [f32],
        first_row: usize,
        mut drop: impl FnMut(usize, &mut [f32]),
    ) {
        self.keys_across(isa, qkv, scratch);
        let (len, stride) = (self.len, math::padded(self.len));
        let values = self.all(qkv, 2);
        for from in (0..len).step_by(QUERIES) {
            let queries = from..(from + QUERIES).min(len);
            self.probabilities(qkv, queries.clone(), scratch);
            let rows = scratch.probs.chunks_exact_mut(stride);
            for (i, probs) in queries.clone().zip(rows) {
                drop(i, &mut probs[..len]);
            }
            let at = (self.first + from - first_row) * self.width + self.from;
            math::multiply(
                (&mut out[at..], self.width),
                rows_of(&scratch.probs, stride),
                (values.values, values.row),
                [queries.len(), len, self.size],
            );
        }
    }

    /// Writes the gradients of every token's query, key and value, and leaves
    /// those of the scaled scores, times the scale, in `scratch.slopes`.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // one head's own state and the tensors
    pub fn backward(
        &self,
        isa: Isa,
        qkv: &[f32],
        dy: &Tensor,
        scratch: &mut Scratch,
        grad: &mut [f32],
        first_row: usize,
        mut drop: impl FnMut(usize, &mut [f32]),
    ) {
        let (len, size, stride) = (self.len, self.size, math::padded(self.len));
        let scale = 1.0 / (size as f32).sqrt();
        let row = 3 * self.width;
        let at = |part: usize| (self.first - first_row) * row + part * self.width + self.from;
        let dy = Strided {
            values: &dy.values()[self.first * self.width + self.from..],
            row: self.width,
            col: 1,
        };
        self.keys_across(isa, qkv, scratch);
        self.probabilities(qkv, 0..len, scratch);
        let Scratch {
            across,
            probs,
            slopes,
            kept,
        } = scratch;
        slopes.resize(len * stride, 0.0);
        kept.resize(len * stride, 0.0);
        self.transpose(isa, qkv, 2, across);
        math::multiply(
            (&mut *slopes, stride),
            dy,
            (&*across, stride),
            [len, size, stride],
        );
        let rows = slopes
            .chunks_exact_mut(stride)
            .zip(kept.chunks_exact_mut(stride));
        for (i, ((slopes, kept), probs)) in
            rows.zip(probs.chunks_exact(stride)).enumerate().take(len)
        {
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
        }
        let shape = [len, len, size];
        let (queries, keys) = (self.all(qkv, 0), self.all(qkv, 1));
        let keys = (keys.values, keys.row);
        math::multiply(
            (&mut grad[at(0)..], row),
            rows_of(slopes, stride),
            keys,
            shape,
        );
        // Keys and values gather down the columns.
        let queries = (queries.values, queries.row);
        math::multiply(
            (&mut grad[at(1)..], row),
            columns_of(slopes, stride),
            queries,
            shape,
        );
        let dy = (dy.values, dy.row);
        math::multiply(
            (&mut grad[at(2)..], row),
            columns_of(kept, stride),
            dy,
            shape,
        );
    }
}

/// Sums the gradient of one head's bias by distance: `sums` has a place for each
/// of the `2 * len - 1`, the query's own in the middle.
#[inline(always)]
pub(super) fn sum_by_distance(scratch: &Scratch, len: usize, size: usize, sums: &mut [f32]) {
    let stride = math::padded(len);
    sums.fill(0.0);
    let rows = scratch.slopes.chunks_exact(stride).enumerate().take(len);
    for (i, slopes) in rows {
        let from = len - 1 - i;
        for (sum, slope) in sums[from..from + len].iter_mut().zip(slopes) {
            *sum += slope;
        }
    }
    let unscale = (size as f32).sqrt();
    for sum in sums {
        *sum *= unscale;
    }
}

fn rows_of(values: &[f32], stride: usize) -> Strided<'_> {
    Strided {
        values,
        row: stride,
        col: 1,
    }
}

fn columns_of(values: &[f32], stride: usize) -> Strided<'_> {
    Strided {
        values,
        row: 1,
        col: stride,
    }
}
