//! Which rows of an embedding table differ from zero.

use crate::View;
use std::ops::Range;

/// Whether two ranges have a value in common.
pub(super) fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The rows of an embedding table's gradient, or of its moments, that may differ from
/// zero.
#[derive(Debug, Clone)]
pub(super) struct SparseRows {
    table: View,
    /// One flag per row.
    touched: Vec<bool>,
    /// Those that have it.
    rows: Vec<u32>,
}

impl SparseRows {
    /// No row touched.
    pub fn new(table: View) -> Self {
        Self {
            table,
            touched: vec![false; table.rows],
            rows: vec![],
        }
    }

    /// The rows of a table that have a value other than zero.
    pub fn scan(table: View, arenas: &[&[f32]]) -> Self {
        let mut found = Self::new(table);
        for row in 0..table.rows {
            let range = found.range_of(row as u32);
            let mut values = arenas.iter().flat_map(|a| &a[range.clone()]);
            if values.any(|&x| x != 0.0) {
                found.touch_row(row as u32);
            }
        }
        found
    }

    pub fn table(&self) -> View {
        self.table
    }

    /// Where a row lies.
    pub fn range_of(&self, row: u32) -> Range<usize> {
        let from = self.table.offset + row as usize * self.table.cols;
        from..from + self.table.cols
    }

    pub fn is_touched(&self, row: u32) -> bool {
        self.touched[row as usize]
    }

    pub fn touch_row(&mut self, row: u32) {
        if !std::mem::replace(&mut self.touched[row as usize], true) {
            self.rows.push(row);
        }
    }

    /// Marks the rows that a range of the arena meets.
    pub fn touch(&mut self, range: &Range<usize>) {
        let table = self.table.range();
        let (from, to) = (range.start.max(table.start), range.end.min(table.end));
        if from < to {
            let width = self.table.cols;
            let rows = (from - table.start) / width..(to - table.start).div_ceil(width);
            rows.for_each(|row| self.touch_row(row as u32));
        }
    }

    /// Marks rows of the same table.
    pub fn touch_those_of(&mut self, others: &Self) {
        others.iter().for_each(|row| self.touch_row(row));
        // A few rows behind many that are in order: this sort makes use of it.
        self.rows.sort();
    }

    /// No row is touched any more.
    pub fn clear(&mut self) {
        for row in self.rows.drain(..) {
            self.touched[row as usize] = false;
        }
    }

    /// The rows that are touched, in any order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.rows.iter().copied()
    }

    /// The same in order.
    pub fn rows(&self) -> Vec<u32> {
        let mut rows = self.rows.clone();
        rows.sort();
        rows
    }

    /// Where they lie, in order; neighbours together.
    pub fn runs(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = vec![];
        for row in self.rows() {
            let own = self.range_of(row);
            match runs.last_mut() {
                Some(run) if run.end == own.start => run.end = own.end,
                _ => runs.push(own),
            }
        }
        runs
    }
}

/// The parts of an arena that may differ from zero.
pub(super) struct Active {
    table: Range<usize>,
    runs: Vec<Range<usize>>,
}

impl Active {
    /// All but those rows of a table that are not touched, where they are known.
    pub fn new(sparse: Option<&SparseRows>) -> Self {
        Self {
            table: sparse.map_or(0..0, |rows| rows.table().range()),
            runs: sparse.map_or(vec![], SparseRows::runs),
        }
    }

    /// Those of a range, in order.
    pub fn parts(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let cut = |part: &Range<usize>| part.start.max(range.start)..part.end.min(range.end);
        let before = cut(&(0..self.table.start));
        let behind = cut(&(self.table.end..usize::MAX));
        let first = self.runs.partition_point(|run| run.end <= range.start);
        let runs = self.runs[first..].iter();
        let inside = runs.take_while(|run| run.start < range.end).map(cut);
        let parts = [before].into_iter().chain(inside).chain([behind]);
        parts.filter(|part| part.start < part.end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_touched_once_and_neighbours_are_one_run() {
        let mut rows = SparseRows::new(View::new(10, 6, 4));
        for row in [4, 1, 2, 4] {
            rows.touch_row(row);
        }
        assert_eq!(rows.rows(), [1, 2, 4]);
        assert_eq!(rows.runs(), [14..22, 26..30]);
        let active = Active::new(Some(&rows));
        assert_eq!(active.parts(0..100), [0..10, 14..22, 26..30, 34..100]);
        assert_eq!(active.parts(16..28), [16..22, 26..28]);
        assert_eq!(active.parts(36..38), [Range { start: 36, end: 38 }]);
        let all = Active::new(None);
        assert_eq!(all.parts(3..9), [Range { start: 3, end: 9 }]);
        rows.clear();
        rows.touch(&(0..11));
        rows.touch(&(33..50));
        assert_eq!(rows.rows(), [0, 5]);
        let mut more = SparseRows::new(rows.table());
        more.touch_row(3);
        more.touch_those_of(&rows);
        assert_eq!(more.rows(), [0, 3, 5]);
        assert!(more.is_touched(5) && !more.is_touched(4));
    }

    #[test]
    fn a_scan_finds_rows_that_are_not_zero() {
        let (mut a, mut b) = (vec![0.0; 20], vec![0.0; 20]);
        (a[3], b[19]) = (1.0, f32::NAN);
        let rows = SparseRows::scan(View::new(2, 6, 3), &[&a, &b]);
        assert_eq!(rows.rows(), [0, 5]);
    }
}
