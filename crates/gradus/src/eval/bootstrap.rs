//! The paired bootstrap: how far a difference between models may be due to the
//! pairs that happen to be in a test set.
//!
//! Pairs are drawn with replacement, the same ones for every model (Efron &
//! Tibshirani 1993, chapter 13; for paired comparison of systems Koehn 2004,
//! "Statistical significance tests for machine translation evaluation").

use gradus_kernels::dropout::mix64;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The range that a value lies in with some confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// The percentile interval of resampled values, `confidence` in 0..1.
    /// `None` without values. NaNs, from resamples without a correlation, are
    /// passed over.
    pub fn percentile(values: &[f64], confidence: f64) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |share: f64| {
            let place = share * last as f64;
            let (below, part) = (place.floor() as usize, place.fract());
            sorted[below] + part * (sorted[(below + 1).min(last)] - sorted[below])
        };
        let tail = (1.0 - confidence) / 2.0;
        Some(Self {
            low: at(tail),
            high: at(1.0 - tail),
        })
    }

    /// Whether zero lies outside.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// Spearman's correlation of each model's similarities with the grades of one
/// task, on `resamples` draws of its pairs: one list a model, in which place
/// `r` stands for the same draw in all. NaN where a draw has no correlation.
///
/// Depends on `seed` and on the number of pairs, on nothing else; a draw costs
/// time in proportion to pairs and models, without sorting.
pub fn resampled_spearman(
    grades: &[f64],
    models: &[&[f64]],
    resamples: usize,
    seed: u64,
) -> Vec<Vec<f64>> {
    let pairs = grades.len();
    let sorted: Vec<Sorted> = models.iter().map(|m| Sorted::new(&m[..pairs])).collect();
    let gold = Sorted::new(grades);
    let draws: Vec<Vec<f64>> = (0..resamples as u64)
        .into_par_iter()
        .map(|r| {
            let mut counts = vec![0u32; pairs];
            let key = mix64(seed ^ mix64(r));
            for i in 0..pairs as u64 {
                // The high half of the product is uniform over the pairs.
                let place = (u128::from(mix64(key ^ i)) * pairs as u128) >> 64;
                counts[place as usize] += 1;
            }
            let gold = gold.ranks(&counts);
            let score = |model: &Sorted| weighted_pearson(&model.ranks(&counts), &gold, &counts);
            sorted.iter().map(score).collect()
        })
        .collect();
    let of_model = |m| draws.iter().map(|scores| scores[m]).collect();
    (0..models.len()).map(of_model).collect()
}

/// How much better `a` follows the grades than `b`: the interval that 95 % of
/// paired draws put the difference of their Spearman correlations in. `None`
/// where no draw has a correlation.
///
/// Deterministic: it depends on the values, `resamples` and `seed` alone.
///
/// # Panics
/// If there are fewer values in `a` or `b` than grades: a bug of the caller.
pub fn paired_bootstrap(
    gold: &[f64],
    a: &[f64],
    b: &[f64],
    resamples: usize,
    seed: u64,
) -> Option<Interval> {
    let draws = resampled_spearman(gold, &[a, b], resamples, seed);
    let differences: Vec<f64> = draws[0].iter().zip(&draws[1]).map(|(a, b)| a - b).collect();
    Interval::percentile(&differences, 0.95)
}

/// Values in order, so that ranks of any resample are had in one pass.
struct Sorted {
    order: Vec<u32>,
    /// Whether each value in order equals the one before it.
    tied: Vec<bool>,
}

impl Sorted {
    fn new(values: &[f64]) -> Self {
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
        let value = |place: usize| values[order[place] as usize];
        let tied = |place: usize| place > 0 && value(place) == value(place - 1);
        let tied = (0..values.len()).map(tied).collect();
        Self { order, tied }
    }

    /// The average rank of each value when value `i` is there `counts[i]`
    /// times.
    fn ranks(&self, counts: &[u32]) -> Vec<f64> {
        let mut ranks = vec![0.0; counts.len()];
        let (mut start, mut before) = (0, 0u64);
        while start < self.order.len() {
            let mut end = start + 1;
            while end < self.order.len() && self.tied[end] {
                end += 1;
            }
            let group = &self.order[start..end];
            let here: u64 = group.iter().map(|&i| u64::from(counts[i as usize])).sum();
            let rank = before as f64 + (here + 1) as f64 / 2.0;
            for &i in group {
                ranks[i as usize] = rank;
            }
            (start, before) = (end, before + here);
        }
        ranks
    }
}

