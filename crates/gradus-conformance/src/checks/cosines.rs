//! Cosines of a whole batch.

use crate::reference;
use crate::support::{close, inner, slope, values, widen};
use gradus_kernels::Backend;

pub fn cosines_of_all_rows<B: Backend>(backend: &B) {
    for (rows, others, width) in [(1, 1, 1), (5, 3, 7), (17, 40, 6), (70, 33, 20)] {
        let (a, b) = (values(rows * width, 1), values(others * width, 2));
        let dy = values(rows * others, 3);
        let (ta, tb) = (
            backend.tensor(rows, width, &a),
            backend.tensor(others, width, &b),
        );
        let out = backend.cosines(&ta, &tb);
        assert_eq!(backend.shape(&out), (rows, others));
        let (wa, wb) = (widen(&a), widen(&b));
        let cosines = reference::cosines(&wa, &wb, width);
        close(&backend.read(&out), &cosines, 1e-6);
        let tdy = backend.tensor(rows, others, &dy);
        let (da, db) = backend.cosines_backward(&ta, &tb, &tdy);
        if rows * others > 1000 {
            continue; // the slope below costs the square of the size
        }
        let of_a = slope(|a| inner(&reference::cosines(a, &wb, width), &dy), &wa);
        close(&backend.read(&da), &of_a, 1e-5);
        let of_b = slope(|b| inner(&reference::cosines(&wa, b, width), &dy), &wb);
        close(&backend.read(&db), &of_b, 1e-5);
    }
    // A vector of zeros has no direction, and none against itself.
    let zero = backend.zeros(2, 3);
    assert_eq!(backend.read(&backend.cosines(&zero, &zero)), [0.0; 4]);
    let dy = backend.tensor(2, 2, &[1.0; 4]);
    let (da, db) = backend.cosines_backward(&zero, &zero, &dy);
    assert_eq!(
        (backend.read(&da), backend.read(&db)),
        (vec![0.0; 6], vec![0.0; 6])
    );
}

pub fn logits_are_steep_and_some_are_left_out<B: Backend>(backend: &B) {
    for (rows, cols, left_out) in [
        (1, 1, vec![]),
        (3, 70, vec![1, 69, 70, 209]),
        (40, 33, vec![7]),
    ] {
        // Exact in bf16.
        let x = values(rows * cols, 4);
        let x: Vec<f32> = x.iter().map(|x| (64.0 * x).round() / 64.0).collect();
        let logits = backend.logits(backend.tensor(rows, cols, &x), 20.0, &left_out);
        assert_eq!(backend.shape(&logits), (rows, cols));
        let mut want: Vec<f32> = x.iter().map(|x| 20.0 * x).collect();
        for place in &left_out {
            want[*place as usize] = f32::NEG_INFINITY;
        }
        assert_eq!(backend.read(&logits), want);
        // Nothing comes back from what was left out.
        let targets: Vec<u32> = (0..rows).map(|row| (row % cols) as u32).collect();
        let safe = |place: &u32| *place as usize % cols != *place as usize / cols;
        if left_out.iter().all(safe) {
            let (scored, slopes) = backend.cross_entropy(logits, &targets, 1.0);
            assert!(
                backend
                    .scored(scored)
                    .iter()
                    .all(|row| row.loss.is_finite())
            );
            let slopes = backend.read(&slopes);
            assert!(slopes.iter().all(|slope| slope.is_finite()));
            assert!(left_out.iter().all(|place| slopes[*place as usize] == 0.0));
        }
    }
}
