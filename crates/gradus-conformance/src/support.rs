//! What the checks share.

use gradus_kernels::dropout::{Dropout, mix64};
use gradus_kernels::{AdamWStep, Backend, Linear, NormSpec, Packed, RowDropout, Sequence, View};

/// Values in `[-1, 1)`, the same for the same seed.
pub(crate) fn values(n: usize, seed: u64) -> Vec<f32> {
    (0..n as u64)
        .map(|i| (mix64(seed.wrapping_mul(0x9E37) ^ i) >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
        .collect()
}

pub(crate) fn widen(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&v| f64::from(v)).collect()
}

/// Sequences of the given lengths with ids below `vocabulary`.
pub(crate) fn batch(lengths: &[usize], vocabulary: u32, seed: u64) -> Packed {
    let ids: Vec<Vec<u32>> = lengths
        .iter()
        .enumerate()
        .map(|(s, &n)| {
            (0..n)
                .map(|i| mix64(seed ^ ((s as u64) << 20) ^ i as u64) as u32 % vocabulary)
                .collect()
        })
        .collect();
    let segments: Vec<Vec<u32>> = ids
        .iter()
        .map(|x| x.iter().map(|i| i % 2).collect())
        .collect();
    Packed::new(
        ids.iter()
            .zip(&segments)
            .enumerate()
            .map(|(s, (ids, segments))| Sequence {
                ids,
                segments,
                stream: 100 + s as u64,
            }),
        2,
    )
}

/// Hands out the places of an arena, one behind the other.
#[derive(Default)]
pub(crate) struct Places(usize);

impl Places {
    pub(crate) fn view(&mut self, rows: usize, cols: usize) -> View {
        let view = View::new(self.0, rows, cols);
        self.0 += view.len();
        view
    }

    /// With a bias.
    pub(crate) fn linear(&mut self, out: usize, width: usize) -> Linear {
        Linear {
            weight: self.view(out, width),
            bias: Some(self.view(1, out)),
        }
    }

    pub(crate) fn norm(&mut self, width: usize, eps: f32) -> NormSpec {
        NormSpec::layer_norm(self.view(1, width), self.view(1, width), eps)
    }

    /// How many values were handed out.
    pub(crate) fn len(&self) -> usize {
        self.0
    }
}

/// PyTorch's constants.
pub(crate) fn adamw_step(step: u64) -> AdamWStep {
    AdamWStep {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        step,
    }
}

/// Asserts that `got` is within `tolerance` of `want`, relative to the larger
/// of 1 and the largest wanted value.
#[track_caller]
pub(crate) fn close(got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    let scale = want.iter().fold(1.0f64, |a, b| a.max(b.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(
            (f64::from(*g) - w).abs() <= tolerance * scale,
            "value {i}: got {g}, want {w}"
        );
    }
}

/// Central differences of `f` at `x`.
pub(crate) fn slope(f: impl Fn(&[f64]) -> f64, x: &[f64]) -> Vec<f64> {
    let mut x = x.to_vec();
    (0..x.len())
        .map(|i| {
            let (at, h) = (x[i], 1e-5);
            x[i] = at + h;
            let up = f(&x);
            x[i] = at - h;
            let down = f(&x);
            x[i] = at;
            (up - down) / (2.0 * h)
        })
        .collect()
}

pub(crate) fn inner(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, &b)| a * f64::from(b)).sum()
}

/// The mask that a dropout of `cols` columns applies to the batch's rows.
pub(crate) fn mask<B: Backend>(
    backend: &B,
    batch: &B::Batch,
    cols: usize,
    dropout: Dropout,
) -> Vec<f32> {
    let rows = backend.packed(batch).tokens();
    let ones = backend.tensor(rows, cols, &vec![1.0; rows * cols]);
    backend.read(&backend.dropout(ones, RowDropout { batch, dropout }))
}

/// A step that nothing clips.
pub(crate) fn unclipped<B: Backend>(norm: &B::GradientNorm) -> gradus_kernels::Clip<'_, B> {
    gradus_kernels::Clip { norm, most: None }
}
