//! Scores of queries with the rows of a matrix, for exact search: products in f32 of
//! which every value is handed on, and none is kept.
//!
//! The matrix lies in panels, so that its rows are read along from wherever they are, a
//! file among others. A score is one chain of sums over the values in order: its bits
//! depend neither on the other queries nor on threads.

use super::Cpu;
use super::matmul::COLS;
use super::matmul::simd::{ROWS, Tile};

/// Rows of a panel: `[dim, PANEL]`, the values of a term side by side; zeros beyond the
/// last row.
pub const PANEL: usize = COLS;

/// Bytes of panels that all queries meet before the next ones are read.
const NEAR: usize = 512 << 10;

/// Panels that are worth a task of their own.
const GRAIN: usize = 16;

/// Takes scores; for the panels of a task in order, each with all queries.
pub trait ScoreSink: Send {
    /// `scores[i]` is the score of the query with row `first + i`. To be marked
    /// `#[inline(always)]`, so that it is compiled for the instructions at hand.
    fn take(&mut self, query: usize, first: usize, scores: &[f32]);
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

/// A row of panels.
///
/// # Panics
/// Where there is no such row.
pub fn unpack_row(panels: &[f32], dim: usize, row: usize) -> Vec<f32> {
    let panel = &panels[row / PANEL * PANEL * dim..][..PANEL * dim];
    let terms = panel.chunks_exact(PANEL);
    terms.map(|term| term[row % PANEL]).collect()
}

impl Cpu {
    /// Hands the score of each of `queries`, `[queries, dim]`, with each of `rows` rows
    /// in `panels` to sinks, and returns those: one for each part of the rows, in order.
    ///
    /// # Panics
    /// Where there are not so many panels.
    pub fn score_panels<S: ScoreSink>(
        &self,
        (queries, dim): (&[f32], usize),
        (panels, rows): (&[f32], usize),
        sink: impl Fn() -> S + Sync,
    ) -> Vec<S> {
        let count = rows.div_ceil(PANEL);
        assert!(
            dim > 0 && queries.len().is_multiple_of(dim),
            "whole queries"
        );
        assert!(panels.len() >= count * PANEL * dim, "panels of all rows");
        let parts = self.split(count, GRAIN);
        let mut sinks: Vec<Option<S>> = vec![];
        sinks.resize_with(parts.len(), || None);
        let near = (NEAR / 4 / PANEL / dim).max(1);
        self.each(sinks.iter_mut().zip(parts).collect(), |(place, part)| {
            let mut own = sink();
            for from in part.clone().step_by(near) {
                let group = from..(from + near).min(part.end);
                for (block, some) in queries.chunks(ROWS * dim).enumerate() {
                    for p in group.clone() {
                        let mut tile = [0f32; ROWS * COLS];
                        let here = some.len() / dim;
                        self.arch.dispatch(Tile {
                            a: some,
                            row_stride: dim,
                            term_stride: 1,
                            rows: here,
                            panel: &panels[p * PANEL * dim..(p + 1) * PANEL * dim],
                            out: &mut tile,
                        });
                        let first = p * PANEL;
                        let valid = (rows - first).min(PANEL);
                        self.simd(
                            #[inline(always)]
                            || {
                                let all = tile.chunks_exact(COLS).take(here);
                                for (i, scores) in all.enumerate() {
                                    own.take(block * ROWS + i, first, &scores[..valid]);
                                }
                            },
                        );
                    }
                }
            }
            *place = Some(own);
        });
        sinks.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Isa, Precision};

    struct All(Vec<(usize, usize, f32)>);

    impl ScoreSink for All {
        #[inline(always)]
        fn take(&mut self, query: usize, first: usize, scores: &[f32]) {
            let scores = scores.iter().enumerate();
            self.0
                .extend(scores.map(|(i, &score)| (query, first + i, score)));
        }
    }

    fn values(count: usize, seed: u32) -> Vec<f32> {
        let value = |i: usize| {
            let bits = (i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed);
            f32::from((bits >> 20) as u16) / 2048.0 - 1.0
        };
        (0..count).map(value).collect()
    }

    fn scores(cpu: &Cpu, queries: &[f32], dim: usize, rows: &[f32]) -> Vec<(usize, usize, f32)> {
        let panels = pack_rows(rows, dim);
        let sinks = cpu.score_panels((queries, dim), (&panels, rows.len() / dim), || All(vec![]));
        let mut all: Vec<_> = sinks.into_iter().flat_map(|sink| sink.0).collect();
        all.sort_by_key(|&(query, row, _)| (query, row));
        all
    }

    #[test]
    fn every_score_is_handed_on_once_with_the_bits_of_one_chain() {
        for (queries, rows, dim) in [
            (1, 1, 1),
            (3, 70, 5),
            (13, 33, 64),
            (40, 1500, 33),
            (2, 0, 4),
        ] {
            let (q, r) = (values(queries * dim, 1), values(rows * dim, 7));
            let chain = |i: usize, j: usize| {
                let (a, b) = (&q[i * dim..][..dim], &r[j * dim..][..dim]);
                a.iter().zip(b).fold(0f32, |sum, (x, y)| x.mul_add(*y, sum))
            };
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                for threads in [1, 3] {
                    let cpu = Cpu::with(threads, Precision::F32, isa).unwrap();
                    let all = scores(&cpu, &q, dim, &r);
                    assert_eq!(all.len(), queries * rows, "{isa}");
                    for (place, &(query, row, score)) in all.iter().enumerate() {
                        assert_eq!((query, row), (place / rows, place % rows), "{isa}");
                        let exact = chain(query, row);
                        // Without fused sums the last bits differ.
                        let near = (score - exact).abs() <= 1e-5 * dim as f32;
                        let fused = isa == Isa::Portable || score.to_bits() == exact.to_bits();
                        assert!(near && fused, "{isa}: {score} and {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn rows_come_back_out_of_panels() {
        let rows = values(70 * 9, 3);
        let panels = pack_rows(&rows, 9);
        assert_eq!(panels.len(), 96 * 9);
        for (i, row) in rows.chunks_exact(9).enumerate() {
            assert_eq!(unpack_row(&panels, 9, i), row);
        }
    }
}
