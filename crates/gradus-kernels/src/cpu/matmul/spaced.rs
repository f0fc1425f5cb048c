//! Matrices inside others.

use std::ops::Range;

/// A matrix whose rows of `cols` values begin `stride` apart.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Spaced<'a> {
    values: &'a [f32],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a> Spaced<'a> {
    /// The first value of `values` is the matrix's first.
    #[inline(always)]
    pub fn new(values: &'a [f32], [rows, cols]: [usize; 2], stride: usize) -> Self {
        let len = rows.checked_sub(1).map_or(0, |last| last * stride + cols);
        Self {
            values: &values[..len],
            rows,
            cols,
            stride,
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Some of its rows.
    #[inline(always)]
    pub fn some(&self, rows: Range<usize>) -> Self {
        let from = &self.values[rows.start * self.stride..];
        Self::new(from, [rows.len(), self.cols], self.stride)
    }

    /// From its first value to its last, and what lies between its rows.
    pub(super) fn values(&self) -> &'a [f32] {
        self.values
    }

    /// From row to row.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    #[inline(always)]
    pub(super) fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.stride..][..self.cols]
    }
}
