//! Norms of every kind, over rows and over heads, against the reference and its
//! slope.

use crate::reference;
use crate::support::{Places, batch, close, inner, mask, slope, values, widen};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{AttentionSpec, Backend, NormKind, NormSpec, QueryKeyNorms, RowDropout};

/// Every kind, with a shift and without.
fn kinds() -> impl Iterator<Item = (NormKind, bool)> {
    let kinds = [NormKind::LayerNorm, NormKind::Rms, NormKind::RmsOnePlus];
    kinds.into_iter().flat_map(|k| [(k, true), (k, false)])
}

fn norm(places: &mut Places, (kind, shift): (NormKind, bool), width: usize, eps: f32) -> NormSpec {
    NormSpec {
        kind,
        gamma: places.view(1, width),
        beta: shift.then(|| places.view(1, width)),
        eps,
    }
}

pub fn norms_with_dropout_and_residual<B: Backend>(backend: &B) {
    // The width of a row, and of what is normalised together.
    for (cols, width, residual, drop) in [
        (1, 1, false, false),
        (7, 7, true, false),
        (33, 33, true, true),
        (48, 48, false, true),
        (12, 4, true, true),
        (40, 20, false, false),
    ] {
        for kind in kinds() {
            one_norm(backend, kind, (cols, width), residual, drop);
        }
    }
}

fn one_norm<B: Backend>(
    backend: &B,
    kind: (NormKind, bool),
    (cols, width): (usize, usize),
    residual: bool,
    drop: bool,
) {
    let packed = batch(&[3, 1, 0, 20, 9], 5, 6);
    let (rows, moved) = (packed.tokens(), backend.batch(packed));
    let mut places = Places::default();
    places.view(1, 1);
    let norm = norm(&mut places, kind, width, 1e-3);
    let dropout = drop.then(|| Dropout::for_step(0.3, 1, 2).at(3, 0.3));
    let n = rows * cols;
    let mask = dropout.map_or(vec![1.0; n], |d| mask(backend, &moved, cols, d));
    let dropout = dropout.map(|dropout| RowDropout {
        batch: &moved,
        dropout,
    });
    let params = values(places.len(), 7);
    let (x, r, dy) = (values(n, 8), values(n, 9), values(n, 10));
    let y = |p: &[f64], x: &[f64], r: &[f64]| {
        let sum: Vec<f64> = (0..n)
            .map(|i| x[i] * f64::from(mask[i]) + if residual { r[i] } else { 0.0 })
            .collect();
        reference::norm_by(&norm, p, &sum)
    };
    let (p, wx, wr) = (widen(&params), widen(&x), widen(&r));

    let arena = backend.arena(params);
    let (tx, tr) = (
        backend.tensor(rows, cols, &x),
        backend.tensor(rows, cols, &r),
    );
    let own = residual.then_some(&tr);
    let output = backend.add_norm(&arena, &norm, tx, own, dropout);
    close(&backend.read(&output.out), &y(&p, &wx, &wr), 1e-5);
    let saved = output.saved;
    let runs = backend.shape(&saved.inverse_deviation);
    assert_eq!(runs, (rows, cols / width));
    let mut grads = backend.arena(vec![0.0; p.len()]);
    let tdy = backend.tensor(rows, cols, &dy);
    let (dr, dx) =
        backend.add_norm_backward(&arena, &norm, saved.as_ref(), &tdy, dropout, &mut grads);
    assert_eq!(dx.is_some(), drop);
    if residual {
        let of_residual = slope(|r| inner(&y(&p, &wx, r), &dy), &wr);
        close(&backend.read(&dr), &of_residual, 1e-4);
    }
    let of_x = slope(|x| inner(&y(&p, x, &wr), &dy), &wx);
    close(&backend.read(dx.as_ref().unwrap_or(&dr)), &of_x, 1e-4);
    let of_params = slope(|p| inner(&y(p, &wx, &wr), &dy), &p);
    close(&backend.read_arena(&grads, 0..p.len()), &of_params, 1e-4);

    // The one that leaves its input alone.
    let tx = backend.tensor(rows, cols, &x);
    let alone = backend.norm_of(&arena, &norm, &tx);
    assert_eq!(backend.read(&tx), x);
    let through = backend.add_norm(&arena, &norm, tx, None, None);
    assert!(backend.read(&alone.out) == backend.read(&through.out));
    let mut backward = |saved| {
        let back = backend.add_norm_backward(&arena, &norm, saved, &tdy, None, &mut grads);
        backend.read(&back.0)
    };
    assert!(backward(alone.saved.as_ref()) == backward(through.saved.as_ref()));
}

pub fn norms_of_queries_and_keys<B: Backend>(backend: &B) {
    let layer_norm = (NormKind::LayerNorm, true);
    // Over all heads, and over each.
    let cases = [
        (1, (1, 1, 1), false, layer_norm),
        (40, (1, 1, 7), false, layer_norm),
        (70, (3, 3, 11), false, layer_norm),
        (3, (4, 4, 12), false, layer_norm),
        (0, (1, 1, 5), false, layer_norm),
        (9, (3, 3, 4), true, (NormKind::Rms, false)),
        (21, (4, 2, 5), true, (NormKind::RmsOnePlus, false)),
        (21, (4, 1, 5), false, (NormKind::Rms, true)),
    ];
    for (rows, (q_heads, kv_heads, head_dim), by_head, kind) in cases {
        let spec = AttentionSpec {
            kv_heads,
            ..AttentionSpec::full(q_heads, head_dim)
        };
        let (queries, keys, cols) = (spec.q_width(), spec.kv_width(), spec.qkv_width());
        let mut places = Places::default();
        let mut over = |all: usize, eps| {
            let width = if by_head { head_dim } else { all };
            norm(&mut places, kind, width, eps)
        };
        let norms = QueryKeyNorms {
            queries: over(queries, 1e-3),
            keys: over(keys, 1e-2),
        };
        let params = values(places.len(), 60);
        let (x, dy) = (values(rows * cols, 61), values(rows * cols, 62));
        let y = |p: &[f64], x: &[f64]| {
            let mut y = x.to_vec();
            for row in y.chunks_mut(cols) {
                let (own, rest) = row.split_at_mut(queries);
                for (part, norm) in [(own, norms.queries), (&mut rest[..keys], norms.keys)] {
                    let out = reference::norm_by(&norm, p, part);
                    part.copy_from_slice(&out);
                }
            }
            y
        };
        let (p, wide) = (widen(&params), widen(&x));
        let arena = backend.arena(params);
        let tensor = |values: &[f32]| backend.tensor(rows, cols, values);
        let (out, saved) = backend.query_key_norm(&arena, &norms, &spec, tensor(&x));
        close(&backend.read(&out), &y(&p, &wide), 1e-5);
        let mut grads = backend.arena(vec![0.0; p.len()]);
        let tdy = tensor(&dy);
        let dx =
            backend.query_key_norm_backward(&arena, &norms, &spec, saved.as_ref(), tdy, &mut grads);
        let expected = slope(|x| inner(&y(&p, x), &dy), &wide);
        close(&backend.read(&dx), &expected, 1e-4);
        let expected = slope(|p| inner(&y(p, &wide), &dy), &p);
        close(&backend.read_arena(&grads, 0..p.len()), &expected, 1e-4);
    }
}
