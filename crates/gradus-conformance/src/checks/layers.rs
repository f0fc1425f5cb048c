//! Layers: forward against the reference, backward against its slope.

use crate::reference;
use crate::support::{Places, close, inner, slope, values, widen};
use gradus_kernels::{Activation, Backend, FeedForwardLayers, Linear, View};

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
        let dx = backend.linear_backward(&arena, &layer, &tx, &tdy, None, &mut grads);
        close(
            &backend.read(&dx),
            &slope(|x| inner(&y(&p, x), &dy), &widen(&x)),
            1e-5,
        );
        let expected = slope(|p| inner(&y(p, &widen(&x)), &dy), &p);
        close(&backend.read_arena(&grads, 0..p.len()), &expected, 1e-5);
        // Backward adds.
        backend.linear_backward(&arena, &layer, &tx, &tdy, None, &mut grads);
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
        let d = backend.linear_backward(&params, &layers.down, &post, &dy, None, &mut apart);
        let d = backend.activation_backward(activation, &pre, d);
        let d = backend.linear_backward(&params, &layers.up, &x, &d, None, &mut apart);
        let mut grads = backend.arena(vec![0.5; len]);
        let (_, kept) = backend.feed_forward_kept(&params, &layers, &x);
        let at_once =
            backend.feed_forward_backward(&params, &layers, (&x, kept), &dy, None, &mut grads);
        close(&backend.read(&at_once), &widen(&backend.read(&d)), 1e-6);
        let apart = widen(&backend.read_arena(&apart, 0..len));
        close(&backend.read_arena(&grads, 0..len), &apart, 1e-6);
    }
}

/// What is added in the product's own pass is what a sum afterwards gives.
pub fn backward_onto_a_residual<B: Backend>(backend: &B) {
    for (tokens, inner, width) in [(1, 1, 1), (7, 5, 3), (70, 33, 31), (40, 64, 96)] {
        let (layers, len) = feed_forward(inner, width, Activation::Gelu);
        let params = backend.arena(values(len, 6));
        let matrix = |cols, seed| backend.tensor(tokens, cols, &values(tokens * cols, seed));
        let (x, dy, residual) = (
            matrix(width, 7),
            matrix(width, 8),
            values(tokens * width, 9),
        );
        let onto = || backend.tensor(tokens, width, &residual);

        let mut grads = backend.arena(vec![0.0; len]);
        let (layer, wide) = (&layers.up, matrix(inner, 10));
        let alone = backend.linear_backward(&params, layer, &x, &wide, None, &mut grads);
        let expected = widen(&backend.read(&backend.add(onto(), &alone)));
        let at_once = backend.linear_backward(&params, layer, &x, &wide, Some(onto()), &mut grads);
        close(&backend.read(&at_once), &expected, 1e-6);

        let (_, saved) = backend.feed_forward_kept(&params, &layers, &x);
        let saved = (&x, saved);
        let alone = backend.feed_forward_backward(&params, &layers, saved, &dy, None, &mut grads);
        let expected = widen(&backend.read(&backend.add(onto(), &alone)));
        let (_, saved) = backend.feed_forward_kept(&params, &layers, &x);
        let (saved, onto) = ((&x, saved), Some(onto()));
        let at_once = backend.feed_forward_backward(&params, &layers, saved, &dy, onto, &mut grads);
        close(&backend.read(&at_once), &expected, 1e-6);
    }
}
