//! One head of one sequence with products in bf16: queries, keys, values and
//! probabilities are rounded; scores, the softmax and all sums stay in f32.
//!
//! Some queries at a time go through scores, softmax and values within a core's
//! own cache, so memory does not grow with the square of a long sequence.

use super::head::Head;
use super::softmax::{self, exponentials};
use crate::cpu::aligned::Aligned;
use crate::cpu::math;
use crate::cpu::matmul::{HalfLine, Small, Spaced, grow};
use crate::cpu::{Cpu, Tensor};
use std::f32::consts::LOG2_E;

const COLS: usize = Small::COLS;
const LANES: usize = softmax::ROWS;
const ROWS: usize = Small::ROWS;

/// Sequences of no more tokens fill so little of a product that laying out its factors
/// costs more than it saves, above all in the backward pass. Both passes take the same
/// road, so that a gradient is that of the probabilities which were computed.
pub(super) const SHORT: usize = 48;

/// One head's working memory: what products read, and scores of some queries. What was
/// laid out of keys and values stays for the next heads of a group.
#[derive(Default)]
pub(super) struct HalfScratch {
    queries: Vec<HalfLine>,
    keys: Vec<HalfLine>,
    values: Vec<HalfLine>,
    probs: Vec<HalfLine>,
    /// Of some queries with all keys that they see.
    scores: Aligned,
    back: Backward,
}

/// What only the backward pass needs.
#[derive(Default)]
struct Backward {
    /// The gradient of the queries' contexts.
    slopes_of_context: Vec<HalfLine>,
    /// The same of all, queries, and keys, as second factors whose terms are tokens.
    context: Vec<HalfLine>,
    queries: Vec<HalfLine>,
    keys: Vec<HalfLine>,
    /// Gradients of some queries' probabilities, then of their scores.
    slopes: Aligned,
    /// Those of all scores, and all probabilities after dropout, a row for each key.
    slopes_by_key: Vec<HalfLine>,
    kept_by_key: Vec<HalfLine>,
    /// Which of some queries' probabilities dropout keeps, and its scale.
    kept: Vec<f32>,
}

