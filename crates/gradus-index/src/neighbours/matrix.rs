//! Vectors as they are searched.

use super::Rows;
use gradus_kernels::cpu::search::{CoarseRows, PANEL, Stretch, copy_row, pack_rows, unpack_rows};
use std::ops::Range;

/// Unit vectors in memory, laid out to be searched.
pub struct PackedVectors {
    panels: Vec<f32>,
    coarse: Option<CoarseRows>,
    rows: usize,
    dim: usize,
}

impl PackedVectors {
    /// Of `vectors`, `[rows, dim]`.
    pub fn new(vectors: &[f32], dim: usize) -> Self {
        Self {
            coarse: CoarseRows::pack(vectors, dim),
            ..Self::plain(vectors, dim)
        }
    }

    /// Of the same without bytes, for those of which every score is wanted.
    pub fn plain(vectors: &[f32], dim: usize) -> Self {
        Self {
            panels: pack_rows(vectors, dim),
            coarse: None,
            rows: vectors.len().checked_div(dim).unwrap_or(0),
            dim,
        }
    }

    /// As search reads them.
    pub fn stretch(&self) -> Stretch<'_> {
        Stretch {
            panels: &self.panels,
            rows: self.rows,
            coarse: self.coarse.as_ref().map(CoarseRows::view),
        }
    }

    /// All of them as a matrix.
    pub fn matrix(&self) -> Matrix<'_> {
        Matrix::new(vec![self.stretch()], self.dim, Rows::all(self.rows))
    }
}

/// The unit vectors of some texts, `[rows, dim]`, in one or several stretches, and which
/// of the rows count.
pub struct Matrix<'a> {
    stretches: Vec<Stretch<'a>>,
    dim: usize,
    rows: Rows,
}

impl<'a> Matrix<'a> {
    /// Of stretches one behind the other.
    ///
    /// # Panics
    /// Unless `rows` has as many as they.
    pub fn new(stretches: Vec<Stretch<'a>>, dim: usize, rows: Rows) -> Self {
        let all: usize = stretches.iter().map(|stretch| stretch.rows).sum();
        assert_eq!(all, rows.len(), "a place for each row");
        Self {
            stretches,
            dim,
            rows,
        }
    }

    /// Values of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Which rows there are, and which of them count.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The numbers of the rows that count, in order.
    pub fn live(&self) -> Vec<usize> {
        (0..self.rows.len())
            .filter(|row| self.rows.has(*row))
            .collect()
    }

    /// All rows.
    pub fn stretches(&self) -> &[Stretch<'a>] {
        &self.stretches
    }

    /// The rows before `row`.
    pub fn before(&self, row: usize) -> Vec<Stretch<'a>> {
        let mut left = row;
        let mut some = vec![];
        for stretch in &self.stretches {
            let rows = stretch.rows.min(left);
            left -= rows;
            if rows > 0 {
                some.push(Stretch { rows, ..*stretch });
            }
        }
        some
    }

    /// The vectors of some rows, `[rows, dim]`.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn vectors(&self, range: Range<usize>) -> Vec<f32> {
        let mut all = Vec::with_capacity(range.len() * self.dim);
        let mut from = 0;
        for stretch in &self.stretches {
            let own = range.start.max(from)..range.end.min(from + stretch.rows);
            if !own.is_empty() {
                let own = own.start - from..own.end - from;
                unpack_rows(stretch.panels, self.dim, own, &mut all);
            }
            from += stretch.rows;
        }
        assert_eq!(all.len(), range.len() * self.dim, "rows that are there");
        all
    }

    /// The vectors of rows in any order, `[rows, dim]`.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn gather(&self, rows: &[usize]) -> Vec<f32> {
        let mut all = Vec::with_capacity(rows.len() * self.dim);
        // Neighbouring rows come out of one panel together.
        let runs = rows.chunk_by(|a, b| a + 1 == *b && !b.is_multiple_of(PANEL));
        for run in runs {
            all.extend(self.vectors(run[0]..run[0] + run.len()));
        }
        all
    }
}

/// Writes the vector of a row of stretches one behind the other.
///
/// # Panics
/// Where there is no such row, or `out` has not as many values as a vector.
pub(crate) fn copy_vector(stretches: &[Stretch<'_>], row: usize, out: &mut [f32]) {
    let mut place = row;
    for stretch in stretches {
        if place < stretch.rows {
            return copy_row(stretch.panels, place, out);
        }
        place -= stretch.rows;
    }
    panic!("there is no row {row}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_any_stretches() {
        let dim = 3;
        let vectors: Vec<f32> = (0..100 * dim).map(|i| i as f32).collect();
        let (low, high) = vectors.split_at(37 * dim);
        let (low, high) = (PackedVectors::new(low, dim), PackedVectors::new(high, dim));
        let stretches = vec![low.stretch(), high.stretch()];
        let matrix = Matrix::new(stretches, dim, Rows::all(100));
        for range in [0..100, 0..0, 30..40, 37..100, 99..100, 36..37] {
            let of = &vectors[range.start * dim..range.end * dim];
            assert_eq!(matrix.vectors(range.clone()), of, "{range:?}");
        }
        let rows = [5, 6, 7, 99, 0, 31, 32, 33];
        let gathered = matrix.gather(&rows);
        for (row, values) in rows.iter().zip(gathered.chunks(dim)) {
            assert_eq!(values, &vectors[row * dim..(row + 1) * dim]);
        }
        let rows = |row| {
            matrix
                .before(row)
                .iter()
                .map(|s| s.rows)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (rows(0), rows(20), rows(50)),
            (vec![], vec![20], vec![37, 13])
        );
    }
}
