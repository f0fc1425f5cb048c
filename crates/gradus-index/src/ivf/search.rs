//! Rows found in cells.

use super::build::NONE;
use crate::neighbours::{Hit, PackedVectors, Rows, nearest};
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::{PANEL, ScoreSink, Stretch};
use std::ops::Range;

/// Rows by cells, as they are searched.
pub struct Cells<'a> {
    /// The means.
    pub means: &'a PackedVectors,
    /// The panel with which each cell begins, and their number.
    pub starts: &'a [u64],
    /// Of each place of the panels its row, or none.
    pub rows: &'a [u64],
    /// The panels.
    pub stretch: Stretch<'a>,
    /// Values of a vector.
    pub dim: usize,
}

/// The best rows that queries have met in cells.
struct Best<'a> {
    most: usize,
    rows: &'a [u64],
    allowed: &'a Rows,
    /// The query that is under way, and what it has met.
    query: usize,
    hits: Vec<Hit>,
    floor: f32,
    done: Vec<(usize, Vec<Hit>)>,
}

impl Best<'_> {
    fn begin(&mut self, query: usize) {
        if query != self.query {
            self.end();
            self.query = query;
        }
    }

    fn end(&mut self) {
        let mut hits = std::mem::take(&mut self.hits);
        hits.sort_by(Hit::order);
        hits.truncate(self.most);
        if !hits.is_empty() {
            self.done.push((self.query, hits));
        }
        self.floor = f32::NEG_INFINITY;
    }
}

impl ScoreSink for Best<'_> {
    fn take(&mut self, query: usize, first: usize, scores: &[f32]) {
        self.begin(query);
        for (place, &score) in (first..).zip(scores) {
            // Rows come in no order: of equal scores a later one may be the lower row.
            if score >= self.floor && self.counts(query, place) {
                let row = self.rows[place] as usize;
                self.hits.push(Hit { row, score });
            }
        }
        if self.hits.len() >= 2 * self.most {
            self.hits.select_nth_unstable_by(self.most - 1, Hit::order);
            self.hits.truncate(self.most);
            self.floor = self.hits[self.most - 1].score;
        }
    }

    #[inline(always)]
    fn floor(&self, query: usize) -> f32 {
        match query == self.query {
            true => self.floor.next_down(),
            false => f32::NEG_INFINITY,
        }
    }

    fn most(&self) -> Option<usize> {
        Some(self.most)
    }

    fn counts(&self, _: usize, place: usize) -> bool {
        let row = self.rows[place];
        row != NONE && self.allowed.has(row as usize)
    }
}

impl Cells<'_> {
    /// The `most` rows of highest score with each of `queries`, `[queries, dim]`, among
    /// those in the `probes` cells whose means are nearest to it, best first; of those
    /// that are allowed. The result does not depend on threads or on other queries.
    pub fn nearest(
        &self,
        cpu: &Cpu,
        queries: &[f32],
        most: usize,
        probes: usize,
        allowed: &Rows,
    ) -> Vec<Vec<Hit>> {
        let count = queries.len() / self.dim;
        let mut found = vec![vec![]; count];
        if most == 0 {
            return found;
        }
        let queries = (queries, self.dim);
        let means = nearest(cpu, queries, &[self.means.stretch()], probes, None);
        let panels = |cell: usize| self.starts[cell] as usize..self.starts[cell + 1] as usize;
        let ranges = means.into_iter().map(|cells| {
            let mut ranges: Vec<Range<usize>> = cells.iter().map(|hit| panels(hit.row)).collect();
            ranges.retain(|range| !range.is_empty());
            ranges
        });
        let ranges: Vec<Vec<Range<usize>>> = ranges.collect();
        let sink = || Best {
            most,
            rows: self.rows,
            allowed,
            query: usize::MAX,
            hits: vec![],
            floor: f32::NEG_INFINITY,
            done: vec![],
        };
        for mut part in cpu.score_ranges(queries, self.stretch, &ranges, sink) {
            part.end();
            for (query, hits) in part.done {
                found[query] = hits;
            }
        }
        found
    }

    /// Whether the parts fit each other.
    pub fn is_whole(&self, rows: usize) -> bool {
        let panels = self.rows.len() / PANEL;
        let rising = self.starts.is_sorted() && self.starts.first() == Some(&0);
        let end = self.starts.last().map(|end| *end as usize) == Some(panels);
        let there = self
            .rows
            .iter()
            .all(|row| *row == NONE || (*row as usize) < rows);
        rising && end && there && self.stretch.rows == self.rows.len()
    }
}
