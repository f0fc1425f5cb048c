//! Gradients set to zero are zero for whoever reads them next, and sums start
//! anew, however the backend goes about it.

use crate::support::{adamw_step, unclipped, values};
use gradus_kernels::{AdamWArenas, AdamWSegment, Backend, Linear, View};

pub fn zero_holds_for_every_reader<B: Backend>(backend: &B) {
    for (tokens, width, out, sparse) in [(5, 7, 9, true), (40, 64, 96, true), (40, 64, 96, false)] {
        let words = View::new(0, 3, width);
        let layer = Linear {
            weight: View::new(3 * width, out, width),
            bias: None,
        };
        let own = layer.weight.range();
        let len = own.end + 5;
        let params = backend.arena(values(len, 80));
        let tensor = |cols, seed| backend.tensor(tokens, cols, &values(tokens * cols, seed));
        let (x, dy) = (tensor(width, 81), tensor(out, 82));
        let backward = |grads: &mut B::Arena| {
            backend.linear_backward(&params, &layer, &x, &dy, None, grads);
            backend.read_arena(grads, 0..len)
        };
        let fresh = || backend.gradient_arena(len, sparse.then_some(words));
        let once = backward(&mut fresh());
        let mut grads = fresh();
        for _ in 0..3 {
            assert!(backward(&mut grads) == once);
            let twice = backward(&mut grads);
            for (twice, once) in twice.iter().zip(&once) {
                assert!((twice - 2.0 * once).abs() <= 1e-5 * once.abs().max(1.0));
            }
            backend.zero(&mut grads);
        }
        assert_eq!(backend.read_arena(&grads, 0..len), vec![0.0; len]);
        let norm = backend.gradient_norm(&grads, std::slice::from_ref(&(0..len)), 0.0);
        assert_eq!(backend.norm(&norm), 0.0);
        // Moments decay where no gradient comes.
        let step = |grads: &B::Arena| {
            let mut params = backend.arena(values(len, 80));
            let mut first = backend.arena(vec![0.5; len]);
            let mut second = backend.arena(vec![0.25; len]);
            let segments = [AdamWSegment {
                range: 0..len,
                learning_rate: 0.1,
                weight_decay: 0.0,
            }];
            let norm = backend.gradient_norm(grads, std::slice::from_ref(&(0..len)), 0.0);
            let arenas = AdamWArenas {
                params: &mut params,
                grads,
                first: &mut first,
                second: &mut second,
            };
            backend.adamw(arenas, &segments, &adamw_step(3), unclipped(&norm));
            backend.read_arena(&params, 0..len)
        };
        assert!(step(&grads) == step(&fresh()));
        // A write to a part leaves the rest zero.
        backend.write_arena(&mut grads, own.start + 1, &[3.0]);
        let mut expected = vec![0.0; len];
        expected[own.start + 1] = 3.0;
        assert_eq!(backend.read_arena(&grads, 0..len), expected);
    }
}
