//! Decay of rows that nothing else changes, put off until they are read.
//!
//! A step of AdamW with few gradients only decays most rows of an embedding table: it
//! would read and write them all to multiply each by one factor. The factors are kept
//! instead, and applied in order, so that values have the bits of the eager update.

use super::sparse_rows::{SparseRows, overlap};
use super::{Cpu, cut};
use crate::View;
use std::ops::Range;

/// Factors that are put off at most: then a row that is read costs little, and a pass
/// over the table is rare.
const MOST: usize = 64;

/// Rows a task has.
const GRAIN: usize = 256;

/// Factors that rows of a table are still to be multiplied by.
#[derive(Debug)]
pub(super) struct DeferredDecay {
    /// The rows that have no debt.
    current: SparseRows,
    factors: Vec<f32>,
}

impl DeferredDecay {
    /// No factors yet; `moving` rows are not put off.
    pub fn new(moving: &SparseRows) -> Self {
        Self {
            current: moving.clone(),
            factors: vec![],
        }
    }

    pub fn table(&self) -> View {
        self.current.table()
    }

    /// A row as it is after its factors.
    #[inline(always)]
    pub fn put_row(&self, row: u32, values: &mut [f32]) {
        if !self.current.is_touched(row) {
            self.put(values);
        }
    }

    #[inline(always)]
    fn put(&self, values: &mut [f32]) {
        let (chunks, rest) = values.as_chunks_mut::<64>();
        for values in chunks {
            for factor in &self.factors {
                for x in values.iter_mut() {
                    *x *= factor;
                }
            }
        }
        for x in rest {
            for factor in &self.factors {
                *x *= factor;
            }
        }
    }

    /// Whether a range of the arena has a value of the table, and there are factors.
    pub fn meets(&self, range: &Range<usize>) -> bool {
        !self.factors.is_empty() && overlap(&self.table().range(), range)
    }

    /// Makes of part of the arena, from `start` on, what it is after its factors.
    pub fn put_range(&self, start: usize, values: &mut [f32]) {
        let (table, end) = (self.table(), start + values.len());
        if !self.meets(&(start..end)) {
            return;
        }
        let (from, to) = (start.max(table.offset), end.min(table.range().end));
        let rows = (from - table.offset) / table.cols..(to - table.offset).div_ceil(table.cols);
        for row in rows {
            let own = self.current.range_of(row as u32);
            let part = own.start.max(start) - start..own.end.min(end) - start;
            self.put_row(row as u32, &mut values[part]);
        }
    }

    /// Whether it can go on where so many rows move: none has ceased to.
    pub fn follows(&self, moving: &SparseRows) -> bool {
        let same = self.table() == moving.table();
        same && self.current.iter().all(|row| moving.is_touched(row))
    }

    /// Brings up to date the rows that move from now on.
    pub fn move_rows(&mut self, moving: &SparseRows, values: &mut [f32]) {
        for row in moving.iter() {
            self.put_row(row, &mut values[self.current.range_of(row)]);
            self.current.touch_row(row);
        }
    }

    /// One factor more for the rows that do not move.
    pub fn decay(&mut self, cpu: &Cpu, factor: f32, values: &mut [f32]) {
        if factor == 1.0 {
            return;
        }
        self.factors.push(factor);
        if self.factors.len() >= MOST {
            self.settle(cpu, values);
            self.factors.clear();
        }
    }

    /// Applies all factors.
    pub fn settle(&self, cpu: &Cpu, values: &mut [f32]) {
        let table = self.table();
        let all = 0..table.rows;
        let tasks: Vec<Range<usize>> = (all.clone().step_by(GRAIN))
            .map(|from| from..(from + GRAIN).min(all.end))
            .collect();
        let parts = cut(table.of_mut(values), &tasks, table.cols).into_iter();
        cpu.each(parts.zip(tasks).collect(), |(values, rows)| {
            cpu.simd(
                #[inline(always)]
                || {
                    for (row, values) in rows.zip(values.chunks_exact_mut(table.cols)) {
                        self.put_row(row as u32, values);
                    }
                },
            );
        });
    }
}
