//! One head of one sequence.

use super::Spread;
use super::multiply::{Strided, multiply};
use super::softmax;
use crate::AttentionMask;
use crate::cpu::math;
use crate::cpu::matmul::Spaced;
use crate::cpu::transpose::Square;
use crate::cpu::{Cpu, Tensor};
use std::ops::Range;

/// Queries whose probabilities are held at a time in a forward pass, so that
/// memory does not grow with the square of a long sequence.
const QUERIES: usize = 512;

/// The same where queries see few keys: those that all of them see together are
/// then not many more.
const FEW_QUERIES: usize = 64;

/// Keys of a vector.
const SIDE: usize = 16;

/// One head's working memory; rows of `len` values are padded to whole vectors.
#[derive(Default)]
pub(super) struct Scratch {
    /// Keys (or values) with tokens along the row: `[head, len]`.
    across: Vec<f32>,
    /// Probabilities, `[len, len]`; behind dropout in the end.
    probs: Vec<f32>,
    /// Gradients of the probabilities, then of the scores, `[len, len]`.
    slopes: Vec<f32>,
    /// Which of some queries' probabilities dropout keeps, and its scale.
    kept: Vec<f32>,
    /// The gradient of keys or values by one of the heads that share them,
    /// `[len, head]`.
    sums: Vec<f32>,
}

/// Where one head of one sequence lies in a matrix of queries, keys and values,
/// what is added to its scores, and which of them count.
#[derive(Clone, Copy)]
pub(super) struct Head<'b> {
    pub first: usize,
    pub len: usize,
    /// Columns where query, key and value begin.
    pub from: [usize; 3],
    pub spread: Spread,
    pub mask: AttentionMask,
    pub scale: f32,
    /// For every distance, the query's own in the middle.
    pub bias: Option<&'b [f32]>,
    /// Whether another head of queries on these keys and values came before.
    pub shared: bool,
}

