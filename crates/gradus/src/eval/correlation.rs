//! Pearson's and Spearman's correlation, as SciPy computes them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A correlation in -1..1, or why there is none.
///
/// Serialises to the number, or to `{"value": null, "reason": "..."}`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Correlation {
    /// The correlation.
    Value(f64),
    /// It does not exist.
    Undefined(Undefined),
}

/// Why a correlation does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undefined {
    /// The two sides differ in length.
    LengthMismatch,
    /// Fewer than two values.
    TooFewValues,
    /// A value is NaN, or for Pearson infinite.
    NotFinite,
    /// All values of a side are equal, so that they follow nothing.
    Constant,
    /// A correlation that this one averages does not exist.
    UndefinedPart,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Undefined::LengthMismatch => "there are not as many values on both sides",
            Undefined::TooFewValues => "fewer than two values",
            Undefined::NotFinite => "a value is not a finite number",
            Undefined::Constant => "all values of a side are equal",
            Undefined::UndefinedPart => "a part of the average is undefined",
        })
    }
}

impl Correlation {
    /// The number, if there is one.
    pub fn value(self) -> Option<f64> {
        match self {
            Correlation::Value(value) => Some(value),
            Correlation::Undefined(_) => None,
        }
    }

    /// The mean of correlations, each with its weight. Undefined if one of
    /// them is, or if there are none.
    pub fn weighted_mean(parts: impl IntoIterator<Item = (Correlation, f64)>) -> Self {
        let (mut sum, mut total) = (0.0, 0.0);
        for (part, weight) in parts {
            match part {
                Correlation::Value(value) => sum += value * weight,
                Correlation::Undefined(_) => {
                    return Correlation::Undefined(Undefined::UndefinedPart);
                }
            }
            total += weight;
        }
        if total > 0.0 {
            Correlation::Value(sum / total)
        } else {
            Correlation::Undefined(Undefined::TooFewValues)
        }
    }

    /// The plain mean of correlations.
    pub fn mean(parts: impl IntoIterator<Item = Correlation>) -> Self {
        Self::weighted_mean(parts.into_iter().map(|part| (part, 1.0)))
    }
}

/// Whether scores are all the same but for the rounding of f32 vectors: what order
/// they have means nothing.
pub fn is_level(scores: &[f64]) -> bool {
    if scores.is_empty() || !scores.iter().all(|s| s.is_finite()) {
        return false;
    }
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    high - low <= 1e-7 * high.abs().max(low.abs())
}

/// Pearson's correlation of two sides of equal length.
///
/// Two passes in f64. Values of any finite size do: they are brought near 1
/// before they are squared.
pub fn pearson(x: &[f64], y: &[f64]) -> Correlation {
    let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
    match check(x, y) {
        Some(why) => Correlation::Undefined(why),
        None if !finite(x) || !finite(y) => Correlation::Undefined(Undefined::NotFinite),
        None => of_deviations(&deviations(x), &deviations(y)),
    }
}

/// Spearman's correlation: Pearson's of the ranks, ties ranked by their
/// average. Infinite values rank as the largest and smallest.
pub fn spearman(x: &[f64], y: &[f64]) -> Correlation {
    match check(x, y) {
        Some(why) => Correlation::Undefined(why),
        // Ranks are halves of integers, so their sums are exact and do not
        // depend on the order of the pairs.
        None => of_deviations(
            &deviations(&average_ranks(x)),
            &deviations(&average_ranks(y)),
        ),
    }
}

/// The ranks of values, from 1; equal values share the average of their
/// ranks. NaN ranks last.
pub fn average_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    // `==` and not the order above tells ties, so that 0.0 ties with -0.0.
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = start as f64 + (tied.len() + 1) as f64 / 2.0;
        for &i in tied {
            ranks[i] = rank;
        }
        start += tied.len();
    }
    ranks
}

fn check(x: &[f64], y: &[f64]) -> Option<Undefined> {
    let constant = |values: &[f64]| values.iter().all(|v| *v == values[0]);
    if x.len() != y.len() {
        Some(Undefined::LengthMismatch)
    } else if x.len() < 2 {
        Some(Undefined::TooFewValues)
    } else if x.iter().chain(y).any(|v| v.is_nan()) {
        Some(Undefined::NotFinite)
    } else if constant(x) || constant(y) {
        Some(Undefined::Constant)
    } else {
        None
    }
}

/// Deviations from the mean, the largest between 2^-500 and 2^500 so that
/// their squares can be summed. Only powers of two are multiplied in, which
/// changes no digit.
fn deviations(values: &[f64]) -> Vec<f64> {
    let scaled = rescaled(values.to_vec());
    let mean = scaled.iter().sum::<f64>() / scaled.len() as f64;
    rescaled(scaled.iter().map(|v| v - mean).collect())
}

fn rescaled(mut values: Vec<f64>) -> Vec<f64> {
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let factor = if largest > 2f64.powi(500) {
        2f64.powi(-600)
    } else if largest < 2f64.powi(-500) {
        2f64.powi(600)
    } else {
        return values;
    };
    values.iter_mut().for_each(|v| *v *= factor);
    values
}

fn of_deviations(x: &[f64], y: &[f64]) -> Correlation {
    let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let dot: f64 = x.iter().zip(y).map(|(a, b)| a * b).sum();
    let r = dot / (norm(x) * norm(y));
    // Rounding can carry a perfect correlation past 1.
    Correlation::Value(r.clamp(-1.0, 1.0))
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Value(f64),
    Undefined {
        value: Option<f64>,
        reason: Undefined,
    },
}

impl Serialize for Correlation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Correlation::Value(value) => Written::Value(value),
            Correlation::Undefined(reason) => Written::Undefined {
                value: None,
                reason,
            },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Correlation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Value(value) => Correlation::Value(value),
            Written::Undefined { reason, .. } => Correlation::Undefined(reason),
        })
    }
}
