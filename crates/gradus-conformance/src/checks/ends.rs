//! An encoder's ends, embeddings and pooling.

use crate::reference;
use crate::support::{batch, close, inner, slope, values, widen};
use gradus_kernels::{Backend, EmbeddingTables, Pooling, View};

pub fn embeddings<B: Backend>(backend: &B) {
    for width in [1, 31, 70] {
        let batch = batch(&[4, 0, 1, 50, 9], 7, 15);
        let moved = backend.batch(batch.clone());
        let tables = EmbeddingTables {
            words: View::new(3, 7, width),
            positions: Some(View::new(3 + 7 * width, 52, width)),
            segments: (width != 31).then(|| View::new(3 + 59 * width, 2, width)),
        };
        let params = values(3 + 61 * width, 16);
        let out = backend.read(&backend.embed(&backend.arena(params.clone()), &tables, &moved));
        let dy = values(batch.tokens() * width, 17);
        let mut grads = backend.arena(vec![0.0; params.len()]);
        backend.embed_backward(
            &tables,
            &moved,
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
    let moved = backend.batch(batch.clone());
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
        let out = backend.read(&backend.pool(modes, &moved, &tx));
        close(
            &out,
            &reference::pool(modes, &batch, &widen(&x), width),
            1e-6,
        );
        let dy = values(out.len(), 20);
        let tdy = backend.tensor(batch.sequences(), width * modes.len(), &dy);
        let dx = backend.read(&backend.pool_backward(modes, &moved, &tx, &tdy));
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
