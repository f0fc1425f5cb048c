//! Scores of queries with the rows of a matrix, for exact search: products in f32 that
//! are handed on, and none is kept.
//!
//! The matrix lies in panels, so that its rows are read along from wherever they are, a
//! file among others. A score is one chain of sums over the values in order: its bits
//! depend neither on the other queries nor on threads, nor on whether rows as bytes said
//! which ones to compute.

mod coarse;
mod late;
mod picked;
mod row_product;
#[cfg(test)]
mod tests;

pub use coarse::{Coarse, CoarseRows};
pub use picked::{ByteQuery, ByteRows, ByteRowsView};

use super::Cpu;
use super::matmul::screen::{PanelBounds, Screen};
use super::matmul::simd::{ROWS, Tile};
use super::matmul::{ByteKernel, ByteLine, COLS};
use std::ops::Range;

/// Rows of a panel: `[dim, PANEL]`, the values of a term side by side; zeros beyond the
/// last row.
pub const PANEL: usize = COLS;

/// Bytes of panels that all queries meet before the next ones are read.
const NEAR: usize = 512 << 10;

/// Panels that are worth a task of their own.
const GRAIN: usize = 16;

/// Takes scores; for each query those of the panels of a task in order. What is called for
/// every score is to be marked `#[inline(always)]`, so that it is compiled for the
/// instructions at hand.
pub trait ScoreSink: Send {
    /// `scores[i]` is the score of the query with row `first + i`.
    fn take(&mut self, query: usize, first: usize, scores: &[f32]);

    /// Scores of a query that are not above this need not be handed on.
    fn floor(&self, query: usize) -> f32;

    /// Where only the best so many of a query's scores count, those may be handed on late,
    /// when it is known which of them can be among the best.
    fn most(&self) -> Option<usize> {
        None
    }

    /// Whether a query's score with a row is among those of which the best count.
    fn counts(&self, _query: usize, _row: usize) -> bool {
        true
    }
}

/// Some rows, laid out to be searched.
#[derive(Clone, Copy)]
pub struct Stretch<'a> {
    /// As [`pack_rows`] lays them out.
    pub panels: &'a [f32],
    /// How many there are.
    pub rows: usize,
    /// The same rows as bytes, where scores below [`ScoreSink::floor`] are to be found out
    /// without them.
    pub coarse: Option<Coarse<'a>>,
}

/// Rows `[rows, dim]` in panels; `rows` rounded up to whole panels, times `dim`, values.
pub fn pack_rows(rows: &[f32], dim: usize) -> Vec<f32> {
    let count = rows.len().checked_div(dim).unwrap_or(0);
    let mut panels = vec![0.0; count.next_multiple_of(PANEL) * dim];
    for (i, row) in rows.chunks_exact(dim.max(1)).enumerate() {
        let panel = &mut panels[i / PANEL * PANEL * dim..][..PANEL * dim];
        for (term, x) in row.iter().enumerate() {
            panel[term * PANEL + i % PANEL] = *x;
        }
    }
    panels
}

/// Appends some rows of panels to `out`.
///
/// # Panics
/// Where there are no such rows.
pub fn unpack_rows(panels: &[f32], dim: usize, rows: Range<usize>, out: &mut Vec<f32>) {
    for row in rows {
        let panel = &panels[row / PANEL * PANEL * dim..][..PANEL * dim];
        let terms = panel.as_chunks::<PANEL>().0;
        out.extend(terms.iter().map(|term| term[row % PANEL]));
    }
}

/// Writes a row of panels to `out`.
///
/// # Panics
/// Where there is no such row.
pub fn copy_row(panels: &[f32], row: usize, out: &mut [f32]) {
    let dim = out.len();
    let panel = &panels[row / PANEL * PANEL * dim..][..PANEL * dim];
    let terms = panel.as_chunks::<PANEL>().0;
    out.iter_mut()
        .zip(terms)
        .for_each(|(out, term)| *out = term[row % PANEL]);
}

