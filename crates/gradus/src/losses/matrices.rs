//! Products of whole matrices, on all threads.
//!
//! A value is one chain of sums over its terms in their order: its bits depend neither
//! on threads nor on how the work is cut. Several rows are worked on at a time so that
//! what is read from memory serves more than once.

use super::products::Products;
use super::row_sums::RowSums;
use pulp::Arch;
use rayon::prelude::*;

/// Rows that are worked on together: some tasks for each thread, and many rows for what a task
/// reads.
pub(super) fn task(rows: usize) -> usize {
    let even = rows.div_ceil(3 * rayon::current_num_threads());
    even.next_multiple_of(4).clamp(8, 64)
}

/// `own others^T`, of `[rows, dim]` and `[cols, dim]`: `[rows, cols]`.
pub(super) fn products(dim: usize, own: &[f32], others: &[f32]) -> Vec<f32> {
    let (rows, cols) = (own.len() / dim.max(1), others.len() / dim.max(1));
    let mut out = vec![0.0; rows * cols];
    let (some, arch) = (task(rows), Arch::new());
    let tasks = out.par_chunks_mut(some * cols.max(1)).enumerate();
    tasks.for_each(|(task, out)| {
        let rows = task * some..task * some + out.len() / cols;
        arch.dispatch(Products {
            dim,
            own: &own[rows.start * dim..rows.end * dim],
            others,
            out,
        });
    });
    out
}

/// Adds `weights others`, of `[sums, cols]` and `[cols, dim]`, to `sums`, `[sums, dim]`.
pub(super) fn add_row_sums(dim: usize, weights: &[f32], others: &[f32], sums: &mut [f32]) {
    let cols = others.len() / dim.max(1);
    let (some, arch) = (task(sums.len() / dim.max(1)), Arch::new());
    let tasks = sums.par_chunks_mut(some * dim.max(1)).enumerate();
    tasks.for_each(|(task, sums)| {
        arch.dispatch(RowSums {
            dim,
            weights: &weights[task * some * cols..],
            stride: cols,
            others,
            sums,
        });
    });
}

/// Rows become columns.
pub(super) fn transposed(values: &[f32], cols: usize) -> Vec<f32> {
    let rows = values.len().checked_div(cols).unwrap_or(0);
    let mut out = vec![0.0; values.len()];
    let some = task(cols);
    let tasks = out.par_chunks_mut(some * rows.max(1));
    tasks.enumerate().for_each(|(task, out)| {
        let first = task * some;
        for i in 0..rows {
            let own = &values[i * cols + first..(i + 1) * cols];
            for (out, value) in out[i..].iter_mut().step_by(rows).zip(own) {
                *out = *value;
            }
        }
    });
    out
}
