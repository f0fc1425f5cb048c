//! Isotonic regression by pooling adjacent violators.

use serde::{Deserialize, Serialize};

/// A map that never falls: the one nearest to some points in squared error.
///
/// Fitted by pooling adjacent violators (Ayer, Brunk, Ewing, Reid & Silverman
/// 1955, "An empirical distribution function for sampling with incomplete
/// information"; as a calibration map Zadrozny & Elkan, KDD 2002). Points with
/// one x are first averaged. Between the pooled blocks it runs in a straight
/// line, before the first and after the last it is level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Isotonic {
    /// `[x, y]`: x rises, y does not fall.
    knots: Vec<(f64, f64)>,
}

/// Neighbouring points with one value.
struct Block {
    low: f64,
    high: f64,
    sum: f64,
    count: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.count
    }
}

impl Isotonic {
    /// Fits `(x, y)` points in any order. `None` where there is no point, or a
    /// coordinate is not finite.
    pub fn fit(points: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        let mut points: Vec<(f64, f64)> = points.into_iter().collect();
        let finite = |p: &(f64, f64)| p.0.is_finite() && p.1.is_finite();
        if points.is_empty() || !points.iter().all(finite) {
            return None;
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut blocks: Vec<Block> = Vec::new();
        // `==` tells ties, so that 0.0 ties with -0.0.
        for tied in points.chunk_by(|a, b| a.0 == b.0) {
            let mut block = Block {
                low: tied[0].0,
                high: tied[0].0,
                sum: tied.iter().map(|p| p.1).sum(),
                count: tied.len() as f64,
            };
            while let Some(before) = blocks.pop_if(|before| before.mean() >= block.mean()) {
                block.low = before.low;
                block.sum += before.sum;
                block.count += before.count;
            }
            blocks.push(block);
        }
        let mut knots = Vec::new();
        for block in &blocks {
            knots.push((block.low, block.mean()));
            if block.high > block.low {
                knots.push((block.high, block.mean()));
            }
        }
        Some(Self { knots })
    }

    /// The value at `x`; NaN for NaN.
    pub fn at(&self, x: f64) -> f64 {
        if x.is_nan() {
            return f64::NAN;
        }
        let after = self.knots.partition_point(|knot| knot.0 < x);
        match (after.checked_sub(1), self.knots.get(after)) {
            (_, Some(&(at, y))) if at == x => y,
            (None, Some(&(_, y))) => y,
            (Some(before), None) => self.knots[before].1,
            (Some(before), Some(&(x1, y1))) => {
                let (x0, y0) = self.knots[before];
                // Rounding must not carry it past the next knot.
                (y0 + (y1 - y0) * ((x - x0) / (x1 - x0))).clamp(y0, y1)
            }
            (None, None) => f64::NAN,
        }
    }

    /// The value of a map that gives every score the same.
    pub fn level(&self) -> Option<f64> {
        let (first, rest) = self.knots.split_first()?;
        rest.iter().all(|k| k.1 == first.1).then_some(first.1)
    }

    /// Where the map bends.
    pub fn knots(&self) -> &[(f64, f64)] {
        &self.knots
    }

    /// What is wrong with a map that was read from a file.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let finite = |k: &(f64, f64)| k.0.is_finite() && k.1.is_finite();
        if self.knots.is_empty() {
            Some("`map` has no point")
        } else if !self.knots.iter().all(finite) {
            Some("`map` holds a value that is not finite")
        } else if !self.knots.windows(2).all(|w| w[0].0 < w[1].0) {
            Some("the scores in `map` do not rise")
        } else if !self.knots.windows(2).all(|w| w[0].1 <= w[1].1) {
            Some("the grades in `map` fall")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fit(points: &[(f64, f64)]) -> Isotonic {
        Isotonic::fit(points.iter().copied()).unwrap()
    }

    #[test]
    fn violators_are_pooled_and_the_rest_is_kept() {
        let map = fit(&[(4.0, 5.0), (1.0, 1.0), (2.0, 3.0), (3.0, 2.0)]);
        assert_eq!(
            map.knots(),
            [(1.0, 1.0), (2.0, 2.5), (3.0, 2.5), (4.0, 5.0)]
        );
        assert_eq!(map.at(-9.0), 1.0);
        assert_eq!(map.at(1.5), 1.75);
        assert_eq!(map.at(2.5), 2.5);
        assert_eq!(map.at(f64::INFINITY), 5.0);
        assert!(map.at(f64::NAN).is_nan());
    }

    #[test]
    fn odd_input_is_met() {
        assert_eq!(Isotonic::fit([]), None);
        assert_eq!(Isotonic::fit([(0.0, f64::NAN)]), None);
        assert_eq!(Isotonic::fit([(f64::INFINITY, 1.0)]), None);
        assert_eq!(fit(&[(0.3, 2.0)]).at(7.0), 2.0);
        // Two points, rising and falling.
        assert_eq!(fit(&[(0.0, 1.0), (1.0, 3.0)]).at(0.5), 2.0);
        assert_eq!(fit(&[(0.0, 3.0), (1.0, 1.0)]).at(0.5), 2.0);
        // Ties of x are averaged, zero has no sign.
        let tied = fit(&[(0.0, 1.0), (-0.0, 3.0), (1.0, 4.0)]);
        assert_eq!(tied.at(0.0), 2.0);
        // A constant score tells nothing but the mean.
        assert_eq!(fit(&[(0.5, 1.0), (0.5, 5.0)]).knots(), [(0.5, 3.0)]);
    }

    proptest! {
        #[test]
        fn it_never_falls_and_stays_among_its_points(
            points in prop::collection::vec((-20i32..20, -50i32..50), 1..60),
            at in prop::collection::vec(-25f64..25.0, 2..20),
        ) {
            let points: Vec<_> =
                points.iter().map(|&(x, y)| (f64::from(x) / 7.0, f64::from(y) / 9.0)).collect();
            let map = fit(&points);
            prop_assert_eq!(map.problem(), None);
            let mut at = at;
            at.sort_by(f64::total_cmp);
            let values: Vec<f64> = at.iter().map(|&x| map.at(x)).collect();
            prop_assert!(values.is_sorted());
            let low = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
            let high = points.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(values.iter().all(|v| (low - 1e-9..=high + 1e-9).contains(v)));
            // The least-squares solution keeps the mean.
            let mean = |f: &dyn Fn(&(f64, f64)) -> f64| {
                points.iter().map(f).sum::<f64>() / points.len() as f64
            };
            prop_assert!((mean(&|p| p.1) - mean(&|p| map.at(p.0))).abs() < 1e-9);
        }
    }
}
