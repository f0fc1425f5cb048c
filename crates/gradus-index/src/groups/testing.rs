//! Vectors for tests.

use super::kmeans::Random;

/// `rows` unit vectors around `clusters` random ones, and which each belongs to.
pub(crate) fn blobs(
    rows: usize,
    dim: usize,
    clusters: usize,
    spread: f64,
) -> (Vec<f32>, Vec<usize>) {
    let mut random = Random::new(7);
    let mut normal = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    let mut unit = |around: Option<&[f64]>| {
        let mut values: Vec<f64> = (0..dim).map(|_| normal()).collect();
        let length = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>().sqrt();
        let own = length(&values);
        values.iter_mut().for_each(|x| *x /= own);
        if let Some(around) = around {
            for (x, middle) in values.iter_mut().zip(around) {
                *x = middle + spread * *x;
            }
            let own = length(&values);
            values.iter_mut().for_each(|x| *x /= own);
        }
        values
    };
    let middles: Vec<Vec<f64>> = (0..clusters).map(|_| unit(None)).collect();
    let (mut vectors, mut of) = (vec![], vec![]);
    for row in 0..rows {
        let cluster = (row * row + row / 3) % clusters;
        of.push(cluster);
        vectors.extend(unit(Some(&middles[cluster])).iter().map(|x| *x as f32));
    }
    (vectors, of)
}
