//! `tanh(W x + b)`; parameters `W` `[dim, dim]`, then `b`.

use super::dense;
use rayon::prelude::*;

/// Which parameters are decayed, as runs.
pub(crate) fn parameters(dim: usize) -> [(bool, usize); 2] {
    [(true, dim * dim), (false, dim)]
}

pub(crate) fn forward(parameters: &[f32], x: &[f32], dim: usize) -> Vec<f32> {
    let (weight, bias) = parameters.split_at(dim * dim);
    let mut out = dense::forward(x, weight, dim);
    out.par_chunks_exact_mut(dim).for_each(|row| {
        for (y, b) in row.iter_mut().zip(bias) {
            *y = (*y + b).tanh();
        }
    });
    out
}

/// The gradient of `x`, `[rows, dim]`; adds to that of the parameters.
pub(crate) fn backward(
    parameters: &[f32],
    (x, out): (&[f32], &[f32]),
    mut dy: Vec<f32>,
    dim: usize,
    gradient: &mut [f32],
) -> Vec<f32> {
    let (weight, bias) = gradient.split_at_mut(dim * dim);
    for (dy, y) in dy.iter_mut().zip(out) {
        *dy *= 1.0 - y * y;
    }
    for row in dy.chunks_exact(dim) {
        for (sum, dy) in bias.iter_mut().zip(row) {
            *sum += dy;
        }
    }
    dense::weight_gradient(&dy, x, dim, weight);
    dense::input_gradient(&dy, &parameters[..dim * dim], dim)
}
