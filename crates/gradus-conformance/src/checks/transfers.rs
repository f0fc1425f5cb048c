//! What goes to the device and comes back.

use crate::support::{batch, values};
use gradus_kernels::Backend;

pub fn what_is_moved_comes_back<B: Backend>(backend: &B) {
    let packed = batch(&[3, 0, 5], 9, 1);
    let moved = backend.batch(packed.clone());
    let host = backend.packed(&moved);
    assert_eq!(host.ids(), packed.ids());
    assert_eq!(host.offsets(), packed.offsets());
    assert_eq!(host.streams(), packed.streams());

    for (rows, cols) in [(0, 4), (1, 1), (7, 33)] {
        let x = values(rows * cols, 2);
        let tensor = backend.tensor(rows, cols, &x);
        assert_eq!(backend.shape(&tensor), (rows, cols));
        assert_eq!(backend.read(&tensor), x);
        assert_eq!(backend.read(&backend.copy(&tensor)), x);
        // Memory that held other values before.
        drop(tensor);
        let zeros = backend.zeros(rows, cols);
        assert_eq!(backend.shape(&zeros), (rows, cols));
        assert_eq!(backend.read(&zeros), vec![0.0; rows * cols]);
    }

    let x = values(40, 3);
    let mut arena = backend.arena(x.clone());
    assert_eq!(backend.read_arena(&arena, 0..40), x);
    assert_eq!(backend.read_arena(&arena, 7..19), x[7..19]);
    backend.write_arena(&mut arena, 5, &[1.0, 2.0]);
    assert_eq!(backend.read_arena(&arena, 4..8), [x[4], 1.0, 2.0, x[7]]);
    backend.zero(&mut arena);
    assert_eq!(backend.read_arena(&arena, 0..40), vec![0.0; 40]);

    assert!(backend.batch_tokens() > 0 && backend.lanes() > 0);
    let jobs: Vec<usize> = (0..10).collect();
    let doubled = backend.in_lanes(jobs, |lane, i| lane.enter(|| 2 * i));
    assert_eq!(doubled, (0..10).map(|i| 2 * i).collect::<Vec<_>>());
    assert_eq!(backend.failure(), None);
    assert_eq!(backend.check(), Ok(()));
}
