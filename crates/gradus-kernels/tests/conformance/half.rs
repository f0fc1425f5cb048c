//! Products in bf16: near the reference in f32 on random shapes, and the same
//! bits in any company and on any number of threads.

use super::*;
use gradus_kernels::{Activation, FeedForwardLayers, GateOrder, Linear, View};
use proptest::prelude::*;

fn half_on(isa: Isa, threads: usize) -> Option<Cpu> {
    Cpu::with(threads, Precision::Bf16, isa).ok()
}

/// Everything that products in bf16 go into, on one random shape.
fn results(backend: &Cpu, shape: [usize; 3], seed: u64) -> Vec<Vec<f32>> {
    let [tokens, inner, width] = shape;
    let mut at = 0;
    let mut linear = |out, width| {
        let weight = View::new(at, out, width);
        let bias = View::new(at + weight.len(), 1, out);
        at += weight.len() + out;
        Linear {
            weight,
            bias: Some(bias),
        }
    };
    let (up, down) = (linear(inner, width), linear(width, inner));
    // The size of weights keeps sums near 1.
    let scale = 1.0 / (inner.max(width) as f32).sqrt();
    let params = values(at, seed).into_iter().map(|x| x * scale).collect();
    let params = backend.arena(params);
    let mut grads = backend.arena(vec![0.5; at]);
    let x = backend.tensor(tokens, width, &values(tokens * width, seed ^ 1));
    let dy = backend.tensor(tokens, width, &values(tokens * width, seed ^ 2));
    let (pre, post) = backend.linear_activated(&params, &up, Activation::Gelu, &x);
    let alone = backend.activated(&params, &up, Activation::Gelu, &x);
    let down_y = backend.linear(&params, &down, &post);
    let layers = FeedForwardLayers {
        up,
        activation: Activation::Gelu,
        down,
    };
    let both = backend.feed_forward(&params, &layers, &x);
    let mut through = backend.arena(vec![0.5; at]);
    let (kept_y, kept) = backend.feed_forward_kept(&params, &layers, &x);
    let dx = backend.feed_forward_backward(&params, &layers, (&x, kept), &dy, &mut through);
    let opened = backend.gated(Activation::Gelu, GateOrder::GateFirst, &wide(backend, &pre));
    let dpost = backend.linear_backward(&params, &down, &post, &dy, &mut grads);
    vec![
        backend.read(&pre),
        backend.read(&post),
        backend.read(&alone),
        backend.read(&down_y),
        backend.read(&both),
        backend.read(&dpost),
        backend.read(&opened),
        backend.read_arena(&grads, 0..at),
        backend.read(&kept_y),
        backend.read(&dx),
        backend.read_arena(&through, 0..at),
    ]
}

/// `x` beside itself.
fn wide(backend: &Cpu, x: &gradus_kernels::cpu::Tensor) -> gradus_kernels::cpu::Tensor {
    let (rows, cols) = backend.shape(x);
    let values = backend.read(x);
    let twice: Vec<f32> = values
        .chunks(cols)
        .flat_map(|row| [row, row].concat())
        .collect();
    backend.tensor(rows, 2 * cols, &twice)
}

fn near_f32(isa: Isa) {
    if !there(half_on(isa, 1)) {
        return;
    }
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(40));
    let shapes = (1usize..200, 1usize..130, 1usize..130, any::<u64>());
    runner
        .run(&shapes, |(tokens, inner, width, seed)| {
            // Half of the shapes are whole tiles, which take the chained road.
            let whole = |n: usize| {
                if seed & 1 == 0 {
                    n.next_multiple_of(32)
                } else {
                    n
                }
            };
            let shape = [tokens, whole(inner), whole(width)];
            let exact = results(&Cpu::new(1), shape, seed);
            let one = results(&half_on(isa, 1).unwrap(), shape, seed);
            let three = results(&half_on(isa, 3).unwrap(), shape, seed);
            prop_assert_eq!(&one, &three);
            for (i, (got, want)) in one.iter().zip(&exact).enumerate() {
                // Both factors are off by up to 2^-9 and errors add up like a
                // random walk; the weights' gradient sums over the tokens.
                let size = want.iter().fold(1f32, |a, b| a.max(b.abs()));
                for (g, w) in got.iter().zip(want) {
                    prop_assert!((g - w).abs() < 0.02 * size, "{i}: {g} {w} of {size}");
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn amx_is_near_f32() {
    near_f32(Isa::Amx);
}

#[test]
fn avx512_bf16_is_near_f32() {
    near_f32(Isa::Avx512Bf16);
}

#[test]
fn amx_gives_the_same_bits_in_any_company() {
    if there(half_on(Isa::Amx, 1)) {
        invariance::bits_do_not_depend_on_company_or_threads(|t| half_on(Isa::Amx, t).unwrap());
    }
}

#[test]
fn avx512_bf16_gives_the_same_bits_in_any_company() {
    if there(half_on(Isa::Avx512Bf16, 1)) {
        invariance::bits_do_not_depend_on_company_or_threads(|t| {
            half_on(Isa::Avx512Bf16, t).unwrap()
        });
    }
}

#[test]
fn layouts_follow_the_optimizer_and_zero_holds() {
    for isa in [Isa::Avx512Bf16, Isa::Amx] {
        for threads in [1, 2] {
            if let Some(backend) = half_on(isa, threads) {
                layouts::products_follow_the_optimizer(&backend);
                zero::zero_holds_for_every_reader(&backend);
            }
        }
    }
}
