//! Rows picked from a matrix, cross-entropy over many classes, and a decoder
//! whose weight is the embedding of words.

use crate::support::{adamw_step, batch, close, inner, slope, unclipped, values, widen};
use gradus_kernels::dropout::mix64;
use gradus_kernels::{AdamWArenas, AdamWSegment, Backend, EmbeddingTables, Linear, View};

pub fn rows_are_gathered_and_put_back<B: Backend>(backend: &B) {
    let (rows, width) = (9, 5);
    let x = values(rows * width, 90);
    let picked = [7u32, 0, 3, 4];
    let matrix = backend.tensor(rows, width, &x);
    let got = backend.read(&backend.gather(&matrix, &picked));
    let f = |x: &[f64]| -> Vec<f64> {
        let row = |&r: &u32| x[r as usize * width..(r as usize + 1) * width].to_vec();
        picked.iter().flat_map(row).collect()
    };
    close(&got, &f(&widen(&x)), 0.0);
    let dy = values(picked.len() * width, 91);
    let tensor = backend.tensor(picked.len(), width, &dy);
    let dx = backend.read(&backend.gather_backward(&tensor, &picked, rows));
    close(&dx, &slope(|x| inner(&f(x), &dy), &widen(&x)), 1e-6);
    assert!(dx[width..2 * width].iter().all(|&x| x == 0.0));
}

pub fn rows_are_replaced<B: Backend>(backend: &B) {
    let (rows, width, places) = (6, 5, [4u32, 0]);
    let (x, new) = (values(rows * width, 94), values(places.len() * width, 95));
    let matrix = backend.tensor(rows, width, &x);
    let put = backend.tensor(places.len(), width, &new);
    let got = backend.replace_rows(matrix, &places, &put);
    assert_eq!(backend.read(&backend.gather(&got, &places)), new);
    let got = backend.read(&got);
    for row in [1, 2, 3, 5] {
        let range = row * width..(row + 1) * width;
        assert_eq!(got[range.clone()], x[range]);
    }
}

pub fn rows_are_subtracted<B: Backend>(backend: &B) {
    let (rows, width, of) = (7, 5, [4u32, 6, 4, 5]);
    let x = values(rows * width, 96);
    let f = |x: &[f64]| -> Vec<f64> {
        let row = |r: usize| x[r * width..(r + 1) * width].iter();
        (0..of.len())
            .flat_map(|i| row(i).zip(row(of[i] as usize)).map(|(a, b)| a - b))
            .collect()
    };
    let out = backend.subtract_rows(backend.tensor(rows, width, &x), &of);
    assert_eq!(backend.shape(&out), (of.len(), width));
    close(&backend.read(&out), &f(&widen(&x)), 1e-7);
    let dy = values(of.len() * width, 97);
    let tdy = backend.tensor(of.len(), width, &dy);
    let dx = backend.subtract_rows_backward(tdy, &of, rows);
    close(
        &backend.read(&dx),
        &slope(|x| inner(&f(x), &dy), &widen(&x)),
        1e-6,
    );
}

/// The sum of the cross-entropies of rows of `classes` scores.
fn losses(scores: &[f64], classes: usize, targets: &[u32]) -> Vec<f64> {
    let rows = scores.chunks_exact(classes).zip(targets);
    rows.map(|(row, &target)| {
        let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|x| (x - highest).exp()).sum();
        sum.ln() + highest - row[target as usize]
    })
    .collect()
}

pub fn cross_entropy<B: Backend>(backend: &B) {
    for (rows, classes, wide) in [(1, 1, 1.0), (3, 7, 8.0), (23, 50, 3.0), (6, 333, 30.0)] {
        let scores: Vec<f32> = values(rows * classes, 92)
            .iter()
            .map(|x| wide * x)
            .collect();
        let targets: Vec<u32> = (0..rows as u64)
            .map(|r| mix64(r + 93) as u32 % classes as u32)
            .collect();
        let (scale, tensor) = (0.25, backend.tensor(rows, classes, &scores));
        let (scored, gradient) = backend.cross_entropy(tensor, &targets, scale);
        let f = |x: &[f64]| losses(x, classes, &targets);
        let (want, scores) = (f(&widen(&scores)), widen(&scores));
        let scored = backend.scored(scored);
        for (r, (scored, want)) in scored.iter().zip(&want).enumerate() {
            assert!(
                (scored.loss - want).abs() < 1e-5 * (1.0 + want),
                "{scored:?} {want}"
            );
            let row = &scores[r * classes..(r + 1) * classes];
            let best = row.iter().all(|x| *x <= row[targets[r] as usize]);
            assert_eq!(scored.correct, best);
        }
        let slope = slope(|x| f64::from(scale) * f(x).iter().sum::<f64>(), &scores);
        close(&backend.read(&gradient), &slope, 1e-6);
    }
}

/// Some steps in which a table is embedding and decoder at once.
pub fn a_tied_weight_sums_both_of_its_gradients<B: Backend>(backend: &B) {
    let (words, width, len) = (70, 48, 70 * 48 + 70);
    let tables = EmbeddingTables {
        words: View::new(0, words, width),
        positions: None,
        segments: None,
    };
    let decoder = Linear {
        weight: tables.words,
        bias: Some(View::new(words * width, 1, words)),
    };
    let segments = [AdamWSegment {
        range: 0..len,
        learning_rate: 0.01,
        weight_decay: 0.1,
    }];
    let run = |mut grads: B::Arena| {
        let mut params = backend.arena(values(len, 94));
        let mut moments = (backend.arena(vec![0.0; len]), backend.arena(vec![0.0; len]));
        let (mut norms, mut sums) = (vec![], vec![]);
        for step in 1..=4u64 {
            backend.zero(&mut grads);
            for part in 0..2 {
                let batch = batch(&[5, 9], words as u32, step + 10 * part);
                let ids = batch.ids().to_vec();
                let batch = backend.batch(batch);
                let x = backend.embed(&params, &tables, &batch);
                // One of the steps has nothing to decode.
                if step != 2 {
                    let scores = backend.linear(&params, &decoder, &x);
                    let (_, d) = backend.cross_entropy(scores, &ids, 0.1);
                    let d = backend.linear_backward(&params, &decoder, &x, &d, None, &mut grads);
                    backend.embed_backward(&tables, &batch, &d, &mut grads);
                } else {
                    backend.embed_backward(&tables, &batch, &x, &mut grads);
                }
            }
            let norm = backend.gradient_norm(&grads, std::slice::from_ref(&(0..len)), 0.0);
            norms.push(backend.norm(&norm));
            sums.push(backend.read_arena(&grads, 0..len));
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
        (backend.read_arena(&params, 0..len), sums, norms)
    };
    let plain = run(backend.arena(vec![0.0; len]));
    let dense = run(backend.gradient_arena(len, None));
    let sparse = run(backend.gradient_arena(len, Some(tables.words)));
    assert!(plain.0 == dense.0 && plain.1 == dense.1, "dense");
    assert!(plain.0 == sparse.0 && plain.1 == sparse.1, "sparse");
    assert_eq!(plain.2, dense.2);
}
