//! AdamW against its formula.

use super::*;
use gradus_kernels::AdamWSegment;

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
    for step in 1..=5 {
        let settings = adamw_step(step);
        backend.adamw(
            &mut arenas.0,
            &grads,
            &mut arenas.1,
            &mut arenas.2,
            &segments,
            &settings,
        );
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
    let ranges = [1..40_000, 40_003..n];
    let squares: f64 = ranges
        .iter()
        .flat_map(|r| &g[r.clone()])
        .map(|&g| f64::from(g).powi(2))
        .sum();
    let got = backend.sum_of_squares(&grads, &ranges);
    assert!((got / squares - 1.0).abs() < 1e-12);
}
