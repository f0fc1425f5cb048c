//! The mean of some rows, and how near they are to it.

use crate::neighbours::Matrix;

/// Rows that are unpacked together.
const SOME: usize = 1024;

/// The unit mean of some rows; zeros where they cancel out.
pub(crate) fn mean_of(matrix: &Matrix<'_>, rows: &[usize]) -> Vec<f32> {
    let mut sum = vec![0f64; matrix.dim()];
    for some in rows.chunks(SOME) {
        for vector in matrix.gather(some).chunks_exact(matrix.dim()) {
            sum.iter_mut()
                .zip(vector)
                .for_each(|(s, x)| *s += f64::from(*x));
        }
    }
    unit(&sum)
}

/// The same of a sum of vectors.
pub(super) fn unit(sum: &[f64]) -> Vec<f32> {
    let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    sum.iter().map(|x| (x * scale) as f32).collect()
}

/// The cosine of each of some rows with a vector.
pub(crate) fn cosines_with(matrix: &Matrix<'_>, rows: &[usize], vector: &[f32]) -> Vec<f32> {
    let mut cosines = vec![];
    for some in rows.chunks(SOME) {
        let vectors = matrix.gather(some);
        let rows = vectors.chunks_exact(matrix.dim());
        cosines.extend(rows.map(|row| gradus::cosine(vector, row) as f32));
    }
    cosines
}
