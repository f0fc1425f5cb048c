//! Softmax cross-entropy over rows of scores, such as those of a vocabulary.

use super::{Cpu, Tensor, cut, math};
use crate::ScoredRow;

/// Rows a thread should have at least; a row is as wide as a vocabulary.
const GRAIN: usize = 4;

pub(super) fn cross_entropy(
    cpu: &Cpu,
    mut scores: Tensor,
    targets: &[u32],
    scale: f32,
) -> (Vec<ScoredRow>, Tensor) {
    let width = scores.cols();
    assert_eq!(scores.rows(), targets.len(), "one target per row");
    assert!(
        targets.iter().all(|&t| (t as usize) < width),
        "a target lies outside of {width} classes"
    );
    let mut scored = vec![ScoredRow::default(); targets.len()];
    let ranges = cpu.split(targets.len(), GRAIN);
    let parts = cut(scores.values_mut(), &ranges, width)
        .into_iter()
        .zip(cut(&mut scored, &ranges, 1))
        .zip(&ranges)
        .collect();
    cpu.each(parts, |((rows, scored), range)| {
        let targets = &targets[range.clone()];
        cpu.simd(
            #[inline(always)]
            || {
                let rows = rows.chunks_exact_mut(width.max(1));
                for ((row, scored), &target) in rows.zip(scored).zip(targets) {
                    *scored = one(row, target as usize, scale);
                }
            },
        );
    });
    (scored, scores)
}

/// The loss of a row, which becomes its gradient.
#[inline(always)]
fn one(row: &mut [f32], target: usize, scale: f32) -> ScoredRow {
    let highest = math::max(row);
    let own = row[target];
    for x in row.iter_mut() {
        *x = math::exp(*x - highest);
    }
    let sum = math::sum(row);
    let share = scale / sum;
    for x in row.iter_mut() {
        *x *= share;
    }
    row[target] -= scale;
    ScoredRow {
        loss: f64::from(sum).ln() + f64::from(highest) - f64::from(own),
        correct: own >= highest,
    }
}
