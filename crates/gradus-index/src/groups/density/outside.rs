//! The row of another component that is nearest by mutual reachability.

use super::Edge;
use crate::neighbours::{Matrix, Rows, any_above};
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::ScoreSink;

/// Of each query the best row outside.
struct Outside<'a> {
    /// The row of the first panel.
    from: usize,
    allowed: &'a Rows,
    /// Of each row its component, and its own cosine.
    components: &'a [u32],
    own: &'a [f32],
    /// The components of queries.
    queries: &'a [u32],
    best: Vec<(f32, usize)>,
}

impl ScoreSink for Outside<'_> {
    #[inline(always)]
    fn take(&mut self, query: usize, first: usize, scores: &[f32]) {
        if any_above(scores, self.best[query].0) {
            self.keep(query, first, scores);
        }
    }

    #[inline(always)]
    fn floor(&self, query: usize) -> f32 {
        self.best[query].0
    }
}

impl Outside<'_> {
    #[inline(never)]
    fn keep(&mut self, query: usize, first: usize, scores: &[f32]) {
        for (row, &score) in (self.from + first..).zip(scores) {
            let reached = score.min(self.own[row]);
            let outside = self.components[row] != self.queries[query];
            if reached > self.best[query].0 && outside && self.allowed.has(row) {
                self.best[query] = (reached, row);
            }
        }
    }
}

/// For each of some rows the row outside of its component that is nearest by mutual
/// reachability, if any is nearer than what `floors` say; the first of equal ones.
/// `own` are the rows' own cosines.
pub(super) fn nearest_outside(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    rows: &[usize],
    floors: &[f32],
    components: &[u32],
    own: &[f32],
) -> Vec<Option<Edge>> {
    let vectors = matrix.gather(rows);
    let of: Vec<u32> = rows.iter().map(|row| components[*row]).collect();
    let mut best: Vec<(f32, usize)> = floors.iter().map(|floor| (*floor, usize::MAX)).collect();
    let mut from = 0;
    for &stretch in matrix.stretches() {
        let sink = || Outside {
            from,
            allowed: matrix.rows(),
            components,
            own,
            queries: &of,
            best: best.clone(),
        };
        let parts = cpu.score_panels((&vectors, matrix.dim()), stretch, sink);
        for part in parts {
            for (best, other) in best.iter_mut().zip(part.best) {
                // Parts come in the order of their rows.
                if other.0 > best.0 {
                    *best = other;
                }
            }
        }
        from += stretch.rows;
    }
    let edge = |(row, (reached, other)): (&usize, (f32, usize))| {
        // Never nearer than the row's own density lets it be.
        (other != usize::MAX).then(|| Edge {
            a: *row as u32,
            b: other as u32,
            cosine: reached.min(own[*row]),
        })
    };
    rows.iter().zip(best).map(edge).collect()
}
