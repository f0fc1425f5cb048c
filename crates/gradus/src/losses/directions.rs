//! Directions of vectors, cosines between them, and the way back.

use super::matrices::{products, task, transposed};
use super::row_sums::RowSums;
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
        Self {
            cols: self.values.len().checked_div(self.cols).unwrap_or(0),
            values: transposed(&self.values, self.cols),
        }
    }
}

impl Directions {
    /// Those of rows `first..first + count`.
    pub fn of(embeddings: &Embeddings, first: usize, count: usize) -> Self {
        let dim = embeddings.dim();
        Self::of_rows(
            dim,
            &embeddings.as_slice()[first * dim..(first + count) * dim],
        )
    }

    /// Those of rows that follow each other.
    pub fn of_rows(dim: usize, rows: &[f32]) -> Self {
        let mut unit = rows.to_vec();
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
        Cosines {
            cols: others.rows(),
            values: products(self.dim, &self.unit, &others.unit),
        }
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
        let (arch, some) = (Arch::new(), task(self.rows()));
        gradients
            .par_chunks_mut(some * dim)
            .enumerate()
            .for_each(|(task, gradients)| {
                let first = task * some;
                let mut toward = vec![0f32; gradients.len()];
                arch.dispatch(RowSums {
                    dim,
                    weights: &slopes.values[first * slopes.cols..],
                    stride: slopes.cols,
                    others: &others.unit,
                    sums: &mut toward,
                });
                let rows = toward
                    .chunks_exact(dim)
                    .zip(gradients.chunks_exact_mut(dim));
                for (i, (toward, gradient)) in (first..).zip(rows) {
                    self.add_across(i, toward, gradient);
                }
            });
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
    const LANES: usize = 8;
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
