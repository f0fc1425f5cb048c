//! One head of one sequence with products in bf16: queries, keys, values and
//! probabilities are rounded; scores, the softmax and all sums stay in f32.
//!
//! Some queries at a time go through scores, softmax and values within a core's
//! own cache, so memory does not grow with the square of a long sequence.

use super::head::Head;
use crate::cpu::Cpu;
use crate::cpu::aligned::Aligned;
use crate::cpu::math;
use crate::cpu::matmul::{HalfLine, Small, grow};
use crate::cpu::transpose::Square;
use std::f32::consts::LOG2_E;

const COLS: usize = Small::COLS;
const LANES: usize = 16;
const ROWS: usize = Small::ROWS;

/// One head's working memory. What was laid out stays for the next heads of a
/// group.
#[derive(Default)]
pub(super) struct HalfScratch {
    queries: Vec<HalfLine>,
    keys: Vec<HalfLine>,
    values: Vec<HalfLine>,
    probs: Vec<HalfLine>,
    /// Of some queries with all keys that they see.
    scores: Aligned,
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
        let mut tile = [0f32; ROWS * COLS];
        for from in (0..len).step_by(ROWS) {
            let queries = from..(from + ROWS).min(len);
            let some = self.spaced(qkv, 0).some(queries.clone());
            small.first(&mut scratch.queries, some);
            // A row's dropout is that of all keys.
            let keys = match drop {
                None => self.keys_of(&queries, COLS),
                Some(_) => 0..len,
            };
            let panels = keys.start / COLS..keys.end.div_ceil(COLS);
            let stride = scratch.make_room(panels.len());
            for (i, p) in panels.clone().enumerate() {
                small.product(
                    &scratch.queries[..ROWS * steps],
                    &scratch.keys[p * COLS * steps..][..COLS * steps],
                    (&mut scratch.scores[i * COLS..], stride),
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
                let sums = exponentials(cpu, rows, [some.len(), stride, panels.len()], scale);
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

/// Makes of rows of scores `e^(scale x)` over that of a row's largest, not yet
/// over their sums, which are returned.
#[inline(always)]
fn exponentials(
    cpu: &Cpu,
    scores: &mut [f32],
    [rows, stride, panels]: [usize; 3],
    scale: f32,
) -> [f32; LANES] {
    let scale = scale * LOG2_E;
    let mut lanes = Square::ZERO;
    for (most, row) in lanes.0.iter_mut().zip(scores.chunks(stride)).take(rows) {
        let mut lanes = [f32::NEG_INFINITY; COLS];
        for x in row[..panels * COLS].as_chunks::<COLS>().0 {
            for (lane, &x) in lanes.iter_mut().zip(x) {
                *lane = if x > *lane { x } else { *lane };
            }
        }
        let (low, high) = lanes.split_at(LANES);
        for ((most, low), high) in most.iter_mut().zip(low).zip(high) {
            *most = if low > high { *low } else { *high }.to_bits();
        }
    }
    lanes.mirror(cpu.isa);
    let mut largest = [f32::NEG_INFINITY; LANES];
    for column in &lanes.0 {
        for (most, &x) in largest.iter_mut().zip(column) {
            let x = f32::from_bits(x) * scale;
            *most = if x > *most { x } else { *most };
        }
    }
    let own = lanes.0.iter_mut().zip(scores.chunks_mut(stride));
    for ((sum, row), largest) in own.zip(largest).take(rows) {
        let mut lanes = [0f32; COLS];
        for x in row[..panels * COLS].as_chunks_mut::<COLS>().0 {
            for (x, lane) in x.iter_mut().zip(&mut lanes) {
                *x = math::coarse_exp2(x.mul_add(scale, -largest));
                *lane += *x;
            }
        }
        let (low, high) = lanes.split_at(LANES);
        for ((sum, low), high) in sum.iter_mut().zip(low).zip(high) {
            *sum = (low + high).to_bits();
        }
    }
    lanes.mirror(cpu.isa);
    let mut sums = [0f32; LANES];
    for column in &lanes.0 {
        for (sum, &x) in sums.iter_mut().zip(column) {
            *sum += f32::from_bits(x);
        }
    }
    sums
}
