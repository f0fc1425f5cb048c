//! `norm(V relu(norm(W x) g + h))`; parameters `W` `[2 dim, dim]`, `g`, `h`, then
//! `V` `[dim, 2 dim]`.

use super::batch_norm::Normalised;
use super::dense;

/// What the backward pass needs.
pub(crate) struct Passed {
    first: Normalised,
    hidden: Vec<f32>,
    second: Normalised,
}

impl Passed {
    /// The projected rows.
    pub fn out(&self) -> &[f32] {
        &self.second.values
    }

    /// They alone.
    pub fn into_out(self) -> Vec<f32> {
        self.second.values
    }
}

/// Which parameters are decayed, as runs.
pub(crate) fn parameters(dim: usize) -> [(bool, usize); 3] {
    [
        (true, 2 * dim * dim),
        (false, 4 * dim),
        (true, 2 * dim * dim),
    ]
}

pub(crate) fn forward(parameters: &[f32], x: &[f32], dim: usize) -> Passed {
    let wide = 2 * dim;
    let (up, rest) = parameters.split_at(wide * dim);
    let (scales, rest) = rest.split_at(wide);
    let (shifts, down) = rest.split_at(wide);
    let first = Normalised::of(&dense::forward(x, up, dim), wide);
    let mut hidden = first.values.clone();
    for row in hidden.chunks_exact_mut(wide) {
        for ((y, scale), shift) in row.iter_mut().zip(scales).zip(shifts) {
            *y = (*y * scale + shift).max(0.0);
        }
    }
    let second = Normalised::of(&dense::forward(&hidden, down, wide), dim);
    Passed {
        first,
        hidden,
        second,
    }
}

/// The gradient of `x`, `[rows, dim]`; adds to that of the parameters.
pub(crate) fn backward(
    parameters: &[f32],
    (x, passed): (&[f32], &Passed),
    dy: Vec<f32>,
    dim: usize,
    gradient: &mut [f32],
) -> Vec<f32> {
    let wide = 2 * dim;
    let (up, rest) = parameters.split_at(wide * dim);
    let (scales, down) = (&rest[..wide], &rest[2 * wide..]);
    let (by_up, rest) = gradient.split_at_mut(wide * dim);
    let (by_scales, rest) = rest.split_at_mut(wide);
    let (by_shifts, by_down) = rest.split_at_mut(wide);
    let dy = passed.second.backward(dy);
    dense::weight_gradient(&dy, &passed.hidden, wide, by_down);
    let mut dh = dense::input_gradient(&dy, down, wide);
    let saved = passed.hidden.chunks_exact(wide);
    let saved = saved.zip(passed.first.values.chunks_exact(wide));
    for (dh, (hidden, normed)) in dh.chunks_exact_mut(wide).zip(saved) {
        for c in 0..wide {
            if hidden[c] <= 0.0 {
                dh[c] = 0.0;
            }
            by_scales[c] += dh[c] * normed[c];
            by_shifts[c] += dh[c];
            dh[c] *= scales[c];
        }
    }
    let dh = passed.first.backward(dh);
    dense::weight_gradient(&dh, x, dim, by_up);
    dense::input_gradient(&dh, up, dim)
}
