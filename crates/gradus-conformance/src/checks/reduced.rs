//! Products in bf16, and attention by them, are near the exact ones on random shapes,
//! and have the same bits on any number of threads.

use crate::support::{batch, values};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{
    Activation, AttentionInput, AttentionMask, AttentionSpec, Backend, FeedForwardLayers,
    GateOrder, Linear, Packed, View,
};
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
            // The weights' gradient sums over the tokens.
            near(&one, &exact)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

/// Both factors of a product are off by up to 2^-9, and errors add up like a random walk.
fn near(got: &[Vec<f32>], exact: &[Vec<f32>]) -> Result<(), TestCaseError> {
    for (i, (got, want)) in got.iter().zip(exact).enumerate() {
        let size = want.iter().fold(1f32, |a, b| a.max(b.abs()));
        for (g, w) in got.iter().zip(want) {
            prop_assert!((g - w).abs() < 0.02 * size, "{i}: {g} {w} of {size}");
        }
    }
    Ok(())
}

/// Attention on some sequences, and back: the context, what queries, keys and values
/// get, and the bias.
fn attended<B: Backend>(
    backend: &B,
    (spec, packed): (&AttentionSpec, &Packed),
    (with_bias, dropout): (bool, Option<Dropout>),
    seed: u64,
) -> Vec<Vec<f32>> {
    let (rows, width, longest) = (packed.tokens(), spec.q_width(), packed.longest());
    let moved = backend.batch(packed.clone());
    let distances = (2 * longest).saturating_sub(1);
    let qkv: Vec<f32> = values(rows * spec.qkv_width(), seed);
    let qkv: Vec<f32> = qkv.iter().map(|x| 2.0 * x).collect();
    let qkv = backend.tensor(rows, spec.qkv_width(), &qkv);
    let bias = values(spec.q_heads * distances, seed ^ 1);
    let bias = backend.tensor(spec.q_heads, distances, &bias);
    let nothing = vec![0.0; spec.q_heads * distances];
    let mut dbias = backend.tensor(spec.q_heads, distances, &nothing);
    let input = AttentionInput {
        qkv: &qkv,
        batch: &moved,
        bias: with_bias.then_some(&bias),
        dropout,
    };
    let alone = backend.read(&backend.attention(spec, input));
    let (out, saved) = backend.attention_kept(spec, input);
    let dy = backend.tensor(rows, width, &values(rows * width, seed ^ 2));
    let kept = backend.read(&out);
    assert!(alone == kept, "training gives what inference gives");
    let dbias_of = with_bias.then_some(&mut dbias);
    let grad = backend.attention_backward(spec, input, (&out, saved), &dy, dbias_of);
    vec![alone, backend.read(&grad), backend.read(&dbias)]
}

pub fn attention_is_near_the_exact_one<B: Backend, E: Backend>(
    make: &impl Fn(usize) -> B,
    exact: &E,
) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(40)
    });
    let lengths = proptest::collection::vec(0usize..100, 1..5);
    let mask = prop_oneof![
        Just(AttentionMask::Full),
        Just(AttentionMask::Causal),
        (0usize..40, 0usize..40)
            .prop_map(|(before, after)| AttentionMask::Window { before, after }),
    ];
    let heads = (
        1usize..3,
        1usize..3,
        prop_oneof![1usize..70, Just(32), Just(64)],
    );
    let extras = (any::<bool>(), any::<bool>(), any::<u64>());
    runner
        .run(&(lengths, mask, heads, extras), |case| {
            let (lengths, mask, (kv_heads, group, head_dim), (with_bias, drops, seed)) = case;
            let spec = AttentionSpec {
                kv_heads,
                mask,
                ..AttentionSpec::full(kv_heads * group, head_dim)
            };
            let packed = batch(&lengths, 5, 6);
            let dropout = drops.then(|| Dropout::for_step(0.2, seed, 4).at(1, 0.2));
            let (of, extras) = ((&spec, &packed), (with_bias, dropout));
            let exact = attended(exact, of, extras, seed);
            let one = attended(&make(1), of, extras, seed);
            prop_assert_eq!(&one, &attended(&make(3), of, extras, seed));
            near(&one, &exact)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
