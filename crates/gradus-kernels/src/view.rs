use std::ops::Range;

/// Where a matrix lies in a flat parameter arena: `rows * cols` values from
/// `offset` on, row-major. Vectors have one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Index of the first value.
    pub offset: usize,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
}

impl View {
    /// A view of `rows * cols` values from `offset` on.
    pub fn new(offset: usize, rows: usize, cols: usize) -> Self {
        Self { offset, rows, cols }
    }

    /// How many values it covers.
    pub fn len(&self) -> usize {
        self.rows * self.cols
    }

    /// Whether it covers none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The indices it covers.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len()
    }

    /// Its part of `arena`.
    pub fn of<'a>(&self, arena: &'a [f32]) -> &'a [f32] {
        &arena[self.range()]
    }

    /// Its part of `arena`.
    pub fn of_mut<'a>(&self, arena: &'a mut [f32]) -> &'a mut [f32] {
        &mut arena[self.range()]
    }
}
