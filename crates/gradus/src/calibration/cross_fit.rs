//! What a map says of pairs that it was not fitted on.

use super::Isotonic;
use gradus_kernels::dropout::mix64;

/// The most parts that pairs are cut into.
pub const FOLDS: usize = 10;

/// For each pair the grade that a map says which was fitted on the other folds.
/// Pairs are dealt to at most ten folds in an order drawn once for all, so the
/// result depends on the pairs' order and values alone. Both sides are finite
/// and at least two long.
pub(super) fn cross_fitted(scores: &[f64], grades: &[f64]) -> Vec<f64> {
    let n = scores.len().min(grades.len());
    let folds = FOLDS.min(n);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&i| mix64(i as u64));
    let mut fold = vec![0; n];
    for (place, &i) in order.iter().enumerate() {
        fold[i] = place % folds;
    }
    let mut predicted = vec![f64::NAN; n];
    for f in 0..folds {
        let others = (0..n).filter(|&i| fold[i] != f);
        let Some(map) = Isotonic::fit(others.map(|i| (scores[i], grades[i]))) else {
            continue;
        };
        for i in (0..n).filter(|&i| fold[i] == f) {
            predicted[i] = map.at(scores[i]);
        }
    }
    predicted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pair_tells_of_itself() {
        let scores: Vec<f64> = (0..40).map(f64::from).collect();
        let mut grades = scores.clone();
        let before = cross_fitted(&scores, &grades);
        grades[17] = 1e6;
        let after = cross_fitted(&scores, &grades);
        assert_eq!(before[17], after[17]);
        assert_ne!(before, after);
    }

    #[test]
    fn two_pairs_tell_of_each_other() {
        assert_eq!(cross_fitted(&[0.1, 0.9], &[1.0, 4.0]), [4.0, 1.0]);
    }
}
