//! AdamW by its formula.

use super::{Plain, PlainArena};
use gradus_kernels::{AdamWArenas, AdamWSegment, AdamWStep, Clip};
use std::ops::Range;

pub(super) fn norm(grads: &PlainArena, ranges: &[Range<usize>], rest: f64) -> f64 {
    let values = ranges.iter().flat_map(|r| &grads.0[r.clone()]);
    let squares: f64 = values.map(|&g| f64::from(g).powi(2)).sum();
    (squares + rest).sqrt()
}

pub(super) fn step(
    arenas: AdamWArenas<'_, Plain>,
    segments: &[AdamWSegment],
    step: &AdamWStep,
    clip: Clip<'_, Plain>,
) {
    if !clip.norm.is_finite() {
        return;
    }
    let scale = clip
        .most
        .map_or(1.0, |most| (most / (clip.norm + 1e-6)).min(1.0));
    let corrections = [step.beta1, step.beta2].map(|b| 1.0 - b.powf(step.step as f64));
    for segment in segments {
        let rate = f64::from(segment.learning_rate);
        for i in segment.range.clone() {
            let g = f64::from(arenas.grads.0[i]) * scale;
            let m = step.beta1 * f64::from(arenas.first.0[i]) + (1.0 - step.beta1) * g;
            let v = step.beta2 * f64::from(arenas.second.0[i]) + (1.0 - step.beta2) * g * g;
            arenas.first.0[i] = m as f32;
            arenas.second.0[i] = v as f32;
            let p = f64::from(arenas.params.0[i]);
            let decayed = p - rate * f64::from(segment.weight_decay) * p;
            let root = (v / corrections[1]).sqrt() + step.eps;
            arenas.params.0[i] = (decayed - rate * (m / corrections[0]) / root) as f32;
        }
    }
}