impl Cpu {
    /// Hands the score of each of `queries`, `[queries, dim]`, with each of a stretch's
    /// rows to sinks, and returns those: one for each part of the rows, in order.
    ///
    /// # Panics
    /// Where there are not so many panels.
    pub fn score_panels<S: ScoreSink>(
        &self,
        (queries, dim): (&[f32], usize),
        stretch: Stretch<'_>,
        sink: impl Fn() -> S + Sync,
    ) -> Vec<S> {
        let count = stretch.rows.div_ceil(PANEL);
        assert!(
            dim > 0 && queries.len().is_multiple_of(dim),
            "whole queries"
        );
        assert!(
            stretch.panels.len() >= count * PANEL * dim,
            "panels of all rows"
        );
        let kernel = ByteKernel::best(self.isa);
        let screen = stretch.coarse.filter(|_| kernel != ByteKernel::Plain);
        let screen = screen.map(|coarse| {
            let screen = self.simd(
                #[inline(always)]
                || Screen::new(queries, dim),
            );
            (screen, coarse)
        });
        let scoring = Scoring {
            cpu: self,
            queries,
            dim,
            stretch,
        };
        let parts = self.parts(queries.len() / dim, count);
        let mut sinks: Vec<Option<S>> = vec![];
        sinks.resize_with(parts.len(), || None);
        self.each(sinks.iter_mut().zip(parts).collect(), |(place, part)| {
            let own = sink();
            let own = match &screen {
                None => {
                    let mut own = own;
                    scoring.all(part, &mut own);
                    own
                }
                Some((screen, coarse)) => {
                    let rows = (coarse.lines, coarse.bounds);
                    match own.most() {
                        // Nearly every panel has one of so many.
                        Some(most) if most >= part.panels.len() / 4 => {
                            let mut own = own;
                            scoring.all(part, &mut own);
                            own
                        }
                        Some(most) => late::best(&scoring, (screen, kernel), rows, part, own, most),
                        None => scoring.possible((screen, kernel), rows, part, own),
                    }
                }
            };
            *place = Some(own);
        });
        sinks.into_iter().flatten().collect()
    }

    /// Parts of the panels, each with all queries; or of the queries, each with all
    /// panels, where those are few.
    fn parts(&self, queries: usize, panels: usize) -> Vec<Part> {
        if panels < 2 * GRAIN * self.threads() && queries >= 64 * self.threads() {
            // Whole blocks of queries, as they lie in tiles.
            let blocks = self.split(queries.div_ceil(BLOCK), 1).into_iter();
            let part = |blocks: Range<usize>| Part {
                queries: blocks.start * BLOCK..(blocks.end * BLOCK).min(queries),
                panels: 0..panels,
            };
            return blocks.map(part).collect();
        }
        let part = |panels| Part {
            queries: 0..queries,
            panels,
        };
        self.split(panels, GRAIN).into_iter().map(part).collect()
    }
}

/// Queries of a block, in tiles.
const BLOCK: usize = 32;

/// What a task does.
struct Part {
    queries: Range<usize>,
    panels: Range<usize>,
}

/// Who computes scores.
struct Scoring<'a> {
    cpu: &'a Cpu,
    queries: &'a [f32],
    dim: usize,
    stretch: Stretch<'a>,
}

impl Scoring<'_> {
    /// Those of some queries with some panels.
    fn all<S: ScoreSink>(&self, part: Part, own: &mut S) {
        let near = (NEAR / 4 / PANEL / self.dim).max(1);
        let Part { queries, panels } = part;
        for from in panels.clone().step_by(near) {
            let group = from..(from + near).min(panels.end);
            for first in queries.clone().step_by(ROWS) {
                let some = first..(first + ROWS).min(queries.end);
                let some = &self.queries[some.start * self.dim..some.end * self.dim];
                for panel in group.clone() {
                    self.tile(some, |query| first + query, panel, own);
                }
            }
        }
    }

    /// Those that may be above the floor, as soon as that is known.
    fn possible<S: ScoreSink>(
        &self,
        (screen, kernel): (&Screen, ByteKernel),
        rows: (&[ByteLine], &[PanelBounds]),
        part: Part,
        mut own: S,
    ) -> S {
        self.cpu.simd(
            #[inline(always)]
            || {
                screen.sweep(
                    kernel,
                    rows,
                    (part.queries, part.panels),
                    &mut own,
                    S::floor,
                    |own, query, panel, _| self.one(query, panel, own),
                );
            },
        );
        own
    }

    /// Those of one query with a panel.
    #[inline(never)]
    fn one<S: ScoreSink>(&self, query: usize, panel: usize, own: &mut S) {
        let values = &self.queries[query * self.dim..(query + 1) * self.dim];
        self.tile(values, |_| query, panel, own);
    }

    /// Those of some queries, at most 12, with a panel; `number` says which they are.
    fn tile<S: ScoreSink>(
        &self,
        some: &[f32],
        number: impl Fn(usize) -> usize,
        panel: usize,
        own: &mut S,
    ) {
        let mut tile = [0f32; ROWS * COLS];
        let (dim, here) = (self.dim, some.len() / self.dim);
        self.cpu.arch.dispatch(Tile {
            a: some,
            row_stride: dim,
            term_stride: 1,
            rows: here,
            panel: &self.stretch.panels[panel * PANEL * dim..(panel + 1) * PANEL * dim],
            out: &mut tile,
        });
        let row = panel * PANEL;
        let valid = (self.stretch.rows - row).min(PANEL);
        self.cpu.simd(
            #[inline(always)]
            || {
                let all = tile.chunks_exact(COLS).take(here);
                for (i, scores) in all.enumerate() {
                    own.take(number(i), row, &scores[..valid]);
                }
            },
        );
    }
}
