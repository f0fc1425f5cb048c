//! After an optimizer's step, products are those with the new values, whatever
//! the backend kept of the old ones.

use crate::support::{adamw_step, unclipped, values};
use gradus_kernels::{AdamWArenas, AdamWSegment, Backend, Linear, View};
use std::slice::from_ref;

pub fn products_follow_the_optimizer<B: Backend>(backend: &B) {
    for (out, width) in [(9, 7), (40, 33), (96, 64), (1, 70)] {
        let layers: [Linear; 2] = std::array::from_fn(|i| {
            let at = 3 + i * (out * width + out);
            Linear {
                weight: View::new(at, out, width),
                bias: Some(View::new(at + out * width, 1, out)),
            }
        });
        let len = layers[1].bias.unwrap().range().end + 2;
        let x = backend.tensor(37, width, &values(37 * width, 90));
        let dy = backend.tensor(37, out, &values(37 * out, 91));
        // Every product with every weight, forward and backward.
        let products = |params: &B::Arena, grads: &mut B::Arena| -> Vec<Vec<f32>> {
            let both = layers.iter().map(|layer| {
                let y = backend.linear(params, layer, &x);
                let dx = backend.linear_backward(params, layer, &x, &dy, None, grads);
                [backend.read(&y), backend.read(&dx)].concat()
            });
            both.collect()
        };
        let second = layers[1].weight.range();
        // All at once, a weight in pieces, one weight alone, nothing.
        let cuts: [&[(usize, usize)]; 4] = [
            &[(0, len)],
            &[(0, 10), (10, second.start + 5), (second.start + 6, len)],
            &[(second.start, second.end)],
            &[],
        ];
        for (case, cut) in cuts.into_iter().enumerate() {
            let segments = cut.iter().map(|&(from, to)| AdamWSegment {
                range: from..to,
                learning_rate: 0.05,
                weight_decay: 0.01,
            });
            let segments: Vec<_> = segments.collect();
            let mut params = backend.arena(values(len, 92));
            let mut moments = (backend.arena(vec![0.0; len]), backend.arena(vec![0.0; len]));
            let mut grads = backend.arena(vec![0.0; len]);
            for step in 1..=3 {
                products(&params, &mut grads);
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
                let fresh = backend.arena(backend.read_arena(&params, 0..len));
                let mut spare = backend.arena(vec![0.0; len]);
                let (kept, anew) = (products(&params, &mut spare), products(&fresh, &mut spare));
                assert!(kept == anew, "{out} x {width}, case {case}, step {step}");
            }
        }
    }
}

/// Parameters that a step changes are what lanes find that begin right behind it.
pub fn lanes_follow_the_optimizer<B: Backend>(backend: &B) {
    let (out, width, rows) = (24, 40, 19);
    let layer = Linear {
        weight: View::new(0, out, width),
        bias: None,
    };
    let len = layer.weight.range().end;
    let grads = backend.arena(values(len, 93));
    let mut params = backend.arena(values(len, 94));
    let mut moments = (backend.arena(vec![0.0; len]), backend.arena(vec![0.0; len]));
    let segment = AdamWSegment {
        range: 0..len,
        learning_rate: 0.1,
        weight_decay: 0.0,
    };
    for step in 1..=3 {
        let arenas = AdamWArenas {
            params: &mut params,
            grads: &grads,
            first: &mut moments.0,
            second: &mut moments.1,
        };
        let norm = backend.gradient_norm(&grads, from_ref(&segment.range), 0.0);
        let settings = adamw_step(step);
        backend.adamw(arenas, from_ref(&segment), &settings, unclipped(&norm));
        assert!(backend.norm(&norm) > 0.0);
        let products = |params: &B::Arena| {
            backend.in_lanes((0..3).collect(), |lane, seed| {
                let x = lane.tensor(rows, width, &values(rows * width, seed));
                lane.read(&lane.linear(params, &layer, &x))
            })
        };
        let at_once = products(&params);
        let fresh = backend.arena(backend.read_arena(&params, 0..len));
        assert!(at_once == products(&fresh), "step {step}");
    }
    // What one has made of parameters the other finds done.
    let fresh = backend.arena(values(len, 95));
    let both = backend.in_lanes((0..2).collect(), |lane, seed| {
        let x = |on: &B| on.tensor(rows, width, &values(rows * width, seed));
        let own = backend.linear(&fresh, &layer, &x(backend));
        let other = lane.read(&lane.linear(&fresh, &layer, &x(lane)));
        (backend.read(&own), other)
    });
    assert!(both.iter().all(|(own, other)| own == other));
}
