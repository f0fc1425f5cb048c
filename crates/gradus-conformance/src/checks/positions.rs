//! Rotary positions and biases by distance against their definitions.

use crate::reference;
use crate::support::{batch, close, inner, slope, values, widen};
use gradus_kernels::{
    AttentionInput, AttentionMask, AttentionSpec, Backend, DistanceBias, Packed, Rotary, View,
    alibi_slopes,
};

const LENGTHS: [usize; 5] = [3, 1, 0, 17, 9];

pub fn turns<B: Backend>(backend: &B) {
    let batch = batch(&[3, 1, 0, 40, 9], 5, 6);
    let (rows, moved) = (batch.tokens(), backend.batch(batch.clone()));
    for ((q_heads, kv_heads, size), base) in [
        ((1, 1, 2), 1000.0),
        ((3, 3, 6), 10_000.0),
        ((2, 2, 48), 1000.0),
        ((4, 2, 8), 160_000.0),
    ] {
        let rotary = Rotary { base };
        let spec = AttentionSpec {
            kv_heads,
            ..AttentionSpec::full(q_heads, size)
        };
        let cols = spec.qkv_width();
        let (x, dy) = (values(rows * cols, 70), values(rows * cols, 71));
        let y = |x: &[f64]| reference::rotary(x, &batch, &spec, f64::from(base));
        let out = backend.rotary(&rotary, &spec, &moved, backend.tensor(rows, cols, &x));
        close(&backend.read(&out), &y(&widen(&x)), 1e-6);
        // Turning is linear, so the slope along any direction is exact.
        let tdy = backend.tensor(rows, cols, &dy);
        let dx = backend.rotary_backward(&rotary, &spec, &moved, tdy);
        let dx = widen(&backend.read(&dx));
        for seed in 72..80 {
            let direction = values(rows * cols, seed);
            let along = inner(&y(&widen(&direction)), &dy);
            assert!((inner(&dx, &direction) - along).abs() < 1e-4, "{along}");
        }
        let back = backend.rotary_backward(&rotary, &spec, &moved, out);
        close(&backend.read(&back), &widen(&x), 1e-6);
    }
}

/// A learned table of `buckets` by `heads`, somewhere in an arena.
fn learned(buckets: usize, heads: usize) -> DistanceBias {
    DistanceBias::Learned {
        table: View::new(3, buckets, heads),
        max_distance: 12,
    }
}

pub fn distances<B: Backend>(backend: &B) {
    let batch = backend.batch(batch(&LENGTHS, 5, 6));
    let columns = 2 * 17 - 1;
    for heads in [1, 3, 8] {
        let params = values(3 + 8 * heads, 73);
        let arena = backend.arena(params.clone());
        let bias = backend.distance_bias(&arena, &DistanceBias::Alibi, &batch, heads);
        assert_eq!(backend.shape(&bias), (heads, columns));
        let slopes = alibi_slopes(heads);
        for (i, x) in backend.read(&bias).iter().enumerate() {
            let (head, far) = (i / columns, (i % columns).abs_diff(16));
            assert_eq!(*x, -slopes[head] * far as f32);
        }

        let kind = learned(8, heads);
        let bias = backend.distance_bias(&arena, &kind, &batch, heads);
        let place = |i: usize| {
            let far = (i % columns) as isize - 16;
            3 + DistanceBias::bucket(far, 8, 12) * heads + i / columns
        };
        let dy = values(heads * columns, 74);
        let mut expected = vec![1f64; params.len()];
        for (i, x) in backend.read(&bias).iter().enumerate() {
            assert_eq!(*x, params[place(i)]);
            expected[place(i)] += f64::from(dy[i]);
        }
        let mut grads = backend.arena(vec![1.0; params.len()]);
        let dy = backend.tensor(heads, columns, &dy);
        backend.distance_bias_backward(&kind, &batch, &dy, &mut grads);
        close(
            &backend.read_arena(&grads, 0..params.len()),
            &expected,
            1e-6,
        );
        // Slopes are not learned.
        backend.distance_bias_backward(&DistanceBias::Alibi, &batch, &dy, &mut grads);
        close(
            &backend.read_arena(&grads, 0..params.len()),
            &expected,
            1e-6,
        );
    }
    let empty = backend.batch(batch_of_nothing());
    let bias = backend.distance_bias(&backend.arena(vec![]), &DistanceBias::Alibi, &empty, 2);
    assert_eq!(backend.shape(&bias), (2, 0));
}

fn batch_of_nothing() -> Packed {
    batch(&[0, 0], 5, 6)
}

pub fn attention_with_a_bias<B: Backend>(backend: &B) {
    let packed = batch(&LENGTHS, 5, 6);
    let moved = backend.batch(packed.clone());
    let (rows, columns) = (packed.tokens(), 2 * 17 - 1);
    let causal = AttentionSpec {
        mask: AttentionMask::Causal,
        scale: 0.4,
        kv_heads: 1,
        ..AttentionSpec::full(2, 4)
    };
    let window = AttentionSpec {
        mask: AttentionMask::Window {
            before: 3,
            after: 5,
        },
        ..AttentionSpec::full(3, 2)
    };
    let full = [(1, 1), (3, 5), (2, 16)].map(|(heads, size)| AttentionSpec::full(heads, size));
    for spec in full.into_iter().chain([causal, window]) {
        let (heads, width, cols) = (spec.q_heads, spec.q_width(), spec.qkv_width());
        let qkv: Vec<f32> = values(rows * cols, 75).iter().map(|x| 2.0 * x).collect();
        let (bias, dy) = (values(heads * columns, 76), values(rows * width, 77));
        let y = |qkv: &[f64], bias: &[f64]| reference::attention(qkv, &spec, Some(bias), &packed);
        let (wide, wide_bias) = (widen(&qkv), widen(&bias));
        let tensor = backend.tensor(rows, cols, &qkv);
        let tbias = backend.tensor(heads, columns, &bias);
        let input = AttentionInput::<B> {
            qkv: &tensor,
            batch: &moved,
            bias: Some(&tbias),
            dropout: None,
        };
        let (out, saved) = backend.attention_kept(&spec, input);
        close(&backend.read(&out), &y(&wide, &wide_bias), 1e-5);

        let tdy = backend.tensor(rows, width, &dy);
        let start = values(heads * columns, 78);
        let mut dbias = backend.tensor(heads, columns, &start);
        let context = (&out, saved);
        let got = backend.attention_backward(&spec, input, context, &tdy, Some(&mut dbias));
        let of_qkv = slope(|x| inner(&y(x, &wide_bias), &dy), &wide);
        close(&backend.read(&got), &of_qkv, 2e-5);
        // Backward adds.
        let of_bias: Vec<f64> = slope(|b| inner(&y(&wide, b), &dy), &wide_bias)
            .iter()
            .zip(&start)
            .map(|(g, s)| g + f64::from(*s))
            .collect();
        close(&backend.read(&dbias), &of_bias, 2e-5);
        // Whether the bias's gradient is wanted makes no difference to the rest.
        let (out, saved) = backend.attention_kept(&spec, input);
        let again = backend.attention_backward(&spec, input, (&out, saved), &tdy, None);
        assert!(backend.read(&again) == backend.read(&got));
    }
}
