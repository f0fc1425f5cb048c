//! What only inference calls: norms that save nothing, products in a precision of
//! inference's own.

use crate::support::{Places, values};
use gradus_kernels::{Activation, Backend, FeedForwardLayers, Linear, NormKind, NormSpec};
use proptest::prelude::*;

/// A layer without its attention, in the order of a post-norm block.
struct Layer {
    norm: NormSpec,
    linear: Linear,
    feed_forward: FeedForwardLayers,
    params: usize,
}

impl Layer {
    fn new(kind: NormKind, beta: bool, [inner, width]: [usize; 2]) -> Self {
        let mut places = Places::default();
        let norm = NormSpec {
            kind,
            gamma: places.view(1, width),
            beta: beta.then(|| places.view(1, width)),
            eps: 1e-5,
        };
        let linear = places.linear(width, width);
        let feed_forward = FeedForwardLayers {
            up: places.linear(inner, width),
            activation: Activation::Gelu,
            down: places.linear(width, inner),
        };
        Self {
            norm,
            linear,
            feed_forward,
            params: places.len(),
        }
    }

    fn params<B: Backend>(&self, backend: &B, width: usize) -> B::Arena {
        let scale = 1.0 / (width as f32).sqrt();
        backend.arena(values(self.params, 5).iter().map(|w| w * scale).collect())
    }

    /// The norm of `x` and a residual, and what both kinds of product make of it.
    fn run<B: Backend>(&self, backend: &B, params: &B::Arena, x: &B::Tensor) -> Vec<Vec<f32>> {
        let normed = backend.norm_inferred(params, &self.norm, backend.copy(x), Some(x));
        let y = backend.linear_inferred(params, &self.linear, &normed);
        let z = backend.feed_forward(params, &self.feed_forward, &normed);
        [normed, y, z].iter().map(|t| backend.read(t)).collect()
    }
}

fn shapes() -> impl Strategy<Value = (usize, [usize; 2], bool, usize, u64)> {
    // Some are whole tiles, and some have rows enough for both products in one go.
    let size = |n: usize, whole: bool| if whole { n.next_multiple_of(32) } else { n };
    let sizes = (1usize..200, 1usize..130, 1usize..130, any::<bool>());
    let shapes = sizes.prop_map(move |(rows, inner, width, whole)| {
        (rows, [size(inner, whole), size(width, whole)])
    });
    (shapes, any::<bool>(), 0usize..3, any::<u64>())
        .prop_map(|((rows, shape), beta, kind, seed)| (rows, shape, beta, kind, seed))
}

fn check(test: impl Fn((usize, [usize; 2], bool, usize, u64)) -> Result<(), TestCaseError>) {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(24)
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&shapes(), test);
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

const KINDS: [NormKind; 3] = [NormKind::LayerNorm, NormKind::Rms, NormKind::RmsOnePlus];

pub fn norms_are_those_of_training<B: Backend>(backend: &B) {
    check(|(rows, shape, beta, kind, seed)| {
        let layer = Layer::new(KINDS[kind], beta, shape);
        let width = shape[1];
        let params = layer.params(backend, width);
        let x = backend.tensor(rows, width, &values(rows * width, seed));
        let r = backend.tensor(rows, width, &values(rows * width, seed ^ 1));
        for residual in [None, Some(&r)] {
            let inferred = backend.norm_inferred(&params, &layer.norm, backend.copy(&x), residual);
            let trained = backend.add_norm(&params, &layer.norm, backend.copy(&x), residual, None);
            prop_assert_eq!(backend.read(&inferred), backend.read(&trained.out));
        }
        Ok(())
    });
}

/// Products take what a norm made as they take the same values from elsewhere, and as
/// they are after a change.
pub fn products_behind_norms_are_as_all_others<B: Backend>(backend: &B) {
    check(|(rows, shape, beta, kind, seed)| {
        let layer = Layer::new(KINDS[kind], beta, shape);
        let width = shape[1];
        let params = layer.params(backend, width);
        let x = backend.tensor(rows, width, &values(rows * width, seed));
        let normed = || backend.norm_inferred(&params, &layer.norm, backend.copy(&x), None);
        let changed = backend.add(normed(), &x);
        for tensor in [normed(), changed] {
            let fresh = backend.copy(&tensor);
            let products = |x: &B::Tensor| {
                [
                    backend.read(&backend.linear_inferred(&params, &layer.linear, x)),
                    backend.read(&backend.feed_forward(&params, &layer.feed_forward, x)),
                    backend.read(&backend.linear(&params, &layer.linear, x)),
                ]
            };
            prop_assert_eq!(products(&tensor), products(&fresh));
        }
        Ok(())
    });
}

/// Rows have the same bits alone and among others, and on any number of threads.
pub fn rows_do_not_depend_on_others<B: Backend>(make: &impl Fn(usize) -> B) {
    let (one, three) = (make(1), make(3));
    check(|(rows, shape, beta, kind, seed)| {
        let layer = Layer::new(KINDS[kind], beta, shape);
        let width = shape[1];
        let x = values(rows * width, seed);
        let run = |backend: &B, x: &[f32]| {
            let params = layer.params(backend, width);
            let x = backend.tensor(x.len() / width, width, x);
            layer.run(backend, &params, &x)
        };
        let all = run(&one, &x);
        prop_assert_eq!(&all, &run(&three, &x));
        let row = seed as usize % rows;
        let some = row..(row + 3).min(rows);
        let alone = run(&three, &x[some.start * width..some.end * width]);
        for (all, alone) in all.iter().zip(&alone) {
            prop_assert_eq!(&all[some.start * width..some.end * width], &alone[..]);
        }
        Ok(())
    });
}

/// In bytes values are off by up to half of a 255th of a row's range, and errors add up
/// like a random walk.
pub fn products_in_bytes_are_near_the_exact_ones<B: Backend, E: Backend>(backend: &B, exact: &E) {
    check(|(rows, shape, beta, kind, seed)| {
        let layer = Layer::new(KINDS[kind], beta, shape);
        let width = shape[1];
        let x = values(rows * width, seed);
        let got = layer.run(
            backend,
            &layer.params(backend, width),
            &backend.tensor(rows, width, &x),
        );
        let want = layer.run(
            exact,
            &layer.params(exact, width),
            &exact.tensor(rows, width, &x),
        );
        for (got, want) in got.iter().zip(&want) {
            let size = want.iter().fold(1f32, |a, b| a.max(b.abs()));
            for (g, w) in got.iter().zip(want) {
                prop_assert!((g - w).abs() < 0.05 * size, "{g} {w} of {size}");
            }
        }
        Ok(())
    });
}
