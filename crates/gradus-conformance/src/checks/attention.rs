//! Attention: forward against the reference, backward against its slope.

use crate::reference;
use crate::support::{batch, close, inner, slope, values, widen};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{AttentionInput, AttentionMask, AttentionSpec, Backend, Packed};

const LENGTHS: [usize; 5] = [3, 1, 0, 17, 9];

fn window(before: usize, after: usize) -> AttentionMask {
    AttentionMask::Window { before, after }
}

/// Heads of queries, heads of keys and values, values in a head; a mask; a scale
/// other than the usual one.
fn specs() -> Vec<AttentionSpec> {
    let cases = [
        ((1, 1, 1), AttentionMask::Full, None),
        ((3, 3, 5), AttentionMask::Full, None),
        ((2, 2, 16), AttentionMask::Full, Some(0.1)),
        ((3, 3, 5), AttentionMask::Causal, None),
        ((4, 2, 3), AttentionMask::Full, None),
        ((6, 1, 2), AttentionMask::Causal, Some(1.0)),
        ((2, 2, 4), window(0, 0), None),
        ((3, 3, 4), window(2, 4), None),
        ((4, 2, 3), window(5, 0), None),
        ((2, 1, 3), window(100, 1), Some(0.3)),
        ((12, 12, 26), AttentionMask::Full, None),
        ((6, 3, 40), window(6, 6), None),
    ];
    cases
        .into_iter()
        .map(|((q_heads, kv_heads, head_dim), mask, scale)| {
            let usual = AttentionSpec::full(q_heads, head_dim);
            AttentionSpec {
                kv_heads,
                mask,
                scale: scale.unwrap_or(usual.scale),
                ..usual
            }
        })
        .collect()
}

fn input<'a, B: Backend>(
    qkv: &'a B::Tensor,
    batch: &'a B::Batch,
    dropout: Option<Dropout>,
) -> AttentionInput<'a, B> {
    AttentionInput {
        qkv,
        batch,
        bias: None,
        dropout,
    }
}

/// Larger values make the softmax less even.
fn wide_values(n: usize, seed: u64) -> Vec<f32> {
    values(n, seed).iter().map(|x| 2.0 * x).collect()
}

pub fn attention<B: Backend>(backend: &B) {
    let packed = batch(&LENGTHS, 5, 6);
    let (rows, moved) = (packed.tokens(), backend.batch(packed.clone()));
    for spec in specs() {
        let width = spec.q_width();
        let qkv = wide_values(rows * spec.qkv_width(), 11);
        let dy = values(rows * width, 12);
        let tensor = backend.tensor(rows, spec.qkv_width(), &qkv);
        let input = input::<B>(&tensor, &moved, None);
        let (out, saved) = backend.attention_kept(&spec, input);
        let expected = reference::attention(&widen(&qkv), &spec, None, &packed);
        close(&backend.read(&out), &expected, 1e-5);
        let tdy = backend.tensor(rows, width, &dy);
        let got = backend.attention_backward(&spec, input, (&out, saved), &tdy, None);
        if width > 40 {
            continue; // the slope below costs the square of the size
        }
        let f = |x: &[f64]| inner(&reference::attention(x, &spec, None, &packed), &dy);
        close(&backend.read(&got), &slope(f, &widen(&qkv)), 2e-5);
    }
}

pub fn attention_in_long_sequences<B: Backend>(backend: &B) {
    let packed = batch(&[5, 700, 1100], 5, 6);
    let moved = backend.batch(packed.clone());
    let masks = [
        AttentionMask::Full,
        AttentionMask::Causal,
        window(70, 30),
        window(300, 0),
        window(0, 1000),
    ];
    for mask in masks {
        let spec = AttentionSpec {
            mask,
            kv_heads: 1,
            ..AttentionSpec::full(2, 3)
        };
        let qkv = values(packed.tokens() * spec.qkv_width(), 15);
        let tensor = backend.tensor(packed.tokens(), spec.qkv_width(), &qkv);
        let out = backend.attention(&spec, input::<B>(&tensor, &moved, None));
        let expected = reference::attention(&widen(&qkv), &spec, None, &packed);
        close(&backend.read(&out), &expected, 1e-5);
    }
}

pub fn attention_without_training_gives_the_same<B: Backend>(backend: &B) {
    let packed = batch(&[5, 0, 90, 260], 5, 6);
    let moved = backend.batch(packed.clone());
    let dropouts = [None, Some(Dropout::for_step(0.2, 3, 4).at(1, 0.2))];
    for (spec, dropout) in specs().into_iter().zip(dropouts.into_iter().cycle()) {
        let qkv = values(packed.tokens() * spec.qkv_width(), 15);
        let tensor = backend.tensor(packed.tokens(), spec.qkv_width(), &qkv);
        let input = input::<B>(&tensor, &moved, dropout);
        let alone = backend.read(&backend.attention(&spec, input));
        let (kept, _) = backend.attention_kept(&spec, input);
        assert!(backend.read(&kept) == alone, "{spec:?}");
    }
}

pub fn attention_backward_meets_the_dropout_of_forward<B: Backend>(backend: &B) {
    let packed = batch(&[5, 2, 11], 5, 6);
    let full = AttentionSpec::full(2, 4);
    let grouped = AttentionSpec {
        kv_heads: 1,
        mask: window(4, 2),
        ..full
    };
    for spec in [full, grouped] {
        dropout_of(backend, &packed, &spec);
    }
}

fn dropout_of<B: Backend>(backend: &B, packed: &Packed, spec: &AttentionSpec) {
    let (rows, moved) = (packed.tokens(), backend.batch(packed.clone()));
    let (width, cols) = (spec.q_width(), spec.qkv_width());
    let dropout = Some(Dropout::for_step(0.4, 1, 2).at(9, 0.4));
    let qkv = values(rows * cols, 13);
    let dy = values(rows * width, 14);
    let f = |x: &[f32], dropout| {
        let x = backend.tensor(rows, cols, x);
        let out = backend.attention(spec, input::<B>(&x, &moved, dropout));
        inner(&widen(&backend.read(&out)), &dy)
    };
    let tensor = backend.tensor(rows, cols, &qkv);
    let input = input::<B>(&tensor, &moved, dropout);
    let (out, saved) = backend.attention_kept(spec, input);
    let tdy = backend.tensor(rows, width, &dy);
    let got = backend.attention_backward(spec, input, (&out, saved), &tdy, None);
    let got = backend.read(&got);
    assert!(
        (f(&qkv, dropout) - f(&qkv, None)).abs() > 1e-2,
        "dropout acts"
    );
    let mut x = qkv.clone();
    for i in (0..x.len()).step_by(7) {
        let h = 1e-2;
        x[i] = qkv[i] + h;
        let up = f(&x, dropout);
        x[i] = qkv[i] - h;
        let down = f(&x, dropout);
        x[i] = qkv[i];
        let slope = (up - down) / f64::from(2.0 * h);
        assert!(
            (slope - f64::from(got[i])).abs() < 1e-3,
            "{i}: {slope} {}",
            got[i]
        );
    }
}
