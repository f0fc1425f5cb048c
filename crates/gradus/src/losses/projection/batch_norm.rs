//! Batch normalisation (Ioffe & Szegedy 2015) by the batch's own statistics.

/// Added to variances.
const EPS: f64 = 1e-5;

/// A normalised batch and what its backward needs.
pub(crate) struct Normalised {
    /// `(x - mean) / sqrt(variance + eps)` of each column, `[rows, width]`.
    pub values: Vec<f32>,
    /// `1 / sqrt(variance + eps)` of each column.
    inverse: Vec<f32>,
}

impl Normalised {
    /// Over all rows of `[rows, width]`; the variance is the biased one.
    pub fn of(x: &[f32], width: usize) -> Self {
        let rows = (x.len() / width).max(1) as f64;
        let mut mean = vec![0f64; width];
        for row in x.chunks_exact(width) {
            for (sum, x) in mean.iter_mut().zip(row) {
                *sum += f64::from(*x);
            }
        }
        mean.iter_mut().for_each(|m| *m /= rows);
        let mut variance = vec![0f64; width];
        for row in x.chunks_exact(width) {
            for ((sum, x), mean) in variance.iter_mut().zip(row).zip(&mean) {
                *sum += (f64::from(*x) - mean).powi(2);
            }
        }
        let inverse: Vec<f64> = variance
            .iter()
            .map(|v| 1.0 / (v / rows + EPS).sqrt())
            .collect();
        let mut values = Vec::with_capacity(x.len());
        for row in x.chunks_exact(width) {
            let each = row.iter().zip(&mean).zip(&inverse);
            values.extend(each.map(|((x, m), i)| ((f64::from(*x) - m) * i) as f32));
        }
        Self {
            values,
            inverse: inverse.into_iter().map(|i| i as f32).collect(),
        }
    }

    /// The gradient of the input from that of the normalised values `y`:
    /// `(dy - mean(dy) - y mean(dy y)) / sqrt(variance + eps)`, means by column.
    pub fn backward(&self, mut dy: Vec<f32>) -> Vec<f32> {
        let width = self.inverse.len();
        let rows = (dy.len() / width).max(1) as f64;
        let (mut mean, mut along) = (vec![0f64; width], vec![0f64; width]);
        for (dy, y) in dy.chunks_exact(width).zip(self.values.chunks_exact(width)) {
            for c in 0..width {
                mean[c] += f64::from(dy[c]) / rows;
                along[c] += f64::from(dy[c]) * f64::from(y[c]) / rows;
            }
        }
        let values = self.values.chunks_exact(width);
        for (dy, y) in dy.chunks_exact_mut(width).zip(values) {
            for c in 0..width {
                let centred = f64::from(dy[c]) - mean[c] - f64::from(y[c]) * along[c];
                dy[c] = (centred * f64::from(self.inverse[c])) as f32;
            }
        }
        dy
    }
}
