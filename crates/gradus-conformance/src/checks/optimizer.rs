//! AdamW against its formula.

use crate::support::{adamw_step, close, unclipped, values, widen};
use gradus_kernels::{AdamWArenas, AdamWSegment, Backend, Clip};
use std::slice::from_ref;

pub fn adamw_follows_its_formula_and_leaves_the_rest<B: Backend>(backend: &B) {
    let n = 70_001;
    let (mut p, g) = (values(n, 22), values(n, 23));
    let (mut m, mut v) = (vec![0f64; n], vec![0f64; n]);
    let mut exact = widen(&p);
    let segments = [
        AdamWSegment {
            range: 1..40_000,
            learning_rate: 1e-2,
            weight_decay: 0.1,
        },
        AdamWSegment {
            range: 40_003..n,
            learning_rate: 3e-3,
            weight_decay: 0.0,
        },
    ];
    let before = p.clone();
    let mut arenas = (
        backend.arena(std::mem::take(&mut p)),
        backend.arena(vec![0.0; n]),
        backend.arena(vec![0.0; n]),
    );
    let grads = backend.arena(g.clone());
    let ranges = [1..40_000, 40_003..n];
    let squares: f64 = ranges
        .iter()
        .flat_map(|r| &g[r.clone()])
        .map(|&g| f64::from(g).powi(2))
        .sum();
    let norm = backend.gradient_norm(&grads, &ranges, 0.0);
    assert!((backend.norm(&norm) / squares.sqrt() - 1.0).abs() < 1e-12);
    for step in 1..=5 {
        // Gradients are halved.
        let clip = Clip::<B> {
            norm: &norm,
            most: Some(0.5 * (squares.sqrt() + 1e-6)),
        };
        let arenas = AdamWArenas {
            params: &mut arenas.0,
            grads: &grads,
            first: &mut arenas.1,
            second: &mut arenas.2,
        };
        backend.adamw(arenas, &segments, &adamw_step(step), clip);
        for s in &segments {
            let (lr, wd) = (f64::from(s.learning_rate), f64::from(s.weight_decay));
            for i in s.range.clone() {
                let g = f64::from(g[i]) * 0.5;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let mhat = m[i] / (1.0 - 0.9f64.powi(step as i32));
                let vhat = v[i] / (1.0 - 0.999f64.powi(step as i32));
                exact[i] -= lr * wd * exact[i];
                exact[i] -= lr * mhat / (vhat.sqrt() + 1e-8);
            }
        }
    }
    let after = backend.read_arena(&arenas.0, 0..n);
    close(&after, &exact, 2e-6);
    assert_eq!(
        (after[0], &after[40_000..40_003]),
        (before[0], &before[40_000..40_003])
    );
}

pub fn norms_of_gradients_are_joined<B: Backend>(backend: &B) {
    let arena = backend.arena(vec![3.0, 4.0, 12.0, 84.0]);
    let norm =
        |ranges: &[std::ops::Range<usize>], rest| backend.gradient_norm(&arena, ranges, rest);
    let read = |norm: &B::GradientNorm| backend.norm(norm);
    assert_eq!(read(&norm(&[], 0.0)), 0.0);
    assert_eq!(read(&norm(&[], 9.0)), 3.0);
    assert_eq!(read(&norm(from_ref(&(0..2)), 0.0)), 5.0);
    assert_eq!(read(&norm(&[0..1, 1..3], 0.0)), 13.0);
    assert_eq!(read(&norm(from_ref(&(0..2)), 144.0)), 13.0);
    let joint = backend.joint_norm(&norm(from_ref(&(0..3)), 0.0), &norm(from_ref(&(3..4)), 0.0));
    assert_eq!(read(&joint), 85.0);
    // Of more pieces than a device sums at once.
    let many = backend.arena(vec![0.5; 640_000]);
    let norm = backend.gradient_norm(&many, from_ref(&(0..640_000)), 0.0);
    assert_eq!(read(&norm), 400.0);
}

pub fn an_average_approaches<B: Backend>(backend: &B) {
    // More than a task of a backend that works in parallel has.
    let n = 70_000;
    let (from, to) = (values(n, 21), values(n, 22));
    let (mut average, params) = (backend.arena(from.clone()), backend.arena(to.clone()));
    backend.approach(&mut average, &params, n - 3, 0.25);
    let found = backend.read_arena(&average, 0..n);
    for (i, (found, (a, p))) in found.iter().zip(from.iter().zip(&to)).enumerate() {
        let wanted = if i < n - 3 { a + 0.25 * (p - a) } else { *a };
        assert!((found - wanted).abs() <= 1e-6, "{i}: {found} {wanted}");
    }
    assert_eq!(backend.read_arena(&params, 0..n), to);
    backend.approach(&mut average, &params, n, 1.0);
    let found = backend.read_arena(&average, 0..n);
    let near = found.iter().zip(&to).all(|(a, p)| (a - p).abs() <= 1e-6);
    assert!(near);
}

/// A step of `norm`; the parameters and moments before it and after.
fn step<B: Backend>(backend: &B, grads: &[f32], clip: Clip<'_, B>) -> [Vec<Vec<f32>>; 2] {
    let n = grads.len();
    let mut arenas = [1, 2, 3].map(|seed| {
        // Second moments are no less than zero.
        backend.arena(values(n, seed).iter().map(|x| x.abs()).collect())
    });
    let all = |arenas: &[B::Arena; 3]| {
        arenas
            .each_ref()
            .map(|a| backend.read_arena(a, 0..n))
            .to_vec()
    };
    let before = all(&arenas);
    let segments = [AdamWSegment {
        range: 0..n,
        learning_rate: 0.1,
        weight_decay: 0.1,
    }];
    let [params, first, second] = &mut arenas;
    let own = AdamWArenas {
        params,
        grads: &backend.arena(grads.to_vec()),
        first,
        second,
    };
    backend.adamw(own, &segments, &adamw_step(3), clip);
    [before, all(&arenas)]
}

pub fn a_norm_that_is_no_number_changes_nothing<B: Backend>(backend: &B) {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut grads = values(100, 4);
        grads[57] = bad;
        let whole = backend.gradient_norm(&backend.arena(grads.clone()), from_ref(&(0..100)), 0.0);
        assert!(!backend.norm(&whole).is_finite());
        for most in [None, Some(1.0)] {
            let norm = &whole;
            let [before, after] = step(backend, &grads, Clip { norm, most });
            assert!(before == after);
        }
        // One of another set of gradients counts as well.
        let fine = backend.gradient_norm(&backend.arena(values(9, 5)), from_ref(&(0..9)), 0.0);
        let joint = backend.joint_norm(&fine, &whole);
        let [before, after] = step(backend, &values(100, 4), unclipped(&joint));
        assert!(before == after);
        let [before, after] = step(backend, &values(100, 4), unclipped(&fine));
        assert!(before != after);
    }
    // Nothing of a clipped step depends on what the norm allows beyond itself.
    let grads = values(100, 4);
    let norm = &backend.gradient_norm(&backend.arena(grads.clone()), from_ref(&(0..100)), 0.0);
    let steps = [None, Some(1e6)].map(|most| step(backend, &grads, Clip { norm, most }));
    assert!(steps[0] == steps[1]);
}
