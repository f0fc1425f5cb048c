//! How far grades lie from what is predicted, by the height of the score.

use serde::{Deserialize, Serialize};

/// The most bands of scores.
const MOST: usize = 10;
/// Pairs that a band needs before another one is opened.
const PAIRS: usize = 100;

/// A stretch of raw scores and how far grades lie from their prediction there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Its lowest score; the first band begins at no particular one.
    pub from: Option<f64>,
    /// Grade less prediction at the interval's lower end; `None` where the
    /// band has too few pairs to tell.
    pub low: Option<f64>,
    /// The same at its upper end.
    pub high: Option<f64>,
    /// Pairs that it rests on.
    pub pairs: usize,
}

/// Bands of about equally many pairs, with the residual quantiles of each.
/// `predicted` are cross-fitted; `coverage` lies between 0 and 1.
///
/// For `n` residuals of exchangeable pairs, a new one lies above the smallest
/// but `floor((n + 1) a / 2)` with probability at least `1 - a / 2`, and
/// likewise from above.
pub(super) fn bands(scores: &[f64], grades: &[f64], predicted: &[f64], coverage: f64) -> Vec<Band> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let count = (scores.len() / PAIRS).clamp(1, MOST);
    let mut bands = Vec::new();
    let mut start = 0;
    for b in 1..=count {
        let mut end = scores.len() * b / count;
        // Equal scores share a band.
        while end < order.len() && end > 0 && scores[order[end]] == scores[order[end - 1]] {
            end += 1;
        }
        if end <= start {
            continue;
        }
        let residual = |&i: &usize| grades[i] - predicted[i];
        let mut residuals: Vec<f64> = order[start..end].iter().map(residual).collect();
        residuals.sort_by(f64::total_cmp);
        let (low, high) = quantiles(&residuals, coverage);
        bands.push(Band {
            from: (start > 0).then(|| scores[order[start]]),
            low,
            high,
            pairs: end - start,
        });
        start = end;
    }
    bands
}

fn quantiles(sorted: &[f64], coverage: f64) -> (Option<f64>, Option<f64>) {
    let tail = (1.0 - coverage) / 2.0;
    // A hair against 0.1 * 10 being less than 1.
    let rank = ((sorted.len() + 1) as f64 * tail + 1e-9).floor() as usize;
    let low = rank.checked_sub(1).and_then(|i| sorted.get(i));
    let high = sorted.len().checked_sub(rank).filter(|_| rank > 0);
    (low.copied(), high.and_then(|i| sorted.get(i)).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_leave_out_a_tenth_at_either_end() {
        let nine: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(quantiles(&nine, 0.8), (Some(1.0), Some(9.0)));
        let many: Vec<f64> = (1..=99).map(f64::from).collect();
        assert_eq!(quantiles(&many, 0.8), (Some(10.0), Some(90.0)));
        assert_eq!(quantiles(&nine[..8], 0.8), (None, None));
        assert_eq!(quantiles(&[], 0.8), (None, None));
    }

    #[test]
    fn bands_hold_every_pair_and_ties_share_one() {
        let scores: Vec<f64> = (0..1000).map(|i| f64::from(i / 130)).collect();
        let grades = vec![1.0; 1000];
        let bands = bands(&scores, &grades, &grades, 0.8);
        assert_eq!(bands.iter().map(|b| b.pairs).sum::<usize>(), 1000);
        let from: Vec<_> = bands[1..].iter().map(|b| b.from.unwrap()).collect();
        assert!(
            bands[0].from.is_none() && from.windows(2).all(|w| w[0] < w[1]),
            "{from:?}"
        );
        assert_eq!(
            super::bands(&[0.5; 300], &[1.0; 300], &[1.0; 300], 0.8).len(),
            1
        );
    }
}
