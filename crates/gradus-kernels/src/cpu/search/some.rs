//! Scores of queries with some of the panels each.

use super::{PANEL, Part, ScoreSink, Scoring, Stretch, late};
use crate::cpu::Cpu;
use crate::cpu::matmul::ByteKernel;
use crate::cpu::matmul::screen::Screen;
use std::ops::Range;

/// Queries that are worth a task of their own.
const GRAIN: usize = 4;

impl Cpu {
    /// As [`Cpu::score_panels`], each query with the panels of its own `ranges` alone; a
    /// sink for each part of the queries, in order.
    ///
    /// # Panics
    /// Where a range lies outside of the stretch, or there is not one list for each query.
    pub fn score_ranges<S: ScoreSink>(
        &self,
        (queries, dim): (&[f32], usize),
        stretch: Stretch<'_>,
        ranges: &[Vec<Range<usize>>],
        sink: impl Fn() -> S + Sync,
    ) -> Vec<S> {
        assert_eq!(queries.len(), ranges.len() * dim, "ranges of each query");
        let count = stretch.rows.div_ceil(PANEL);
        assert!(
            stretch.panels.len() >= count * PANEL * dim,
            "panels of all rows"
        );
        let mut all = ranges.iter().flatten();
        assert!(all.all(|r| r.end <= count), "ranges of the stretch");
        let kernel = ByteKernel::best(self.isa);
        let coarse = stretch.coarse.filter(|_| kernel != ByteKernel::Plain);
        let scoring = Scoring {
            cpu: self,
            queries,
            dim,
            stretch,
        };
        let parts = self.split(ranges.len(), GRAIN);
        let mut sinks: Vec<Option<S>> = vec![];
        sinks.resize_with(parts.len(), || None);
        self.each(sinks.iter_mut().zip(parts).collect(), |(place, part)| {
            let mut own = sink();
            for query in part {
                let values = &queries[query * dim..(query + 1) * dim];
                match coarse {
                    None => {
                        for panels in &ranges[query] {
                            let queries = query..query + 1;
                            let panels = panels.clone();
                            scoring.all(Part { queries, panels }, &mut own);
                        }
                    }
                    Some(coarse) => {
                        let screen = self.simd(
                            #[inline(always)]
                            || Screen::new(values, dim),
                        );
                        let rows = (coarse.lines, coarse.bounds);
                        let of = (&screen, kernel);
                        own = late::best_of_one(&scoring, of, rows, (query, &ranges[query]), own);
                    }
                }
            }
            *place = Some(own);
        });
        sinks.into_iter().flatten().collect()
    }
}
