//! Directions of vectors, cosines between them, and the way back.
//!
//! A value is one chain of sums over its terms in their order: its bits depend neither
//! on threads nor on how the work is cut. Several rows are worked on at a time so that
//! what is read from memory serves more than once.

use super::products::{LANES, Products};
use crate::Embeddings;
use pulp::Arch;
use rayon::prelude::*;

/// Some vectors divided by their lengths. A vector of length zero has no
/// direction: its cosine with everything is 0, and it gets no gradient.
pub(crate) struct Directions {
    dim: usize,
    unit: Vec<f32>,
    /// One over the length of each, 0 where that is 0.
    inverse: Vec<f32>,
}

/// A matrix `[rows, cols]` of cosines, or of a loss's slopes by them.
pub(crate) struct Cosines {
    pub cols: usize,
    pub values: Vec<f32>,
}

/// Rows that are worked on together.
const TASK: usize = 16;

impl Cosines {
    /// All zero.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self {
            cols,
            values: vec![0.0; rows * cols],
        }
    }

    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.cols..(i + 1) * self.cols]
    }

    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.values[i * self.cols..(i + 1) * self.cols]
    }

    /// Rows become columns.
    pub fn transposed(&self) -> Self {
        let rows = self.values.len().checked_div(self.cols).unwrap_or(0);
        let mut out = Self::zeros(self.cols, rows);
        let tasks = out.values.par_chunks_mut(TASK * rows.max(1));
        tasks.enumerate().for_each(|(task, out)| {
            let first = task * TASK;
            for i in 0..rows {
                let own = &self.row(i)[first..];
                for (out, value) in out[i..].iter_mut().step_by(rows).zip(own) {
                    *out = *value;
                }
            }
        });
        out
    }
}

impl Directions {
    /// Those of rows `first..first + count`.
    pub fn of(embeddings: &Embeddings, first: usize, count: usize) -> Self {
        let dim = embeddings.dim();
        let mut unit = embeddings.as_slice()[first * dim..(first + count) * dim].to_vec();
        let inverse = unit
            .chunks_exact_mut(dim.max(1))
            .map(|row| {
                let length = dot(row, row).sqrt();
                let inverse = if length > 0.0 { 1.0 / length } else { 0.0 };
                // A length beyond f32 would make every value 0 or infinite.
                for x in row {
                    *x = (f64::from(*x) * inverse) as f32;
                }
                inverse as f32
            })
            .collect();
        Self { dim, unit, inverse }
    }

    pub fn rows(&self) -> usize {
        self.inverse.len()
    }

    pub fn row(&self, i: usize) -> &[f32] {
        &self.unit[i * self.dim..(i + 1) * self.dim]
    }

    /// The cosine of one with one of `others`.
    pub fn cosine(&self, i: usize, others: &Self, j: usize) -> f64 {
        dot(self.row(i), others.row(j))
    }

    /// The cosine of each with each of `others`.
    pub fn cosines(&self, others: &Self) -> Cosines {
        let mut out = Cosines::zeros(self.rows(), others.rows());
        let (dim, cols, arch) = (self.dim, out.cols.max(1), Arch::new());
        let others: Vec<f64> = others.unit.par_iter().map(|x| f64::from(*x)).collect();
        let tasks = out.values.par_chunks_mut(TASK * cols).enumerate();
        tasks.for_each(|(task, out)| {
            let rows = task * TASK..task * TASK + out.len() / cols;
            let own = &self.unit[rows.start * dim..rows.end * dim];
            let own: Vec<f64> = own.iter().map(|x| f64::from(*x)).collect();
            let others = &others;
            arch.dispatch(Products {
                dim,
                own: &own,
                others,
                out,
            });
        });
        out
    }

    /// The cosine of each with some of `others`; `picked` says with which.
    pub fn cosines_with(&self, picked: &[Vec<u32>], others: &Self) -> Vec<Vec<f32>> {
        let of = |(i, picked): (usize, &Vec<u32>)| {
            let cosine = |&j: &u32| dot(self.row(i), others.row(j as usize)) as f32;
            picked.iter().map(cosine).collect()
        };
        picked.par_iter().enumerate().map(of).collect()
    }

