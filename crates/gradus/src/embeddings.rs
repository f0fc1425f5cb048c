//! Sentence embeddings as a dense matrix.

/// Sentence embeddings: `rows` vectors of width `dim`, row after row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Embeddings {
    dim: usize,
    data: Vec<f32>,
}

impl Embeddings {
    /// Wraps `data`, whose length must be a multiple of `dim`.
    ///
    /// # Panics
    /// If it is not: a bug of the caller, never of its input.
    pub fn new(dim: usize, data: Vec<f32>) -> Self {
        assert!(
            if dim == 0 {
                data.is_empty()
            } else {
                data.len().is_multiple_of(dim)
            },
            "{} values are not rows of {dim}",
            data.len()
        );
        Self { dim, data }
    }

    /// How many vectors there are.
    pub fn rows(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    /// The width of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The `i`-th vector.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// All values, row after row.
    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }

    /// The first `dim` values of each vector, as sentence-transformers'
    /// `truncate_dim` keeps them; all where there are fewer.
    #[must_use]
    pub fn truncated(self, dim: usize) -> Self {
        if dim >= self.dim {
            return self;
        }
        let rows = self.data.chunks_exact(self.dim);
        Self {
            dim,
            data: rows.flat_map(|row| &row[..dim]).copied().collect(),
        }
    }

    /// Vectors of length 1; a vector that is zero stays so.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        for row in self.data.chunks_exact_mut(self.dim.max(1)) {
            let squares: f64 = row.iter().map(|&v| f64::from(v).powi(2)).sum();
            let norm = squares.sqrt();
            if norm > 0.0 {
                for value in row {
                    *value = (f64::from(*value) / norm) as f32;
                }
            }
        }
        self
    }

    /// The cosine of two rows, computed in f64; 0 where a vector is zero, as
    /// SentEval counts it.
    pub fn cosine(&self, i: usize, j: usize) -> f64 {
        cosine(self.row(i), self.row(j))
    }
}

/// The cosine of two vectors, computed in f64; 0 where a vector is zero.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let (mut dot, mut aa, mut bb) = (0f64, 0f64, 0f64);
    for (&x, &y) in a.iter().zip(b) {
        let (x, y) = (f64::from(x), f64::from(y));
        dot += x * y;
        aa += x * x;
        bb += y * y;
    }
    let norm = aa.sqrt() * bb.sqrt();
    if norm > 0.0 {
        (dot / norm).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_cut_and_scaled_row_by_row() {
        let both = Embeddings::new(3, vec![3.0, 4.0, 12.0, 0.0, 0.0, 1.0]);
        let cut = both.clone().truncated(2);
        assert_eq!((cut.dim(), cut.as_slice()), (2, &[3.0, 4.0, 0.0, 0.0][..]));
        let unit = cut.normalized();
        assert_eq!(unit.as_slice(), [0.6, 0.8, 0.0, 0.0]);
        assert_eq!(both.clone().truncated(9), both);
    }
}