fn weighted_pearson(x: &[f64], y: &[f64], counts: &[u32]) -> f64 {
    // Average ranks of `total` values: their mean is known.
    let total: f64 = counts.iter().map(|&c| f64::from(c)).sum();
    let mean = (total + 1.0) / 2.0;
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for ((x, y), &count) in x.iter().zip(y).zip(counts) {
        let (x, y, count) = (x - mean, y - mean, f64::from(count));
        xx += count * x * x;
        yy += count * y * y;
        xy += count * x * y;
    }
    xy / (xx * yy).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::spearman;

    fn noise(n: usize, seed: u64) -> Vec<f64> {
        let unit = |i: u64| mix64(seed ^ mix64(i)) as f64 / u64::MAX as f64;
        (0..n as u64).map(unit).collect()
    }

    #[test]
    fn weighted_ranks_are_those_of_repeated_values() {
        let n = 60;
        let x: Vec<f64> = noise(n, 1).iter().map(|v| (v * 9.0).floor()).collect();
        let y: Vec<f64> = noise(n, 2).iter().map(|v| (v * 5.0).floor()).collect();
        let counts: Vec<u32> = noise(n, 3).iter().map(|v| (v * 4.0) as u32).collect();
        let repeated = |values: &[f64]| -> Vec<f64> {
            let each = values.iter().zip(&counts);
            each.flat_map(|(v, &c)| std::iter::repeat_n(*v, c as usize))
                .collect()
        };
        let expected = spearman(&repeated(&x), &repeated(&y)).value().unwrap();
        let (x, y) = (Sorted::new(&x), Sorted::new(&y));
        let got = weighted_pearson(&x.ranks(&counts), &y.ranks(&counts), &counts);
        assert!((got - expected).abs() < 1e-12, "{got} {expected}");
    }

    #[test]
    fn a_clear_difference_excludes_zero_and_none_does_not() {
        let grades: Vec<f64> = noise(500, 4).iter().map(|v| (v * 6.0).floor()).collect();
        let near = |share: f64, seed| -> Vec<f64> {
            let with = grades.iter().zip(noise(500, seed));
            with.map(|(g, e)| g + share * 6.0 * e).collect()
        };
        let (good, bad, other) = (near(0.2, 5), near(2.0, 6), near(0.2, 7));
        let draws = resampled_spearman(&grades, &[&good, &bad, &other], 400, 9);
        let interval = |a: usize, b: usize| {
            let d: Vec<f64> = draws[a].iter().zip(&draws[b]).map(|(a, b)| a - b).collect();
            Interval::percentile(&d, 0.95).unwrap()
        };
        assert!(interval(0, 1).low > 0.1);
        assert!(!interval(0, 2).excludes_zero(), "{:?}", interval(0, 2));
        assert_eq!(
            draws,
            resampled_spearman(&grades, &[&good, &bad, &other], 400, 9)
        );
    }

    #[test]
    fn a_pair_of_models_is_compared_in_one_call() {
        let grades = noise(300, 21);
        let near = |share: f64, seed| -> Vec<f64> {
            let with = grades.iter().zip(noise(300, seed));
            with.map(|(g, e)| g + share * e).collect()
        };
        let (good, bad) = (near(0.3, 22), near(3.0, 23));
        let better = paired_bootstrap(&grades, &good, &bad, 300, 5).unwrap();
        assert!(better.low > 0.0, "{better:?}");
        let worse = paired_bootstrap(&grades, &bad, &good, 300, 5).unwrap();
        assert!((worse.low + better.high).abs() < 1e-12 && (worse.high + better.low).abs() < 1e-12);
        let same = paired_bootstrap(&grades, &good, &good, 300, 5).unwrap();
        assert_eq!((same.low, same.high), (0.0, 0.0));
        assert_eq!(
            paired_bootstrap(&[1.0, 1.0], &[0.1, 0.2], &[0.3, 0.1], 9, 5),
            None
        );
    }

    #[test]
    fn its_spread_is_that_of_the_correlation() {
        // For independent values the correlation's standard error is
        // 1 / sqrt(n - 1).
        let (x, y) = (noise(400, 11), noise(400, 12));
        let draws = &resampled_spearman(&y, &[&x], 2000, 1)[0];
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let spread = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        let error = spread.sqrt() * 399f64.sqrt();
        assert!((0.85..1.15).contains(&error), "{error}");
    }

    #[test]
    fn degenerate_input_has_no_interval() {
        let draws = resampled_spearman(&[1.0, 1.0], &[&[0.1, 0.2]], 5, 1);
        assert!(draws[0].iter().all(|d| d.is_nan()));
        assert_eq!(Interval::percentile(&draws[0], 0.95), None);
        assert_eq!(Interval::percentile(&[], 0.95), None);
        assert!(
            resampled_spearman(&[], &[&[]], 3, 1)[0]
                .iter()
                .all(|d| d.is_nan())
        );
        let one = Interval::percentile(&[0.5], 0.95).unwrap();
        assert_eq!((one.low, one.high), (0.5, 0.5));
    }
}