impl Head<'_> {
    /// The bias on the scores of query `i` with some keys.
    #[inline(always)]
    fn bias_of(&self, i: usize, keys: &Range<usize>) -> Option<&[f32]> {
        let bias = self.bias?;
        let from = bias.len() / 2 - i;
        Some(&bias[from + keys.start..from + keys.end])
    }

    /// Row `i`, part 0 (query), 1 (key) or 2 (value).
    #[inline(always)]
    fn part<'a>(&self, qkv: &'a [f32], i: usize, part: usize) -> &'a [f32] {
        let at = (self.first + i) * self.spread.row + self.from[part];
        &qkv[at..at + self.spread.size]
    }

    /// The same part of every row, as a matrix.
    #[inline(always)]
    fn all<'a>(&self, qkv: &'a [f32], part: usize) -> Strided<'a> {
        let row = self.spread.row;
        Strided {
            values: &qkv[self.first * row + self.from[part]..],
            row,
            col: 1,
        }
    }

    /// The same, for products in bf16.
    #[inline(always)]
    pub(super) fn spaced<'a>(&self, qkv: &'a [f32], part: usize) -> Spaced<'a> {
        let row = self.spread.row;
        let from = &qkv[self.first * row + self.from[part]..];
        Spaced::new(from, [self.len, self.spread.size], row)
    }

    /// Writes one part with tokens along the row, `[size, len]`.
    #[inline(always)]
    fn transpose(&self, cpu: &Cpu, qkv: &[f32], part: usize, across: &mut [f32]) {
        let stride = math::padded(self.len);
        for first in (0..self.len).step_by(SIDE) {
            let tokens = first..(first + SIDE).min(self.len);
            for from in (0..self.spread.size).step_by(SIDE) {
                let width = (self.spread.size - from).min(SIDE);
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
                square.mirror(cpu.isa);
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
    fn keys_across(&self, cpu: &Cpu, qkv: &[f32], scratch: &mut Scratch) {
        let stride = math::padded(self.len);
        scratch.across.resize(self.spread.size * stride, 0.0);
        self.transpose(cpu, qkv, 1, &mut scratch.across);
    }

    /// The keys that some queries see together, and some before them, so that
    /// the first is a multiple of `side`.
    #[inline(always)]
    pub(super) fn keys_of(&self, queries: &Range<usize>, side: usize) -> Range<usize> {
        if queries.is_empty() {
            return 0..0;
        }
        let first = self.mask.visible(queries.start, self.len).start;
        let last = self.mask.visible(queries.end - 1, self.len).end;
        first / side * side..last
    }

    /// Probabilities before dropout of some queries over some `keys`, others
    /// having none. Rows are padded to whole vectors; the padding's probability
    /// is zero.
    #[inline(always)]
    fn probabilities(
        &self,
        cpu: &Cpu,
        qkv: &[f32],
        queries: Range<usize>,
        keys: Range<usize>,
        scratch: &mut Scratch,
    ) {
        let (stride, all_keys) = (math::padded(keys.len()), math::padded(self.len));
        scratch.probs.resize(queries.len() * stride, 0.0);
        let all = self.all(qkv, 0);
        let some = Strided {
            values: &all.values[queries.start * all.row..],
            ..all
        };
        multiply(
            cpu.arch,
            (&mut scratch.probs, stride),
            some,
            (&scratch.across[keys.start..], all_keys),
            [queries.len(), self.spread.size, stride],
        );
        let all = &mut scratch.probs[..queries.len() * stride];
        let firsts = queries.step_by(softmax::ROWS);
        for (first, rows) in firsts.zip(all.chunks_mut(softmax::ROWS * stride)) {
            let mut scale = self.scale;
            for (i, row) in (first..).zip(rows.chunks_exact_mut(stride)) {
                scale = self.mask_scores(row, i, &keys);
            }
            softmax::softmax(cpu.isa, rows, stride, scale);
        }
    }

    /// Adds the bias to the products of query `i` with some `keys`, and takes away
    /// those that it does not see. Returns the scale that they are still to get.
    #[inline(always)]
    pub(super) fn mask_scores(&self, row: &mut [f32], i: usize, keys: &Range<usize>) -> f32 {
        let mut scale = self.scale;
        if let Some(bias) = self.bias_of(i, keys) {
            math::scale_and_add(&mut row[..keys.len()], scale, bias);
            scale = 1.0;
        }
        let mut end = keys.len();
        if self.mask != AttentionMask::Full {
            let seen = self.mask.visible(i, self.len);
            row[..seen.start - keys.start].fill(f32::NEG_INFINITY);
            end = seen.end - keys.start;
        }
        row[end..].fill(f32::NEG_INFINITY);
        scale
    }

    /// Writes the context of every token to `out`, whose rows start at token
    /// `first_row`.
    #[inline(always)]
    pub fn forward(
        &self,
        cpu: &Cpu,
        qkv: &[f32],
        scratch: &mut Scratch,
        (out, first_row): (&mut [f32], usize),
        mut drop: Option<impl FnMut(usize, &mut [f32])>,
    ) {
        self.keys_across(cpu, qkv, scratch);
        let len = self.len;
        let values = self.all(qkv, 2);
        let at_a_time = match self.mask {
            AttentionMask::Window { .. } => FEW_QUERIES,
            _ => QUERIES,
        };
        for from in (0..len).step_by(at_a_time) {
            let queries = from..(from + at_a_time).min(len);
            // A row's dropout is that of all keys.
            let keys = match drop {
                None => self.keys_of(&queries, SIDE),
                Some(_) => 0..len,
            };
            let stride = math::padded(keys.len());
            self.probabilities(cpu, qkv, queries.clone(), keys.clone(), scratch);
            if let Some(drop) = &mut drop {
                let rows = scratch.probs.chunks_exact_mut(stride);
                for (i, probs) in queries.clone().zip(rows) {
                    drop(i, &mut probs[..len]);
                }
            }
            let at = (self.first + from - first_row) * self.spread.width + self.from[0];
            multiply(
                cpu.arch,
                (&mut out[at..], self.spread.width),
                rows_of(&scratch.probs, stride),
                (&values.values[keys.start * values.row..], values.row),
                [queries.len(), keys.len(), self.spread.size],
            );
        }
    }

    /// What dropout multiplies the probabilities of some queries by, rows `width` apart.
    #[inline(always)]
    pub(super) fn kept<'k>(
        &self,
        drop: &mut Option<impl FnMut(usize, &mut [f32])>,
        queries: Range<usize>,
        kept: &'k mut Vec<f32>,
        width: usize,
    ) -> Option<&'k [f32]> {
        let drop = drop.as_mut()?;
        kept.clear();
        kept.resize(softmax::ROWS * width, 1.0);
        for (i, row) in queries.zip(kept.chunks_exact_mut(width)) {
            drop(i, &mut row[..self.len]);
        }
        Some(kept)
    }

    /// Adds the gradients of query `i`'s scores to `sums` by distance: a place for each
    /// of the `2 * len - 1`, the query's own in the middle, or none at all.
    #[inline(always)]
    pub(super) fn add_by_distance(&self, i: usize, slopes: &[f32], sums: &mut [f32]) {
        if sums.is_empty() {
            return;
        }
        let from = self.len - 1 - i;
        for (sum, slope) in sums[from..from + self.len].iter_mut().zip(slopes) {
            *sum += slope;
        }
    }

    /// Writes the gradients of every token's query, key and value to `grad`,
    /// whose rows start at token `first_row`, or adds them to those of heads that
    /// share keys and values. Adds those of the scores, times the scale, to
    /// `by_distance` as [`Head::add_by_distance`] does.
    #[inline(always)]
    pub fn backward(
        &self,
        cpu: &Cpu,
        (qkv, dy): (&[f32], &Tensor),
        scratch: &mut Scratch,
        (grad, first_row): (&mut [f32], usize),
        mut drop: Option<impl FnMut(usize, &mut [f32])>,
        by_distance: &mut [f32],
    ) {
        let (len, size, stride) = (self.len, self.spread.size, math::padded(self.len));
        let row = self.spread.row;
        let at = |part: usize| (self.first - first_row) * row + self.from[part];
        let dy = Strided {
            values: &dy.values()[self.first * self.spread.width + self.from[0]..],
            row: self.spread.width,
            col: 1,
        };
        self.keys_across(cpu, qkv, scratch);
        self.probabilities(cpu, qkv, 0..len, 0..len, scratch);
        let Scratch {
            across,
            probs,
            slopes,
            kept,
            sums,
        } = scratch;
        slopes.resize(len * stride, 0.0);
        self.transpose(cpu, qkv, 2, across);
        multiply(
            cpu.arch,
            (&mut *slopes, stride),
            dy,
            (&*across, stride),
            [len, size, stride],
        );
        let block = softmax::ROWS * stride;
        let rows = slopes[..len * stride].chunks_mut(block);
        let rows = rows.zip(probs[..len * stride].chunks_mut(block));
        for (first, (slopes, probs)) in (0..len).step_by(softmax::ROWS).zip(rows) {
            let some = first..(first + softmax::ROWS).min(len);
            let kept = self.kept(&mut drop, some.clone(), kept, stride);
            let shape = [some.len(), stride, stride];
            softmax::slopes_of_scores(cpu.isa, (probs, &mut *slopes), kept, shape, self.scale);
            for (i, slopes) in some.zip(slopes.chunks_exact(stride)) {
                self.add_by_distance(i, slopes, by_distance);
            }
        }
        let shape = [len, len, size];
        let (queries, keys) = (self.all(qkv, 0), self.all(qkv, 1));
        let keys = (keys.values, keys.row);
        multiply(
            cpu.arch,
            (&mut grad[at(0)..], row),
            rows_of(slopes, stride),
            keys,
            shape,
        );
        // Keys and values gather down the columns.
        let queries = (queries.values, queries.row);
        let factors = [
            (1, columns_of(slopes, stride), queries),
            (2, columns_of(probs, stride), (dy.values, dy.row)),
        ];
        for (part, left, right) in factors {
            let out = &mut grad[at(part)..];
            if !self.shared {
                multiply(cpu.arch, (out, row), left, right, shape);
                continue;
            }
            sums.resize(len * size, 0.0);
            multiply(cpu.arch, (&mut *sums, size), left, right, shape);
            for (out, sums) in out.chunks_mut(row).zip(sums.chunks_exact(size)).take(len) {
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out += sum;
                }
            }
        }
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
