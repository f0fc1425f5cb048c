//! Same bits in any batch, on any number of threads, and however often.

use super::whole_layers::{Layer, VOCABULARY, layer, modern_layer};
use crate::support::{batch, close, widen};
use gradus_kernels::dropout::mix64;
use gradus_kernels::{Backend, Packed, Sequence};
use proptest::prelude::*;

fn sequences(lengths: &[usize], order: &[usize], seed: u64) -> Packed {
    let whole = batch(lengths, VOCABULARY, seed);
    Packed::new(
        order.iter().map(|&s| {
            let rows = whole.offsets()[s]..whole.offsets()[s + 1];
            Sequence {
                ids: &whole.ids()[rows.clone()],
                segments: &whole.segments()[rows],
                stream: whole.streams()[s],
            }
        }),
        2,
    )
}

/// `make` gives a backend of so many threads.
pub fn bits_do_not_depend_on_company_or_threads<B: Backend>(make: impl Fn(usize) -> B) {
    same_bits(&make, layer);
    same_bits(&make, modern_layer);
}

/// Batches for training give what others give, and those whose work is the same but for its data give
/// what they gave when they first came.
pub fn training_batches_give_what_others_give<B: Backend>(backend: &B) {
    for layer in [layer as Layer<B>, modern_layer] {
        // Of 160 tokens at most, and of more than a tile of attention.
        for (lengths, shape) in [
            (&[3, 20, 7, 1, 60, 33][..], [64, 2]),
            (&[70, 11, 9], [6, 2]),
            (&[64], [32, 1]),
        ] {
            let packed = |data: u64| {
                let mut lengths = lengths.to_vec();
                lengths[0] += data as usize % 3;
                batch(&lengths, VOCABULARY, data)
            };
            let mut before = vec![];
            for round in 0..2 {
                for data in 0..3 {
                    let (vectors, gradients) =
                        layer(backend, &backend.training_batch(packed(data)), shape, data);
                    if round > 0 {
                        assert!(
                            before[data as usize] == (vectors, gradients),
                            "round {round}"
                        );
                        continue;
                    }
                    let plain = backend.batch(packed(data));
                    let (same, near) = layer(backend, &plain, shape, data);
                    assert_eq!(vectors, same);
                    close(&gradients, &widen(&near), 1e-5);
                    before.push((vectors, gradients));
                }
            }
        }
    }
}

fn same_bits<B: Backend>(make: &impl Fn(usize) -> B, layer: Layer<B>) {
    let lengths = prop::collection::vec(1usize..70, 1..12);
    let shapes = prop::sample::select(vec![(1usize, 3usize), (2, 8), (3, 26), (4, 32)]);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(24)
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(
        &(lengths, shapes, any::<u64>()),
        |(lengths, (heads, size), seed)| {
            let width = heads * size;
            let all: Vec<usize> = (0..lengths.len()).collect();
            let whole = sequences(&lengths, &all, seed);
            let run = |threads, packed: &Packed| {
                let backend = make(threads);
                let batch = backend.batch(packed.clone());
                layer(&backend, &batch, [width, heads], 4)
            };
            let (reference, gradients) = run(1, &whole);
            for threads in [2, 5] {
                let (again, slopes) = run(threads, &whole);
                prop_assert!(again == reference, "vectors, {threads} threads");
                prop_assert!(slopes == gradients, "gradients, {threads} threads");
            }
            // Some of the sequences, in another order.
            let mut order = all;
            order.sort_by_key(|&s| mix64(seed ^ s as u64));
            order.truncate(1 + seed as usize % lengths.len());
            let (part, _) = run(2, &sequences(&lengths, &order, seed));
            for (row, &s) in part.chunks(2 * width).zip(&order) {
                prop_assert!(
                    *row == reference[s * 2 * width..(s + 1) * 2 * width],
                    "sequence {s}"
                );
            }
            Ok(())
        },
    );
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
