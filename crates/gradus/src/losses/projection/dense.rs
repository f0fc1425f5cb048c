//! Products with a weight matrix `[out, width]`, for the few rows of a batch.

use rayon::prelude::*;

/// `x W^T`, `[rows, out]`.
pub(crate) fn forward(x: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
    let rows = x.par_chunks_exact(width);
    let products = rows.flat_map_iter(|row| weight.chunks_exact(width).map(|w| dot(row, w)));
    products.collect()
}

/// `dy W`, `[rows, width]`.
pub(crate) fn input_gradient(dy: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
    let out = weight.len() / width;
    let mut dx = vec![0.0; dy.len() / out * width];
    let rows = dx.par_chunks_exact_mut(width).zip(dy.par_chunks_exact(out));
    rows.for_each(|(dx, dy)| {
        for (factor, w) in dy.iter().zip(weight.chunks_exact(width)) {
            add_scaled(dx, *factor, w);
        }
    });
    dx
}

/// `dy^T x`, added to `gradient`.
pub(crate) fn weight_gradient(dy: &[f32], x: &[f32], width: usize, gradient: &mut [f32]) {
    let out = gradient.len() / width;
    let rows = gradient.par_chunks_exact_mut(width).enumerate();
    rows.for_each(|(o, gradient)| {
        for (dy, x) in dy.chunks_exact(out).zip(x.chunks_exact(width)) {
            add_scaled(gradient, dy[o], x);
        }
    });
}

fn add_scaled(sum: &mut [f32], factor: f32, x: &[f32]) {
    for (sum, x) in sum.iter_mut().zip(x) {
        *sum += factor * x;
    }
}

/// In lanes, so that it vectorises; their number is fixed, so the bits are.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0f32; LANES];
    let ((xs, x), (ys, y)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (x, y) in xs.iter().zip(ys) {
        for l in 0..LANES {
            lanes[l] += x[l] * y[l];
        }
    }
    let rest: f32 = x.iter().zip(y).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}
