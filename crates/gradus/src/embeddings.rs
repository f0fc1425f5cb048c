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
