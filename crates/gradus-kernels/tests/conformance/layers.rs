//! Layers: forward against the reference, backward against its slope.

use super::*;
use gradus_kernels::{Activation, FeedForwardLayers, LayerNorm, Linear, QueryKeyNorms, View};

/// All activations there are.
const ACTIVATIONS: [Activation; 6] = [
    Activation::Identity,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Relu,
    Activation::Silu,
    Activation::Tanh,
];

/// Two layers in turn, and how many parameters they have.
fn feed_forward(inner: usize, width: usize, activation: Activation) -> (FeedForwardLayers, usize) {
    let mut places = Places::default();
    let layers = FeedForwardLayers {
        up: places.linear(inner, width),
        activation,
        down: places.linear(width, inner),
    };
    (layers, places.len())
}

pub fn linear<B: Backend>(backend: &B) {
    for (tokens, out, width, bias) in [
        (1, 1, 1, true),
        (7, 5, 3, false),
        (70, 13, 31, true),
        (5, 100, 17, true),
    ] {
        let layer = Linear {
            weight: View::new(2, out, width),
            bias: bias.then(|| View::new(2 + out * width, 1, out)),
        };
        let params = values(2 + out * width + out, 1);
        let (x, dy) = (values(tokens * width, 2), values(tokens * out, 3));
        let (p, w, b) = (widen(&params), layer.weight.range(), 2 + out * width);
        let y = |p: &[f64], x: &[f64]| {
            reference::linear(x, &p[w.clone()], bias.then(|| &p[b..]), out, width)
        };

        let arena = backend.arena(params);
        let (tx, tdy) = (
            backend.tensor(tokens, width, &x),
            backend.tensor(tokens, out, &dy),
        );
        close(
            &backend.read(&backend.linear(&arena, &layer, &tx)),
            &y(&p, &widen(&x)),
            1e-5,
        );
        let mut grads = backend.arena(vec![0.0; p.len()]);
        let dx = backend.linear_backward(&arena, &layer, &tx, &tdy, &mut grads);
        close(
            &backend.read(&dx),
            &slope(|x| inner(&y(&p, x), &dy), &widen(&x)),
            1e-5,
        );
        let expected = slope(|p| inner(&y(p, &widen(&x)), &dy), &p);
        close(&backend.read_arena(&grads, 0..p.len()), &expected, 1e-5);
        // Backward adds.
        backend.linear_backward(&arena, &layer, &tx, &tdy, &mut grads);
        let twice: Vec<f64> = expected.iter().map(|g| 2.0 * g).collect();
        close(&backend.read_arena(&grads, 0..p.len()), &twice, 1e-5);
    }
}

pub fn inference_gives_what_training_gives<B: Backend>(backend: &B) {
    for (tokens, inner, width) in [(1, 7, 5), (33, 64, 32), (140, 96, 40)] {
        let (layers, len) = feed_forward(inner, width, Activation::Gelu);
        let params = backend.arena(values(len, 50));
        let x = backend.tensor(tokens, width, &values(tokens * width, 51));
        let (_, post) = backend.linear_activated(&params, &layers.up, Activation::Gelu, &x);
        let alone = backend.activated(&params, &layers.up, Activation::Gelu, &x);
        assert!(backend.read(&alone) == backend.read(&post));
        let down_y = backend.linear(&params, &layers.down, &post);
        let both = backend.feed_forward(&params, &layers, &x);
        assert!(backend.read(&both) == backend.read(&down_y));
        let (kept, _) = backend.feed_forward_kept(&params, &layers, &x);
        assert!(backend.read(&kept) == backend.read(&down_y));
    }
}

pub fn activations<B: Backend>(backend: &B) {
    let identity = [1.0f32];
    for activation in ACTIVATIONS {
        let x: Vec<f32> = values(301, 4).iter().map(|x| 4.0 * x).collect();
        let dy = values(301, 5);
        let layer = Linear {
            weight: View::new(0, 1, 1),
            bias: None,
        };
        let tx = backend.tensor(301, 1, &x);
        let (pre, out) =
            backend.linear_activated(&backend.arena(identity.to_vec()), &layer, activation, &tx);
        assert_eq!(backend.read(&pre), x);
        let f = |x: &[f64]| -> Vec<f64> {
            x.iter()
                .map(|&x| reference::activate(activation, x))
                .collect()
        };
        close(&backend.read(&out), &f(&widen(&x)), 1e-6);
        let dx = backend.activation_backward(activation, &pre, backend.tensor(301, 1, &dy));
        close(
            &backend.read(&dx),
            &slope(|x| inner(&f(x), &dy), &widen(&x)),
            2e-6,
        );
    }
}

