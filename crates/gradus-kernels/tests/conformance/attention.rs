//! Attention: forward against the reference, backward against its slope.

use super::*;

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
