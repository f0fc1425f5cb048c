//! What every backend must do: agree with a plain f64 reference, forward and
//! backward, on random shapes; and give the same bits in any company and on
//! any number of threads.

mod attention;
mod ends;
mod gated;
mod half;
mod invariance;
mod layers;
mod layouts;
mod optimizer;
mod positions;
mod reference;
mod sparse;
mod tied;
mod zero;

use gradus_kernels::cpu::{Cpu, Isa, Precision};
use gradus_kernels::dropout::{Dropout, mix64};
use gradus_kernels::{AdamWStep, Backend, LayerNorm, Linear, Packed, Sequence, View};

/// Values in `[-1, 1)`, the same for the same seed.
fn values(n: usize, seed: u64) -> Vec<f32> {
    (0..n as u64)
        .map(|i| (mix64(seed.wrapping_mul(0x9E37) ^ i) >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
        .collect()
}

fn widen(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&v| f64::from(v)).collect()
}

/// Sequences of the given lengths with ids below `vocabulary`.
fn batch(lengths: &[usize], vocabulary: u32, seed: u64) -> Packed {
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
struct Places(usize);

impl Places {
    fn view(&mut self, rows: usize, cols: usize) -> View {
        let view = View::new(self.0, rows, cols);
        self.0 += view.len();
        view
    }

    /// With a bias.
    fn linear(&mut self, out: usize, width: usize) -> Linear {
        Linear {
            weight: self.view(out, width),
            bias: Some(self.view(1, out)),
        }
    }

    fn norm(&mut self, width: usize, eps: f32) -> LayerNorm {
        LayerNorm {
            gamma: self.view(1, width),
            beta: self.view(1, width),
            eps,
        }
    }

    /// How many values were handed out.
    fn len(&self) -> usize {
        self.0
    }
}

/// PyTorch's constants, gradients halved.
fn adamw_step(step: u64) -> AdamWStep {
    AdamWStep {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        step,
        gradient_scale: 0.5,
    }
}

/// Asserts that `got` is within `tolerance` of `want`, relative to the larger
/// of 1 and the largest wanted value.
#[track_caller]
fn close(got: &[f32], want: &[f64], tolerance: f64) {
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
fn slope(f: impl Fn(&[f64]) -> f64, x: &[f64]) -> Vec<f64> {
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

fn inner(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, &b)| a * f64::from(b)).sum()
}

/// The mask that a dropout of `cols` columns applies to the batch's rows.
fn mask(backend: &impl Backend, batch: &Packed, cols: usize, dropout: Dropout) -> Vec<f32> {
    let ones = vec![1.0; batch.tokens() * cols];
    let ones = backend.tensor(batch.tokens(), cols, &ones);
    backend.read(&backend.dropout(batch, ones, dropout))
}

/// Runs the suite on a backend, made by a function of the number of threads;
/// `None` where this machine cannot have it, which is said.
macro_rules! conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;

            conformance!(@each $make; layers; linear, inference_gives_what_training_gives, activations, feed_forward_backward, layer_norm_with_dropout_and_residual, norms_of_queries_and_keys);
            conformance!(@each $make; attention; attention, attention_in_long_sequences, attention_backward_meets_the_dropout_of_forward);
            conformance!(@each $make; ends; embeddings, poolings_and_normalisation);
            conformance!(@each $make; optimizer; adamw_follows_its_formula_and_leaves_the_rest);
            conformance!(@each $make; gated; gates);
            conformance!(@each $make; positions; turns, distances, attention_with_a_bias);

            #[test]
            fn sparse_updates_are_the_dense_ones() {
                if let Some(backend) = $make(2) {
                    sparse::sparse_updates_are_the_dense_ones(&backend);
                }
            }

            #[test]
            fn a_tied_weight_sums_both_of_its_gradients() {
                if let Some(backend) = $make(2) {
                    tied::a_tied_weight_sums_both_of_its_gradients(&backend);
                }
            }

            #[test]
            fn rows_and_classes() {
                for threads in [1, 2, 3] {
                    if let Some(backend) = $make(threads) {
                        tied::rows_are_gathered_and_put_back(&backend);
                        tied::rows_are_replaced(&backend);
                        tied::cross_entropy(&backend);
                    }
                }
            }

            #[test]
            fn products_follow_the_optimizer() {
                if let Some(backend) = $make(2) {
                    layouts::products_follow_the_optimizer(&backend);
                }
            }

            #[test]
            fn zero_holds_for_every_reader() {
                if let Some(backend) = $make(2) {
                    zero::zero_holds_for_every_reader(&backend);
                }
            }

            #[test]
            fn bits_do_not_depend_on_company_or_threads() {
                if there($make(1)) {
                    invariance::bits_do_not_depend_on_company_or_threads(|t| $make(t).unwrap());
                }
            }
        }
    };
    (@each $make:expr; $module:ident; $($test:ident),*) => {
        $(
            #[test]
            fn $test() {
                for threads in [1, 2, 3] {
                    if let Some(backend) = $make(threads) {
                        $module::$test(&backend);
                    }
                }
            }
        )*
    };
}

fn there(backend: Option<Cpu>) -> bool {
    if backend.is_none() {
        eprintln!("this processor lacks the instructions: not tested");
    }
    backend.is_some()
}

fn f32_on(isa: Isa, threads: usize) -> Option<Cpu> {
    Cpu::with(threads, Precision::F32, isa).ok()
}

conformance!(cpu, |threads| Some(Cpu::new(threads)));
conformance!(portable, |threads| f32_on(Isa::Portable, threads));
conformance!(avx2, |threads| f32_on(Isa::Avx2, threads));
conformance!(avx512, |threads| f32_on(Isa::Avx512, threads));
conformance!(neon, |threads| f32_on(Isa::Neon, threads));
