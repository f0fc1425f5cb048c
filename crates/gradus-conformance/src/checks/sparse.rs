//! Gradients of few rows of an embedding table give what dense ones give.

use crate::support::{adamw_step, batch, unclipped, values};
use gradus_kernels::{AdamWArenas, AdamWSegment, Backend, EmbeddingTables, Packed, View};

pub fn sparse_updates_are_the_dense_ones<B: Backend>(backend: &B) {
    // The first covers part of a row of the table, the last part of one too.
    sparse_updates(backend, &[0..60, 60..7_000, 7_001..7_345], 6);
    // One covers the table; so many steps that nothing can be put off for all of them.
    sparse_updates(backend, &[0..30, 31..7_300, 7_300..7_348], 150);
}

fn sparse_updates<B: Backend>(backend: &B, ranges: &[std::ops::Range<usize>; 3], steps: u64) {
    let (words, width) = (300, 24);
    let tables = EmbeddingTables {
        words: View::new(48, words, width),
        positions: Some(View::new(0, 2, width)),
        segments: None,
    };
    let len = 48 + words * width + 100;
    let segments = |step: u64| {
        let decays = [0.1, 0.07, 0.01].into_iter();
        let segment = |(range, weight_decay): (&std::ops::Range<usize>, f32)| AdamWSegment {
            range: range.clone(),
            learning_rate: 0.01 / step as f32,
            weight_decay,
        };
        let all = ranges.iter().zip(decays).map(segment);
        all.collect::<Vec<_>>()
    };
    let run = |mut grads: B::Arena| {
        let mut params = backend.arena(values(len, 60));
        let mut moments = (backend.arena(vec![0.0; len]), backend.arena(vec![0.0; len]));
        let mut average = backend.arena(values(len, 62));
        let (mut norms, mut seen) = (vec![], vec![]);
        for step in 1..=steps {
            backend.zero(&mut grads);
            // Two batches a step; other words every time, some come back.
            for part in 0..2 {
                let vocabulary = (40 * step as u32).min(words as u32);
                let batch = batch(&[2, 1, 2], vocabulary, step / 2 + part);
                let dy = values(batch.tokens() * width, 61 + step);
                let dy = backend.tensor(batch.tokens(), width, &dy);
                let within = tables_within(&tables, &batch);
                backend.embed_backward(&within, &backend.batch(batch), &dy, &mut grads);
            }
            norms.push(backend.norm(&backend.gradient_norm(&grads, ranges, 0.0)));
            if step == 4 {
                // Moments from a checkpoint say nothing of their zeros.
                let (first, second) = &mut moments;
                let values = backend.read_arena(first, 0..len);
                backend.write_arena(first, 0, &values);
                let values = backend.read_arena(second, 0..len);
                backend.write_arena(second, 0, &values);
            }
            let settings = adamw_step(step);
            let (first, second) = &mut moments;
            let arenas = AdamWArenas {
                params: &mut params,
                grads: &grads,
                first,
                second,
            };
            let norm = backend.gradient_norm(arenas.grads, &[], 0.0);
            backend.adamw(arenas, &segments(step), &settings, unclipped(&norm));
            // Whoever reads sees what a dense step would have left.
            match step % 7 {
                1 => {
                    let batch = batch(&[3, 2], words as u32, step);
                    let within = tables_within(&tables, &batch);
                    let x = backend.embed(&params, &within, &backend.batch(batch));
                    seen.extend(backend.read(&x));
                }
                4 => backend.approach(&mut average, &params, len - 5, 0.1),
                6 if step < 50 => seen.extend(backend.read_arena(&params, 40..3_000)),
                _ => {}
            }
            if step == 20 {
                backend.write_arena(&mut params, 5_000, &values(9, 63));
            }
            if step == 40 {
                // Another run's moments: fewer rows have moved.
                moments = (backend.arena(vec![0.0; len]), backend.arena(vec![0.0; len]));
            }
        }
        seen.extend(backend.read_arena(&average, 0..len));
        (
            backend.read_arena(&params, 0..len),
            backend.read_arena(&moments.0, 0..len),
            backend.read_arena(&moments.1, 0..len),
            backend.read_arena(&grads, 0..len),
            seen,
            norms,
        )
    };
    let dense = run(backend.arena(vec![0.0; len]));
    let sparse = run(backend.gradient_arena(len, Some(tables.words)));
    assert!(dense.0 == sparse.0 && dense.1 == sparse.1 && dense.2 == sparse.2);
    assert!(dense.3 == sparse.3);
    assert!(dense.4 == sparse.4, "read between steps");
    for (a, b) in dense.5.iter().zip(&sparse.5) {
        assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
    }
}

/// The tables, without positions where the batch's do not fit them.
fn tables_within(tables: &EmbeddingTables, batch: &Packed) -> EmbeddingTables {
    let mut tables = *tables;
    tables.positions = tables
        .positions
        .filter(|p| batch.positions().iter().all(|&i| (i as usize) < p.rows));
    tables
}
