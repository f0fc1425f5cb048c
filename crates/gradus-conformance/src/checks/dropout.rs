//! Dropout's masks are those of the definition, on every device.

use crate::support::{batch, mask};
use gradus_kernels::Backend;
use gradus_kernels::dropout::Dropout;

pub fn every_backend_drops_the_same<B: Backend>(backend: &B) {
    let packed = batch(&[3, 1, 0, 40, 9], 5, 6);
    let moved = backend.batch(packed.clone());
    for (cols, p) in [(1, 0.5), (7, 0.1), (64, 0.3)] {
        let dropout = Dropout::for_step(p, 5, 6).at(2, p);
        let mut expected = vec![];
        for (bounds, &stream) in packed.offsets().windows(2).zip(packed.streams()) {
            for place in 0..bounds[1] - bounds[0] {
                let mut row = vec![1.0; cols];
                dropout.apply(&mut row, dropout.row_key(stream, place));
                expected.extend(row);
            }
        }
        assert_eq!(mask(backend, &moved, cols, dropout), expected);
    }
}
