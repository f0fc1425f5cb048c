//! Gradients against central differences.

use gradus::models::{CrossEncoder, SentenceEncoder};
use gradus::nn::Layout;
use gradus_kernels::Backend;
use gradus_kernels::cpu::{Arena, Cpu};
use gradus_kernels::dropout::mix64;

/// A value in `[-1, 1)`, the same for the same number.
pub fn unit(i: u64) -> f32 {
    (mix64(i) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// Compares `gradient` at `values` with central differences of `loss` along a
/// direction drawn from `seed`; returns its norm.
pub fn follows_the_slope(
    mut loss: impl FnMut(&[f32]) -> f64,
    values: &[f32],
    gradient: &[f32],
    (name, seed): (&str, u64),
) -> f64 {
    let norm = |values: &[f32]| {
        let squares = values.iter().map(|&v| f64::from(v).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let direction: Vec<f32> = (0..values.len() as u64)
        .map(|i| unit(mix64(seed) ^ i))
        .collect();
    let length = norm(&direction);
    let step = (4e-3 * (1.0 + length).sqrt() / length.max(1.0)) as f32;
    let mut moved = |sign: f32| {
        let pairs = values.iter().zip(&direction);
        let moved: Vec<f32> = pairs.map(|(v, d)| v + sign * step * d).collect();
        loss(&moved)
    };
    let slope = (moved(1.0) - moved(-1.0)) / f64::from(2.0 * step);
    let along = gradient.iter().zip(&direction);
    let exact: f64 = along.map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
    let norm = norm(gradient);
    assert!(
        (slope - exact).abs() <= 0.03 * norm + 1e-3,
        "{name}: slope {slope}, gradient {exact}, norm {norm}"
    );
    norm
}

/// A model whose parameters can be moved.
pub trait Movable {
    fn layout(&self) -> &Layout;
    fn gradient_arena(&self) -> Arena;
    fn params(&self) -> &Arena;
    fn params_mut(&mut self) -> (&Cpu, &mut Arena);
}

macro_rules! movable {
    ($model:ident) => {
        impl Movable for $model<Cpu> {
            fn layout(&self) -> &Layout {
                $model::layout(self)
            }
            fn gradient_arena(&self) -> Arena {
                $model::gradient_arena(self)
            }
            fn params(&self) -> &Arena {
                $model::params(self)
            }
            fn params_mut(&mut self) -> (&Cpu, &mut Arena) {
                $model::params_mut(self)
            }
        }
    };
}
movable!(SentenceEncoder);
movable!(CrossEncoder);

/// The same for every parameter of a model, given a scalar of what it does with
/// its gradient where it is asked for; returns those without any gradient.
pub fn every_parameter_follows_the_slope<M: Movable>(
    mut model: M,
    name: &str,
    scalar: impl Fn(&M, Option<&mut Arena>) -> f64,
) -> Vec<String> {
    let mut grads = model.gradient_arena();
    scalar(&model, Some(&mut grads));
    let grads = grads.values();
    let mut without = vec![];
    for (named, seed) in model.layout().named().to_vec().into_iter().zip(0..) {
        let range = named.view.range();
        let values = model.params().values()[range.clone()].to_vec();
        let loss = |moved: &[f32]| {
            let (backend, params) = model.params_mut();
            backend.write_arena(params, range.start, moved);
            scalar(&model, None)
        };
        let label = format!("{name}: {}", named.name);
        let norm = follows_the_slope(loss, &values, &grads[range.clone()], (&label, seed));
        if norm == 0.0 {
            without.push(named.name);
        }
        let (backend, params) = model.params_mut();
        backend.write_arena(params, range.start, &values);
    }
    without
}