pub fn feed_forward_backward<B: Backend>(backend: &B) {
    for activation in ACTIVATIONS {
        let (tokens, inner, width) = (43, 64, 9);
        let (layers, len) = feed_forward(inner, width, activation);
        let params = backend.arena(values(len, 6));
        let x = backend.tensor(tokens, width, &values(tokens * width, 7));
        let dy = backend.tensor(tokens, width, &values(tokens * width, 8));
        let (pre, post) = backend.linear_activated(&params, &layers.up, activation, &x);
        let mut apart = backend.arena(vec![0.5; len]);
        let d = backend.linear_backward(&params, &layers.down, &post, &dy, &mut apart);
        let d = backend.activation_backward(activation, &pre, d);
        let d = backend.linear_backward(&params, &layers.up, &x, &d, &mut apart);
        let mut grads = backend.arena(vec![0.5; len]);
        let (_, kept) = backend.feed_forward_kept(&params, &layers, &x);
        let at_once = backend.feed_forward_backward(&params, &layers, (&x, kept), &dy, &mut grads);
        close(&backend.read(&at_once), &widen(&backend.read(&d)), 1e-6);
        let apart = widen(&backend.read_arena(&apart, 0..len));
        close(&backend.read_arena(&grads, 0..len), &apart, 1e-6);
    }
}

pub fn layer_norm_with_dropout_and_residual<B: Backend>(backend: &B) {
    let batch = batch(&[3, 1, 0, 40, 9], 5, 6);
    for (width, residual, drop) in [
        (1, false, false),
        (7, true, false),
        (33, true, true),
        (48, false, true),
    ] {
        let norm = LayerNorm {
            gamma: View::new(1, 1, width),
            beta: View::new(1 + width, 1, width),
            eps: 1e-3,
        };
        let dropout = drop.then(|| Dropout::for_step(0.3, 1, 2).at(3, 0.3));
        let n = batch.tokens() * width;
        let mask = dropout.map_or(vec![1.0; n], |d| mask(backend, &batch, width, d));
        let params = values(1 + 2 * width, 7);
        let (x, r, dy) = (values(n, 8), values(n, 9), values(n, 10));
        let y = |p: &[f64], x: &[f64], r: &[f64]| {
            let sum: Vec<f64> = (0..n)
                .map(|i| x[i] * f64::from(mask[i]) + if residual { r[i] } else { 0.0 })
                .collect();
            reference::layer_norm(&sum, &p[1..1 + width], &p[1 + width..], 1e-3f32.into())
        };
        let (p, wx, wr) = (widen(&params), widen(&x), widen(&r));

        let arena = backend.arena(params);
        let tr = backend.tensor(batch.tokens(), width, &r);
        let saved = backend.add_layer_norm(
            &arena,
            &norm,
            &batch,
            backend.tensor(batch.tokens(), width, &x),
            residual.then_some(&tr),
            dropout,
        );
        close(&backend.read(&saved.out), &y(&p, &wx, &wr), 1e-5);
        let mut grads = backend.arena(vec![0.0; p.len()]);
        let tdy = backend.tensor(batch.tokens(), width, &dy);
        let (dr, dx) = backend.add_layer_norm_backward(
            &arena,
            &norm,
            &batch,
            &saved.kept,
            &tdy,
            dropout,
            &mut grads,
        );
        assert_eq!(dx.is_some(), drop);
        if residual {
            close(
                &backend.read(&dr),
                &slope(|r| inner(&y(&p, &wx, r), &dy), &wr),
                1e-4,
            );
        }
        let dx = backend.read(dx.as_ref().unwrap_or(&dr));
        close(&dx, &slope(|x| inner(&y(&p, x, &wr), &dy), &wx), 1e-4);
        let expected = slope(|p| inner(&y(p, &wx, &wr), &dy), &p);
        close(&backend.read_arena(&grads, 0..p.len()), &expected, 1e-4);
    }
}

pub fn norms_of_queries_and_keys<B: Backend>(backend: &B) {
    for (rows, width) in [(1, 1), (40, 7), (70, 33), (3, 48), (0, 5)] {
        let mut places = Places::default();
        let norms = QueryKeyNorms {
            queries: places.norm(width, 1e-3),
            keys: places.norm(width, 1e-2),
        };
        let params = values(places.len(), 60);
        let (x, dy) = (values(rows * 3 * width, 61), values(rows * 3 * width, 62));
        let y = |p: &[f64], x: &[f64]| {
            let mut y = x.to_vec();
            for row in y.chunks_mut(3 * width) {
                for (part, norm) in [norms.queries, norms.keys].iter().enumerate() {
                    let part = &mut row[part * width..(part + 1) * width];
                    let (gamma, beta) = (&p[norm.gamma.range()], &p[norm.beta.range()]);
                    let out = reference::layer_norm(part, gamma, beta, norm.eps.into());
                    part.copy_from_slice(&out);
                }
            }
            y
        };
        let (p, wide) = (widen(&params), widen(&x));
        let arena = backend.arena(params);
        let tensor = |values: &[f32]| backend.tensor(rows, 3 * width, values);
        let (out, kept) = backend.query_key_norm(&arena, &norms, tensor(&x));
        close(&backend.read(&out), &y(&p, &wide), 1e-5);
        let mut grads = backend.arena(vec![0.0; p.len()]);
        let dx = backend.query_key_norm_backward(&arena, &norms, &kept, tensor(&dy), &mut grads);
        let expected = slope(|x| inner(&y(&p, x), &dy), &wide);
        close(&backend.read(&dx), &expected, 1e-4);
        let expected = slope(|p| inner(&y(p, &wide), &dy), &p);
        close(&backend.read_arena(&grads, 0..p.len()), &expected, 1e-4);
    }
}
