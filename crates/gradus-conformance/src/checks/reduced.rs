//! Products in bf16 are near the exact ones on random shapes, and have the same
//! bits on any number of threads.

use crate::support::values;
use gradus_kernels::{Activation, Backend, FeedForwardLayers, GateOrder, Linear, View};
use proptest::prelude::*;

/// Everything that products in bf16 go into, on one random shape.
fn results<B: Backend>(backend: &B, shape: [usize; 3], seed: u64) -> Vec<Vec<f32>> {
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
    let dx = backend.feed_forward_backward(&params, &layers, (&x, kept), &dy, None, &mut through);
    let opened = backend.gated(Activation::Gelu, GateOrder::GateFirst, &wide(backend, &pre));
    let dpost = backend.linear_backward(&params, &down, &post, &dy, None, &mut grads);
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
fn wide<B: Backend>(backend: &B, x: &B::Tensor) -> B::Tensor {
    let (rows, cols) = backend.shape(x);
    let values = backend.read(x);
    let twice: Vec<f32> = values
        .chunks(cols)
        .flat_map(|row| [row, row].concat())
        .collect();
    backend.tensor(rows, 2 * cols, &twice)
}

pub fn products_are_near_the_exact_ones<B: Backend, E: Backend>(
    make: &impl Fn(usize) -> B,
    exact: &E,
) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(40)
    });
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
            let exact = results(exact, shape, seed);
            let one = results(&make(1), shape, seed);
            let three = results(&make(3), shape, seed);
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
        .unwrap_or_else(|failure| panic!("{failure}"));
}