impl Head<'_> {
    /// Writes the context of every token to `out`, whose rows start at token
    /// `first_row`.
    #[inline(always)]
    pub fn forward_half(
        &self,
        (cpu, small): (&Cpu, &Small),
        qkv: &[f32],
        scratch: &mut HalfScratch,
        (out, first_row): (&mut [f32], usize),
        mut drop: Option<impl FnMut(usize, &mut [f32])>,
    ) {
        let (len, size, width) = (self.len, self.spread.size, self.spread.width);
        let (steps, all) = (size.div_ceil(COLS), len.div_ceil(COLS));
        if !self.shared {
            small.second_transposed(&mut scratch.keys, self.spaced(qkv, 1));
            small.second(&mut scratch.values, self.spaced(qkv, 2));
        }
        // All at once: what was just written is not yet where tiles are loaded from.
        small.first(&mut scratch.queries, self.spaced(qkv, 0));
        let mut tile = [0f32; ROWS * COLS];
        for from in (0..len).step_by(ROWS) {
            let queries = from..(from + ROWS).min(len);
            // A row's dropout is that of all keys.
            let keys = match drop {
                None => self.keys_of(&queries, COLS),
                Some(_) => 0..len,
            };
            let panels = keys.start / COLS..keys.end.div_ceil(COLS);
            let stride = scratch.make_room(panels.len());
            for (i, p) in panels.clone().enumerate() {
                let keys = &scratch.keys[p * COLS * steps..][..COLS * steps];
                let scores = (&mut scratch.scores[i * COLS..], stride);
                small.product(
                    &scratch.queries[from * steps..][..ROWS * steps],
                    keys,
                    scores,
                );
            }
            let mut inverses = [0f32; ROWS];
            let rows = scratch.scores.chunks_mut(LANES * stride);
            for ((b, rows), inverses) in rows.enumerate().zip(inverses.as_chunks_mut().0) {
                let some = from + b * LANES..(from + (b + 1) * LANES).min(len);
                let mut scale = self.scale;
                for (i, scores) in some.clone().zip(rows.chunks_mut(stride)) {
                    scale = self.mask_scores(&mut scores[..panels.len() * COLS], i, &keys);
                }
                let shape = [some.len(), stride, panels.len() * COLS];
                let sums = coarse_exponentials(cpu, rows, shape, scale);
                for ((r, i), scores) in some.enumerate().zip(rows.chunks_mut(stride)) {
                    if let Some(drop) = &mut drop {
                        drop(i, &mut scores[..len]);
                    }
                    let (blocks, _) = scores[..panels.len() * COLS].as_chunks();
                    small.narrow(blocks, b * LANES + r, &mut scratch.probs);
                }
                *inverses = sums.map(|sum| 1.0 / sum);
            }
            let steps = panels.len();
            for c in 0..size.div_ceil(COLS) {
                let values = &scratch.values[(c * all + panels.start) * COLS..][..steps * COLS];
                small.product(&scratch.probs[..ROWS * steps], values, (&mut tile, COLS));
                let columns = c * COLS..((c + 1) * COLS).min(size);
                let sums = tile.as_chunks::<COLS>().0.iter().zip(inverses);
                for ((sums, inverse), i) in sums.zip(queries.clone()) {
                    let at = (self.first + i - first_row) * width + self.from[0];
                    let out = &mut out[at + columns.start..at + columns.end];
                    for (out, sum) in out.iter_mut().zip(sums) {
                        *out = sum * inverse;
                    }
                }
            }
        }
    }

    /// Writes the gradients of every token's query, key and value to `grad`, whose rows
    /// start at token `first_row`, or adds them to those of heads that share keys and
    /// values. Adds those of the scores, times the scale, to `by_distance` as
    /// [`Head::add_by_distance`] does.
    #[inline(always)]
    pub fn backward_half(
        &self,
        (cpu, small): (&Cpu, &Small),
        (qkv, dy): (&[f32], &Tensor),
        scratch: &mut HalfScratch,
        (grad, first_row): (&mut [f32], usize),
        mut drop: Option<impl FnMut(usize, &mut [f32])>,
        by_distance: &mut [f32],
    ) {
        let (len, size, width) = (self.len, self.spread.size, self.spread.width);
        let (steps, all) = (size.div_ceil(COLS), len.div_ceil(COLS));
        let dy = &dy.values()[self.first * width + self.from[0]..];
        let dy = Spaced::new(dy, [len, size], width);
        let stride = scratch.make_room(all);
        let HalfScratch {
            queries,
            keys,
            values,
            probs,
            scores,
            back,
        } = scratch;
        if !self.shared {
            small.second_transposed(keys, self.spaced(qkv, 1));
            small.second(&mut back.keys, self.spaced(qkv, 1));
            small.second_transposed(values, self.spaced(qkv, 2));
        }
        small.first(queries, self.spaced(qkv, 0));
        small.first(&mut back.slopes_of_context, dy);
        small.second(&mut back.queries, self.spaced(qkv, 0));
        small.second(&mut back.context, dy);
        if back.slopes.len() < scores.len() {
            back.slopes = Aligned::zeros(scores.len());
        }
        let slopes = &mut back.slopes;
        let mut tile = [0f32; ROWS * COLS];
        for (block, from) in (0..len).step_by(ROWS).enumerate() {
            let some = from..(from + ROWS).min(len);
            for p in 0..all {
                let panel = p * COLS * steps..(p + 1) * COLS * steps;
                let to = (&mut scores[p * COLS..], stride);
                let here = from * steps..(from + ROWS) * steps;
                small.product(&queries[here.clone()], &keys[panel.clone()], to);
                let to = (&mut slopes[p * COLS..], stride);
                let of_context = &back.slopes_of_context[here];
                small.product(of_context, &values[panel], to);
            }
            for first in (0..ROWS).step_by(LANES) {
                let rows = &mut scores[first * stride..(first + LANES) * stride];
                let here = from + first..(from + first + LANES).min(len);
                let mut scale = self.scale;
                for (i, scores) in here.clone().zip(rows.chunks_mut(stride)) {
                    scale = self.mask_scores(&mut scores[..all * COLS], i, &(0..len));
                }
                let shape = [here.len(), stride, all * COLS];
                let sums = coarse_exponentials(cpu, rows, shape, scale);
                let slopes = &mut slopes[first * stride..(first + LANES) * stride];
                for (probs, sum) in rows.chunks_mut(stride).zip(sums).take(here.len()) {
                    let inverse = 1.0 / sum;
                    for p in &mut probs[..all * COLS] {
                        *p *= inverse;
                    }
                }
                // Nothing comes of what lies behind the last.
                let behind = here.len() * stride..LANES * stride;
                rows[behind.clone()].fill(0.0);
                slopes[behind].fill(0.0);
                let kept = self.kept(&mut drop, here.clone(), &mut back.kept, all * COLS);
                let shape = [here.len(), stride, all * COLS];
                let both = (&mut *rows, &mut *slopes);
                softmax::slopes_of_scores(cpu.isa, both, kept, shape, self.scale);
                for (i, slopes) in here.zip(slopes.chunks(stride)) {
                    self.add_by_distance(i, &slopes[..all * COLS], by_distance);
                }
            }
            for (r, row) in slopes.chunks(stride).take(ROWS).enumerate() {
                small.narrow(row[..all * COLS].as_chunks().0, r, probs);
            }
            for c in 0..steps {
                let keys = &back.keys[c * all * COLS..][..all * COLS];
                small.product(&probs[..ROWS * all], keys, (&mut tile, COLS));
                let columns = c * COLS..((c + 1) * COLS).min(size);
                for (sums, i) in tile.as_chunks::<COLS>().0.iter().zip(some.clone()) {
                    let at = (self.first + i - first_row) * self.spread.row + self.from[0];
                    let out = &mut grad[at + columns.start..at + columns.end];
                    out.copy_from_slice(&sums[..columns.len()]);
                }
            }
            let step = (block, all);
            let shape = [ROWS, all * COLS];
            let by_key = Spaced::new(slopes, shape, stride);
            small.first_transposed(&mut back.slopes_by_key, by_key, step);
            let by_key = Spaced::new(scores, shape, stride);
            small.first_transposed(&mut back.kept_by_key, by_key, step);
        }
        let factors = [
            (1, &back.slopes_by_key, &back.queries),
            (2, &back.kept_by_key, &back.context),
        ];
        for (part, by_key, of_tokens) in factors {
            for from in (0..len).step_by(ROWS) {
                for c in 0..steps {
                    let rows = &by_key[from * all..][..ROWS * all];
                    let right = &of_tokens[c * all * COLS..][..all * COLS];
                    small.product(rows, right, (&mut tile, COLS));
                    let columns = c * COLS..((c + 1) * COLS).min(size);
                    for (sums, j) in tile.as_chunks::<COLS>().0.iter().zip(from..len) {
                        let at = (self.first + j - first_row) * self.spread.row + self.from[part];
                        let out = &mut grad[at + columns.start..at + columns.end];
                        for (out, sum) in out.iter_mut().zip(sums) {
                            *out = if self.shared { *out + sum } else { *sum };
                        }
                    }
                }
            }
        }
    }
}

impl HalfScratch {
    /// For scores of some queries with so many panels of keys; how far apart the
    /// queries' rows lie.
    fn make_room(&mut self, panels: usize) -> usize {
        // Not a power of two, or rows would meet in the same part of a cache.
        let stride = panels * COLS + 16;
        if self.scores.len() < ROWS * stride {
            self.scores = Aligned::zeros(ROWS * stride);
        }
        grow(&mut self.probs, ROWS * panels);
        stride
    }
}

/// [`exponentials`], as near as bf16 can tell.
#[inline(always)]
fn coarse_exponentials(
    cpu: &Cpu,
    scores: &mut [f32],
    shape: [usize; 3],
    scale: f32,
) -> [f32; LANES] {
    let scale = scale * LOG2_E;
    exponentials::<COLS>(
        cpu.isa,
        scores,
        shape,
        scale,
        #[inline(always)]
        |x, largest| math::coarse_exp2(x.mul_add(scale, -largest)),
    )
}
