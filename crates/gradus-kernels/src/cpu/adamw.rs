//! AdamW over arenas, and the gradient norm it is clipped by.

use super::{Cpu, cut};
use crate::{AdamWSegment, AdamWStep};
use std::ops::Range;

/// Values per task; fixed, so that sums do not depend on the thread count.
const BLOCK: usize = 1 << 15;

pub(super) fn sum_of_squares(cpu: &Cpu, arena: &[f32], ranges: &[Range<usize>]) -> f64 {
    let blocks: Vec<&[f32]> = ranges
        .iter()
        .flat_map(|r| arena[r.clone()].chunks(BLOCK))
        .collect();
    let mut sums = vec![0f64; blocks.len()];
    cpu.each(sums.iter_mut().zip(blocks).collect(), |(sum, block)| {
        *sum = cpu.simd(
            #[inline(always)]
            || {
                let mut lanes = [0f64; 8];
                let chunks = block.chunks_exact(8);
                for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
                    *lane += f64::from(x) * f64::from(x);
                }
                for chunk in chunks {
                    for (lane, &x) in lanes.iter_mut().zip(chunk) {
                        *lane += f64::from(x) * f64::from(x);
                    }
                }
                lanes.iter().sum()
            },
        );
    });
    sums.iter().sum()
}

pub(super) fn step(
    cpu: &Cpu,
    params: &mut [f32],
    grads: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    segments: &[AdamWSegment],
    step: &AdamWStep,
) {
    let correction1 = 1.0 - step.beta1.powf(step.step as f64);
    let correction2 = 1.0 - step.beta2.powf(step.step as f64);
    let root2 = correction2.sqrt() as f32;
    let (take1, keep2, take2) = (
        (1.0 - step.beta1) as f32,
        step.beta2 as f32,
        (1.0 - step.beta2) as f32,
    );
    let (eps, gradient_scale) = (step.eps as f32, step.gradient_scale);
    for segment in segments {
        let range = segment.range.clone();
        let rate = (f64::from(segment.learning_rate) / correction1) as f32;
        let keep =
            (1.0 - f64::from(segment.learning_rate) * f64::from(segment.weight_decay)) as f32;
        let ranges: Vec<_> = (0..range.len().div_ceil(BLOCK))
            .map(|i| i * BLOCK..((i + 1) * BLOCK).min(range.len()))
            .collect();
        let grads = &grads[range.clone()];
        let parts: Vec<_> = cut(&mut params[range.clone()], &ranges, 1)
            .into_iter()
            .zip(cut(&mut first[range.clone()], &ranges, 1))
            .zip(cut(&mut second[range], &ranges, 1))
            .zip(&ranges)
            .collect();
        cpu.each(parts, |(((p, m), v), block)| {
            let g = &grads[block.clone()];
            cpu.simd(
                #[inline(always)]
                || {
                    for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
                        let g = g * gradient_scale;
                        *m += (g - *m) * take1;
                        *v = *v * keep2 + take2 * g * g;
                        let denominator = v.sqrt() / root2 + eps;
                        *p = *p * keep - rate * (*m / denominator);
                    }
                },
            );
        });
    }
}
