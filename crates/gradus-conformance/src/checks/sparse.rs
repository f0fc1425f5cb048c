//! Gradients of few rows of an embedding table give what dense ones give.

use crate::support::{adamw_step, batch, unclipped, values};
use gradus_kernels::{AdamWArenas, AdamWSegment, Backend, EmbeddingTables, Packed, View};

pub fn sparse_updates_are_the_dense_ones<B: Backend>(backend: &B) {
    let (words, width) = (300, 24);
    let tables = EmbeddingTables {
        words: View::new(48, words, width),
        positions: Some(View::new(0, 2, width)),
        segments: None,
    };
    let len = 48 + words * width + 100;
    // The first covers part of a row of the table, the last part of one too.
    let segments =
        [(0..60, 0.1), (60..7_000, 0.0), (7_001..len - 3, 0.01)].map(|(range, decay)| {
            AdamWSegment {
                range,
                learning_rate: 0.01,
                weight_decay: decay,
            }
        });
    let ranges = segments.clone().map(|s| s.range);
    let run = |mut grads: B::Arena| {
        let mut params = backend.arena(values(len, 60));
        let mut moments = (backend.arena(vec![0.0; len]), backend.arena(vec![0.0; len]));
        let mut norms = vec![];
        for step in 1..=6u64 {
            backend.zero(&mut grads);
            // Two batches a step; other words every time, some come back.
            for part in 0..2 {
                let batch = batch(&[2, 1, 2], 40 * step as u32, step / 2 + part);
                let dy = values(batch.tokens() * width, 61 + step);
                let dy = backend.tensor(batch.tokens(), width, &dy);
                let within = tables_within(&tables, &batch);
                backend.embed_backward(&within, &backend.batch(batch), &dy, &mut grads);
            }
            norms.push(backend.norm(&backend.gradient_norm(&grads, &ranges, 0.0)));
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
            backend.adamw(arenas, &segments, &settings, unclipped(&norm));
        }
        (
            backend.read_arena(&params, 0..len),
            backend.read_arena(&moments.0, 0..len),
            backend.read_arena(&moments.1, 0..len),
            backend.read_arena(&grads, 0..len),
            norms,
        )
    };
    let dense = run(backend.arena(vec![0.0; len]));
    let sparse = run(backend.gradient_arena(len, Some(tables.words)));
    assert!(dense.0 == sparse.0 && dense.1 == sparse.1 && dense.2 == sparse.2);
    assert!(dense.3 == sparse.3);
    for (a, b) in dense.4.iter().zip(&sparse.4) {
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
