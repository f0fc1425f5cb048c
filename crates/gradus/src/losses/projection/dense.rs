//! Products with a weight matrix `[out, width]`, for the rows of a batch.

use crate::losses::matrices::{add_row_sums, transposed};

/// `x W^T`, `[rows, out]`.
pub(crate) fn forward(x: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
    let out = weight.len() / width;
    let mut y = vec![0.0; x.len() / width * out];
    add_row_sums(out, x, &transposed(weight, width), &mut y);
    y
}

/// `dy W`, `[rows, width]`.
pub(crate) fn input_gradient(dy: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
    let out = weight.len() / width;
    let mut dx = vec![0.0; dy.len() / out * width];
    add_row_sums(width, dy, weight, &mut dx);
    dx
}

/// `dy^T x`, added to `gradient`.
pub(crate) fn weight_gradient(dy: &[f32], x: &[f32], width: usize, gradient: &mut [f32]) {
    let out = gradient.len() / width;
    add_row_sums(width, &transposed(dy, out), x, gradient);
}
