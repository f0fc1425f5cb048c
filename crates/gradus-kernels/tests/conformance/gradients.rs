//! Forward against the reference, backward against the reference's slope.

use super::*;
use gradus_kernels::{
    Activation, AdamWSegment, AdamWStep, EmbeddingTables, FeedForwardLayers, LayerNorm, Linear,
    Pooling, View,
};

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
        let linear = |at: usize, out: usize, width: usize| Linear {
            weight: View::new(at, out, width),
            bias: Some(View::new(at + out * width, 1, out)),
        };
        let up = linear(0, inner, width);
        let down = linear(inner * (width + 1), width, inner);
        let params = backend.arena(values(2 * inner * width + inner + width, 50));
        let x = backend.tensor(tokens, width, &values(tokens * width, 51));
        let layers = FeedForwardLayers {
            up,
            activation: Activation::Gelu,
            down,
        };
        let (_, post) = backend.linear_activated(&params, &up, Activation::Gelu, &x);
        let alone = backend.activated(&params, &up, Activation::Gelu, &x);
        assert!(backend.read(&alone) == backend.read(&post));
        let down_y = backend.linear(&params, &down, &post);
        let both = backend.feed_forward(&params, &layers, &x);
        assert!(backend.read(&both) == backend.read(&down_y));
        let (kept, _) = backend.feed_forward_kept(&params, &layers, &x);
        assert!(backend.read(&kept) == backend.read(&down_y));
    }
}

