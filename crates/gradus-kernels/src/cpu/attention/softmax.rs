//! The softmax of sixteen rows at a time: their largest values and their sums are found
//! together, as a vector's own takes many steps that wait for each other.

use crate::cpu::transpose::Square;
use crate::cpu::{Isa, math};

/// Rows at a time.
pub(super) const ROWS: usize = 16;

/// Makes of at most [`ROWS`] rows of scores `power(x, m)`, the exponential of
/// `scale x - m`, where `m` is `scale` times a row's largest; not yet over their sums,
/// which are returned. Rows are `stride` apart and have `width` values, a multiple of `W`;
/// sums go through `W` lanes, a multiple of 16.
#[inline(always)]
pub(super) fn exponentials<const W: usize>(
    isa: Isa,
    scores: &mut [f32],
    [rows, stride, width]: [usize; 3],
    scale: f32,
    power: impl Fn(f32, f32) -> f32,
) -> [f32; ROWS] {
    let mut lanes = Square::ZERO;
    for (most, row) in lanes.0.iter_mut().zip(scores.chunks(stride)).take(rows) {
        let mut lanes = [f32::NEG_INFINITY; W];
        for x in row[..width].as_chunks::<W>().0 {
            for (lane, &x) in lanes.iter_mut().zip(x) {
                *lane = if x > *lane { x } else { *lane };
            }
        }
        let (first, rest) = lanes.split_at_mut(ROWS);
        for more in rest.chunks_exact(ROWS) {
            for (a, &b) in first.iter_mut().zip(more) {
                *a = if *a > b { *a } else { b };
            }
        }
        for (most, x) in most.iter_mut().zip(first) {
            *most = x.to_bits();
        }
    }
    lanes.mirror(isa);
    let mut largest = [f32::NEG_INFINITY; ROWS];
    for column in &lanes.0 {
        for (most, &x) in largest.iter_mut().zip(column) {
            let x = f32::from_bits(x) * scale;
            *most = if x > *most { x } else { *most };
        }
    }
    let own = lanes.0.iter_mut().zip(scores.chunks_mut(stride));
    for ((sum, row), largest) in own.zip(largest).take(rows) {
        let mut lanes = [0f32; W];
        for x in row[..width].as_chunks_mut::<W>().0 {
            for (x, lane) in x.iter_mut().zip(&mut lanes) {
                *x = power(*x, largest);
                *lane += *x;
            }
        }
        let (first, rest) = lanes.split_at_mut(ROWS);
        for more in rest.chunks_exact(ROWS) {
            for (a, b) in first.iter_mut().zip(more) {
                *a += b;
            }
        }
        for (sum, x) in sum.iter_mut().zip(first) {
            *sum = x.to_bits();
        }
    }
    lanes.mirror(isa);
    let mut sums = [0f32; ROWS];
    for column in &lanes.0 {
        for (sum, &x) in sums.iter_mut().zip(column) {
            *sum += f32::from_bits(x);
        }
    }
    sums
}

/// Makes of at most [`ROWS`] rows of scores, of whole vectors, their softmax:
/// `exp(scale x)` over the sum of a row's.
#[inline(always)]
pub(super) fn softmax(isa: Isa, scores: &mut [f32], stride: usize, scale: f32) {
    let shape = [scores.len() / stride, stride, stride];
    let sums = exponentials::<ROWS>(
        isa,
        scores,
        shape,
        scale,
        #[inline(always)]
        |x, largest| math::exp(x.mul_add(scale, -largest)),
    );
    for (row, sum) in scores.chunks_exact_mut(stride).zip(sums) {
        let inverse = 1.0 / sum;
        for x in row {
            *x *= inverse;
        }
    }
}

/// Turns the gradients of at most [`ROWS`] rows of probabilities behind dropout into those
/// of their scores, times `scale`, and the probabilities into those behind dropout. Rows
/// are `stride` apart and have `width` values, whole vectors; `kept` has what dropout
/// multiplies them by, rows `width` apart.
#[inline(always)]
pub(super) fn slopes_of_scores(
    isa: Isa,
    (probs, slopes): (&mut [f32], &mut [f32]),
    kept: Option<&[f32]>,
    [rows, stride, width]: [usize; 3],
    scale: f32,
) {
    if let Some(kept) = kept {
        let rows = slopes.chunks_mut(stride).zip(kept.chunks_exact(width));
        for (slopes, kept) in rows.take(ROWS) {
            for (slope, kept) in slopes.iter_mut().zip(kept) {
                *slope *= kept;
            }
        }
    }
    let mut lanes = Square::ZERO;
    let own = lanes.0.iter_mut().zip(probs.chunks(stride));
    for ((sum, probs), slopes) in own.zip(slopes.chunks(stride)).take(rows) {
        let mut lanes = [0f32; ROWS];
        let (probs, slopes) = (&probs[..width], &slopes[..width]);
        let vectors = probs.as_chunks::<ROWS>().0.iter();
        for (probs, slopes) in vectors.zip(slopes.as_chunks::<ROWS>().0) {
            for ((lane, p), slope) in lanes.iter_mut().zip(probs).zip(slopes) {
                *lane = p.mul_add(*slope, *lane);
            }
        }
        for (sum, x) in sum.iter_mut().zip(lanes) {
            *sum = x.to_bits();
        }
    }
    lanes.mirror(isa);
    let mut means = [0f32; ROWS];
    for column in &lanes.0 {
        for (mean, &x) in means.iter_mut().zip(column) {
            *mean += f32::from_bits(x);
        }
    }
    let own = probs.chunks_mut(stride).zip(slopes.chunks_mut(stride));
    for (r, ((probs, slopes), mean)) in own.zip(means).enumerate().take(rows) {
        let (probs, slopes) = (&mut probs[..width], &mut slopes[..width]);
        for (slope, p) in slopes.iter_mut().zip(probs.iter()) {
            *slope = (*slope - mean) * p * scale;
        }
        if let Some(kept) = kept {
            for (p, kept) in probs.iter_mut().zip(&kept[r * width..][..width]) {
                *p *= kept;
            }
        }
    }
}
