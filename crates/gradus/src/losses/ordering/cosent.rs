use super::PairSimilarity;
use super::pair_similarity::Similarities;
use crate::losses::config::TrainingSet;
use crate::losses::{Input, Objective, ObjectiveError, Output, error};
use serde::{Deserialize, Serialize};

/// CoSENT (Su 2022): of two pairs the one with the better grade should be more
/// alike,
///
/// `log( 1 + sum_{y_a < y_b} w_a w_b exp(scale (s_a - s_b)) )`
///
/// over all pairs `a`, `b` of the batch whose grades differ. With
/// [`PairSimilarity::Angle`] it is the angle term of AnglE (Li & Li 2024).
///
/// Sorted by grade, the sums over all better (or worse) pairs are running ones,
/// so that a batch costs `n log n` and not `n^2`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cosent {
    similarity: PairSimilarity,
    scale: f64,
}

impl Cosent {
    /// `scale` is one over the temperature; 20 in the published form.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`] unless one over it is a temperature
    /// within bounds.
    pub fn new(similarity: PairSimilarity, scale: f64) -> Result<Self, ObjectiveError> {
        error::temperature(1.0 / scale)?;
        Ok(Self { similarity, scale })
    }
}

/// The settings of [`Cosent`] on cosines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CosentSettings {
    /// What similarities are divided by.
    pub temperature: f64,
}

impl Default for CosentSettings {
    fn default() -> Self {
        Self { temperature: 0.05 }
    }
}

impl CosentSettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        self.loss().map(drop)
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`].
    pub fn build(&self, _: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        Ok(Box::new(self.loss()?))
    }

    fn loss(&self) -> Result<Cosent, ObjectiveError> {
        Cosent::new(PairSimilarity::Cosine, 1.0 / self.temperature)
    }
}

/// The settings of [`Cosent`] on [`PairSimilarity::Angle`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AngleSettings {
    /// What similarities are divided by.
    pub temperature: f64,
}

impl Default for AngleSettings {
    fn default() -> Self {
        Self { temperature: 0.05 }
    }
}

impl AngleSettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        self.loss().map(drop)
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`].
    pub fn build(&self, _: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        Ok(Box::new(self.loss()?))
    }

    fn loss(&self) -> Result<Cosent, ObjectiveError> {
        Cosent::new(PairSimilarity::Angle, 1.0 / self.temperature)
    }
}

/// `log(exp(a) + exp(b))`.
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY {
        return high;
    }
    high + (low - high).exp().ln_1p()
}

/// For each place of `order`, the logarithm of the sum of `exp(terms)` over the
/// places before it whose label differs.
fn log_sums_before(order: &[usize], labels: &[f64], terms: &[f64]) -> Vec<f64> {
    let mut sums = vec![f64::NEG_INFINITY; terms.len()];
    let mut before = f64::NEG_INFINITY;
    for group in order.chunk_by(|&a, &b| labels[a] == labels[b]) {
        for &i in group {
            sums[i] = before;
        }
        for &i in group {
            before = log_add(before, terms[i]);
        }
    }
    sums
}

impl Objective for Cosent {
    fn columns(&self) -> usize {
        2
    }

    /// It compares pairs with each other.
    fn min_batch(&self) -> usize {
        2
    }

    fn evaluate(&self, _parameters: &[f32], input: &Input<'_>) -> Output {
        let mut output = Output::zero(input, 0);
        let similarities = Similarities::of(self.similarity, input);
        let labels = input.labels;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|&a, &b| labels[a].total_cmp(&labels[b]));
        let weighted = |sign: f64| -> Vec<f64> {
            let each = similarities.values.iter().zip(input.weights);
            each.map(|(s, &w)| sign * self.scale * s + f64::from(w).ln())
                .collect()
        };
        // As the worse pair `a`, and as the better pair `b`.
        let (worse, better) = (weighted(1.0), weighted(-1.0));
        let below = log_sums_before(&order, labels, &worse);
        order.reverse();
        let above = log_sums_before(&order, labels, &better);
        let mut total = 0.0;
        for i in 0..labels.len() {
            total = log_add(total, worse[i] + above[i]);
        }
        output.loss = total;
        let slope = |i: usize| {
            let as_worse = (worse[i] + above[i] - total).exp();
            let as_better = (better[i] + below[i] - total).exp();
            self.scale * (as_worse - as_better)
        };
        let slopes: Vec<f64> = (0..labels.len()).map(slope).collect();
        similarities.gradients(&slopes, &mut output.embeddings);
        output
    }

    fn describe(&self) -> String {
        let on = match self.similarity {
            PairSimilarity::Cosine => "cosines",
            PairSimilarity::Angle => "angles in complex space",
        };
        format!("CoSENT (scale {}) on {on}", self.scale)
    }
}
