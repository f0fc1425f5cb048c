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
