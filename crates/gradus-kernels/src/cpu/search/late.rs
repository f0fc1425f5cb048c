//! The best scores of each query, in two steps: bytes say which panels can hold one, with
//! lower bounds that raise what others must reach; what is left is computed in f32, a
//! panel's queries together.

use super::{PANEL, Part, ROWS, ScoreSink, Scoring};
use crate::cpu::matmul::screen::{Near, PanelBounds, Screen};
use crate::cpu::matmul::{ByteKernel, ByteLine};

/// Panels that may be left before they are computed.
const MOST_LEFT: usize = 1 << 21;

/// A panel that may hold one of a query's best.
struct Left {
    panel: u32,
    query: u32,
    /// What none of its scores is above.
    highest: f32,
}

/// What is known of the queries of a part.
struct Late<'a, S> {
    scoring: &'a Scoring<'a>,
    own: S,
    most: usize,
    first: usize,
    /// Of each query, lower bounds of scores that count, at most twice as many as are
    /// wanted.
    lowest: Vec<Vec<f32>>,
    /// What the best of them have reached.
    floors: Vec<f32>,
    left: Vec<Left>,
}

/// Hands to `own` all scores of a part that can be among the `most` best of a query.
pub(super) fn best<S: ScoreSink>(
    scoring: &Scoring<'_>,
    (screen, kernel): (&Screen, ByteKernel),
    rows: (&[ByteLine], &[PanelBounds]),
    part: Part,
    own: S,
    most: usize,
) -> S {
    let queries = part.queries.clone();
    let mut late = Late {
        scoring,
        most,
        first: queries.start,
        lowest: vec![vec![]; queries.len()],
        floors: queries.clone().map(|query| own.floor(query)).collect(),
        own,
        left: vec![],
    };
    scoring.cpu.simd(
        #[inline(always)]
        || {
            screen.sweep(
                kernel,
                rows,
                (queries, part.panels),
                &mut late,
                |late, query| late.floors[query - late.first],
                |late, query, panel, near| late.keep(query, panel, near),
            );
        },
    );
    late.compute();
    late.own
}

impl<S: ScoreSink> Late<'_, S> {
    #[inline(never)]
    fn keep(&mut self, query: usize, panel: usize, near: &Near) {
        let place = query - self.first;
        self.left.push(Left {
            panel: panel as u32,
            query: query as u32,
            highest: near.highest,
        });
        let lowest = &mut self.lowest[place];
        let from = panel * PANEL;
        let there = PANEL.min(self.scoring.stretch.rows - from);
        for (row, &low) in near.lowest[..there].iter().enumerate() {
            if low > self.floors[place] && self.own.counts(query, from + row) {
                lowest.push(low);
            }
        }
        if self.most > 0 && lowest.len() >= self.most.saturating_mul(2) {
            lowest.select_nth_unstable_by(self.most - 1, |a, b| b.total_cmp(a));
            lowest.truncate(self.most);
            // A score that equals the bound must still be handed on.
            self.floors[place] = lowest[self.most - 1].next_down();
        }
        if self.left.len() >= MOST_LEFT {
            self.compute();
        }
    }

    /// Computes what is left.
    fn compute(&mut self) {
        let mut left = std::mem::take(&mut self.left);
        // For what was left early the floor was lower.
        left.retain(|left| {
            let floor = self.floors[left.query as usize - self.first];
            left.highest > floor || left.highest.is_nan()
        });
        left.sort_unstable_by_key(|left| (left.panel, left.query));
        let dim = self.scoring.dim;
        let mut values = vec![];
        for panel in left.chunk_by(|a, b| a.panel == b.panel) {
            for some in panel.chunks(ROWS) {
                values.clear();
                for left in some {
                    let query = left.query as usize;
                    values.extend_from_slice(&self.scoring.queries[query * dim..][..dim]);
                }
                let number = |place: usize| some[place].query as usize;
                let panel = panel[0].panel as usize;
                self.scoring.tile(&values, number, panel, &mut self.own);
            }
        }
        left.clear();
        self.left = left;
    }
}