    /// Adds to the gradients of these vectors, `[rows, dim]`, what comes through
    /// their cosines with `others`.
    pub fn add_gradients(&self, slopes: &Cosines, others: &Self, gradients: &mut [f32]) {
        let dim = self.dim.max(1);
        let arch = Arch::new();
        gradients
            .par_chunks_mut(TASK * dim)
            .enumerate()
            .for_each(|(task, gradients)| {
                let first = task * TASK;
                let mut toward = vec![0f32; gradients.len()];
                arch.dispatch(
                    #[inline(always)]
                    || others.add_weighted(slopes, first, &mut toward),
                );
                let rows = toward
                    .chunks_exact(dim)
                    .zip(gradients.chunks_exact_mut(dim));
                for (i, (toward, gradient)) in (first..).zip(rows) {
                    self.add_across(i, toward, gradient);
                }
            });
    }

    /// Adds to `sums`, `[rows, dim]`, these vectors weighted by the rows of `weights`
    /// from `first` on.
    #[inline(always)]
    fn add_weighted(&self, weights: &Cosines, first: usize, sums: &mut [f32]) {
        /// So many vectors stay near while all sums get them.
        const NEAR: usize = 64;
        /// Sums that are added up in registers.
        const WIDE: usize = 16;
        const ROWS: usize = 4;
        let dim = self.dim;
        let (rows, whole) = (sums.len() / dim, dim - dim % WIDE);
        for from in (0..weights.cols).step_by(NEAR) {
            let to = (from + NEAR).min(weights.cols);
            let vectors = &self.unit[from * dim..to * dim];
            for i in (0..rows).step_by(ROWS) {
                let here = (i + ROWS).min(rows) - i;
                let sums = &mut sums[i * dim..(i + here) * dim];
                // Without weight where there are fewer rows.
                let mut own = [[0f32; NEAR]; ROWS];
                for (r, own) in own.iter_mut().enumerate().take(here) {
                    let row = &weights.row(first + i + r)[from..to];
                    own[..row.len()].copy_from_slice(row);
                }
                for at in (0..whole).step_by(WIDE) {
                    let mut wide = [[0f32; WIDE]; ROWS];
                    for (r, wide) in wide.iter_mut().enumerate().take(here) {
                        wide.copy_from_slice(&sums[r * dim + at..][..WIDE]);
                    }
                    for (j, vector) in vectors.chunks_exact(dim).enumerate() {
                        let x = &vector[at..at + WIDE];
                        for r in 0..ROWS {
                            for l in 0..WIDE {
                                wide[r][l] += own[r][j] * x[l];
                            }
                        }
                    }
                    for (r, wide) in wide.iter().enumerate().take(here) {
                        sums[r * dim + at..][..WIDE].copy_from_slice(wide);
                    }
                }
                for (sums, own) in sums.chunks_exact_mut(dim).zip(&own) {
                    for (vector, weight) in vectors.chunks_exact(dim).zip(own) {
                        for (sum, x) in sums[whole..].iter_mut().zip(&vector[whole..]) {
                            *sum += weight * x;
                        }
                    }
                }
            }
        }
    }

    /// The same of cosines with some of `others` each: `picked` says which, `slopes`
    /// has one for every one of them. The others get nothing.
    pub fn add_gradients_of(
        &self,
        (picked, slopes): (&[Vec<u32>], &[Vec<f32>]),
        others: &Self,
        gradients: &mut [f32],
    ) {
        gradients
            .par_chunks_mut(self.dim.max(1))
            .enumerate()
            .for_each(|(i, gradient)| {
                let mut toward = vec![0f32; self.dim];
                for (&j, &slope) in picked[i].iter().zip(&slopes[i]) {
                    for (t, x) in toward.iter_mut().zip(others.row(j as usize)) {
                        *t += slope * x;
                    }
                }
                self.add_across(i, &toward, gradient);
            });
    }

    /// Adds the part of `toward` that turns vector `i`: a change along it leaves
    /// its direction.
    pub fn add_across(&self, i: usize, toward: &[f32], gradient: &mut [f32]) {
        let (unit, inverse) = (self.row(i), self.inverse[i]);
        let along = dot(toward, unit) as f32;
        for ((g, t), u) in gradient.iter_mut().zip(toward).zip(unit) {
            *g += inverse * (t - along * u);
        }
    }
}

/// Summed in a fixed order, side by side so that it vectorises.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0f64; LANES];
    let ((xs, x), (ys, y)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (x, y) in xs.iter().zip(ys) {
        for l in 0..LANES {
            lanes[l] += f64::from(x[l]) * f64::from(y[l]);
        }
    }
    let rest: f64 = x
        .iter()
        .zip(y)
        .map(|(x, y)| f64::from(*x) * f64::from(*y))
        .sum();
    lanes.iter().sum::<f64>() + rest
}