pub fn activations<B: Backend>(backend: &B) {
    let identity = [1.0f32];
    for activation in [
        Activation::Identity,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Silu,
        Activation::Tanh,
    ] {
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
    for activation in [
        Activation::Identity,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Silu,
        Activation::Tanh,
    ] {
        let (tokens, inner, width) = (43, 64, 9);
        let linear = |at: usize, out: usize, width: usize| Linear {
            weight: View::new(at, out, width),
            bias: Some(View::new(at + out * width, 1, out)),
        };
        let layers = FeedForwardLayers {
            up: linear(0, inner, width),
            activation,
            down: linear(inner * (width + 1), width, inner),
        };
        let len = 2 * inner * width + inner + width;
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
        let (dr, dx) = backend
            .add_layer_norm_backward(&arena, &norm, &batch, &saved, &tdy, dropout, &mut grads);
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

pub fn attention<B: Backend>(backend: &B) {
    let batch = batch(&[3, 1, 0, 17, 9], 5, 6);
    for (heads, size) in [(1, 1), (3, 5), (2, 16), (12, 26)] {
        let width = heads * size;
        let qkv: Vec<f32> = values(batch.tokens() * 3 * width, 11)
            .iter()
            .map(|x| 2.0 * x)
            .collect();
        let dy = values(batch.tokens() * width, 12);
        let tensor = backend.tensor(batch.tokens(), 3 * width, &qkv);
        let out = backend.attention(&tensor, &batch, heads, None, None);
        close(
            &backend.read(&out),
            &reference::attention(&widen(&qkv), &batch, heads, width),
            1e-5,
        );
        if width > 40 {
            continue; // the slope below costs the square of the size
        }
        let tdy = backend.tensor(batch.tokens(), width, &dy);
        let got = backend.attention_backward(&tensor, &batch, heads, None, None, &tdy, None);
        let f = |x: &[f64]| inner(&reference::attention(x, &batch, heads, width), &dy);
        close(&backend.read(&got), &slope(f, &widen(&qkv)), 2e-5);
    }
}

pub fn attention_in_long_sequences<B: Backend>(backend: &B) {
    let batch = batch(&[5, 700, 1100], 5, 6);
    let (heads, width) = (2, 6);
    let qkv = values(batch.tokens() * 3 * width, 15);
    let tensor = backend.tensor(batch.tokens(), 3 * width, &qkv);
    let out = backend.attention(&tensor, &batch, heads, None, None);
    let expected = reference::attention(&widen(&qkv), &batch, heads, width);
    close(&backend.read(&out), &expected, 1e-5);
}

pub fn attention_backward_meets_the_dropout_of_forward<B: Backend>(backend: &B) {
    let batch = batch(&[5, 2, 11], 5, 6);
    let dropout = Some(Dropout::for_step(0.4, 1, 2).at(9, 0.4));
    let (heads, width) = (2, 8);
    let rows = batch.tokens();
    let qkv = values(rows * 3 * width, 13);
    let dy = values(rows * width, 14);
    let f = |x: &[f32]| {
        let x = backend.tensor(rows, 3 * width, x);
        let out = backend.attention(&x, &batch, heads, None, dropout);
        inner(&widen(&backend.read(&out)), &dy)
    };
    let got = backend.attention_backward(
        &backend.tensor(rows, 3 * width, &qkv),
        &batch,
        heads,
        None,
        dropout,
        &backend.tensor(rows, width, &dy),
        None,
    );
    let got = backend.read(&got);
    let plain = backend.tensor(rows, 3 * width, &qkv);
    let plain = backend.attention(&plain, &batch, heads, None, None);
    assert!(
        (f(&qkv) - inner(&widen(&backend.read(&plain)), &dy)).abs() > 1e-2,
        "dropout acts"
    );
    let mut x = qkv.clone();
    for i in (0..x.len()).step_by(7) {
        let h = 1e-2;
        x[i] = qkv[i] + h;
        let up = f(&x);
        x[i] = qkv[i] - h;
        let down = f(&x);
        x[i] = qkv[i];
        let slope = (up - down) / f64::from(2.0 * h);
        assert!(
            (slope - f64::from(got[i])).abs() < 1e-3,
            "{i}: {slope} {}",
            got[i]
        );
    }
}

pub fn embeddings<B: Backend>(backend: &B) {
    for width in [1, 31, 70] {
        let batch = batch(&[4, 0, 1, 50, 9], 7, 15);
        let tables = EmbeddingTables {
            words: View::new(3, 7, width),
            positions: Some(View::new(3 + 7 * width, 52, width)),
            segments: (width != 31).then(|| View::new(3 + 59 * width, 2, width)),
        };
        let params = values(3 + 61 * width, 16);
        let out = backend.read(&backend.embed(&backend.arena(params.clone()), &tables, &batch));
        let dy = values(batch.tokens() * width, 17);
        let mut grads = backend.arena(vec![0.0; params.len()]);
        backend.embed_backward(
            &tables,
            &batch,
            &backend.tensor(batch.tokens(), width, &dy),
            &mut grads,
        );
        let mut expected = vec![0f64; params.len()];
        for row in 0..batch.tokens() {
            for c in 0..width {
                let mut at = vec![
                    3 + batch.ids()[row] as usize * width + c,
                    3 + (7 + batch.positions()[row] as usize) * width + c,
                ];
                if tables.segments.is_some() {
                    at.push(3 + (59 + batch.segments()[row] as usize) * width + c);
                }
                let sum: f32 = at.iter().map(|&i| params[i]).sum();
                assert!((out[row * width + c] - sum).abs() < 1e-6);
                for i in at {
                    expected[i] += f64::from(dy[row * width + c]);
                }
            }
        }
        close(
            &backend.read_arena(&grads, 0..params.len()),
            &expected,
            1e-5,
        );
    }
}

pub fn poolings_and_normalisation<B: Backend>(backend: &B) {
    let mut batch = batch(&[4, 0, 1, 50, 9], 7, 18);
    batch.mark(0, 2);
    batch.mark(3, 49);
    let modes = [
        Pooling::Marked,
        Pooling::Cls,
        Pooling::Mean,
        Pooling::Max,
        Pooling::MeanSqrtLen,
        Pooling::WeightedMean,
        Pooling::LastToken,
    ];
    let width = 5;
    let x = values(batch.tokens() * width, 19);
    let tx = backend.tensor(batch.tokens(), width, &x);
    for modes in [&modes[..], &modes[..1], &modes[2..3], &modes[3..5]] {
        let out = backend.read(&backend.pool(modes, &batch, &tx));
        close(
            &out,
            &reference::pool(modes, &batch, &widen(&x), width),
            1e-6,
        );
        let dy = values(out.len(), 20);
        let tdy = backend.tensor(batch.sequences(), width * modes.len(), &dy);
        let dx = backend.read(&backend.pool_backward(modes, &batch, &tx, &tdy));
        let f = |x: &[f64]| inner(&reference::pool(modes, &batch, x, width), &dy);
        close(&dx, &slope(f, &widen(&x)), 1e-5);
    }
    let dy = values(x.len(), 21);
    close(
        &backend.read(&backend.normalize(&tx)),
        &reference::normalize(&widen(&x), width),
        1e-6,
    );
    let dx = backend.normalize_backward(&tx, &backend.tensor(batch.tokens(), width, &dy));
    let f = |x: &[f64]| inner(&reference::normalize(x, width), &dy);
    close(&backend.read(&dx), &slope(f, &widen(&x)), 1e-5);
    let zero = backend.tensor(2, 3, &[0.0; 6]);
    assert_eq!(backend.read(&backend.normalize(&zero)), [0.0; 6]);
    let through_zero = backend.normalize_backward(&zero, &backend.tensor(2, 3, &[0.0; 6]));
    assert_eq!(backend.read(&through_zero), [0.0; 6]);
}

pub fn adamw_follows_its_formula_and_leaves_the_rest<B: Backend>(backend: &B) {
    let n = 70_001;
    let (mut p, g) = (values(n, 22), values(n, 23));
    let (mut m, mut v) = (vec![0f64; n], vec![0f64; n]);
    let mut exact = widen(&p);
    let segments = [
        AdamWSegment {
            range: 1..40_000,
            learning_rate: 1e-2,
            weight_decay: 0.1,
        },
        AdamWSegment {
            range: 40_003..n,
            learning_rate: 3e-3,
            weight_decay: 0.0,
        },
    ];
    let before = p.clone();
    let mut arenas = (
        backend.arena(std::mem::take(&mut p)),
        backend.arena(vec![0.0; n]),
        backend.arena(vec![0.0; n]),
    );
    let grads = backend.arena(g.clone());
    for step in 1..=5 {
        let settings = AdamWStep {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            step,
            gradient_scale: 0.5,
        };
        backend.adamw(
            &mut arenas.0,
            &grads,
            &mut arenas.1,
            &mut arenas.2,
            &segments,
            &settings,
        );
        for s in &segments {
            let (lr, wd) = (f64::from(s.learning_rate), f64::from(s.weight_decay));
            for i in s.range.clone() {
                let g = f64::from(g[i]) * 0.5;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let mhat = m[i] / (1.0 - 0.9f64.powi(step as i32));
                let vhat = v[i] / (1.0 - 0.999f64.powi(step as i32));
                exact[i] -= lr * wd * exact[i];
                exact[i] -= lr * mhat / (vhat.sqrt() + 1e-8);
            }
        }
    }
    let after = backend.read_arena(&arenas.0, 0..n);
    close(&after, &exact, 2e-6);
    assert_eq!(
        (after[0], &after[40_000..40_003]),
        (before[0], &before[40_000..40_003])
    );
    let ranges = [1..40_000, 40_003..n];
    let squares: f64 = ranges
        .iter()
        .flat_map(|r| &g[r.clone()])
        .map(|&g| f64::from(g).powi(2))
        .sum();
    let got = backend.sum_of_squares(&grads, &ranges);
    assert!((got / squares - 1.0).abs() < 1e-12);
}
