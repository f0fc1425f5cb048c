use super::PairSimilarity;
use super::pair_similarity::Similarities;
use crate::losses::config::TrainingSet;
use crate::losses::{Input, Objective, ObjectiveError, Output};
use serde::{Deserialize, Serialize};

/// `1 - r`, with `r` Pearson's correlation of cosines and grades over the batch
/// (the second stage of Pcc-tuning; Zhang & Li 2024). Examples count by their
/// weight.
///
/// With `a` and `b` the deviations from the means, divided by their lengths,
/// `dr / ds_i = w_i (b_i - r a_i) / length`. A batch of equal grades, or of
/// equal cosines, has no correlation: its loss is 1, without a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PearsonLoss;

/// [`PearsonLoss`] has no settings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PearsonSettings {}

impl PearsonSettings {
    /// There is nothing to check.
    ///
    /// # Errors
    /// None.
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        Ok(())
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// None.
    pub fn build(&self, _: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        Ok(Box::new(PearsonLoss))
    }
}

/// Deviations from the weighted mean, and the root of their weighted squares'
/// sum.
fn deviations(values: &[f64], weights: &[f32]) -> (Vec<f64>, f64) {
    let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
    let weighted = values.iter().zip(weights);
    let mean = weighted.map(|(v, &w)| v * f64::from(w)).sum::<f64>() / total;
    let deviations: Vec<f64> = values.iter().map(|v| v - mean).collect();
    let squares = deviations.iter().zip(weights);
    let length = squares
        .map(|(d, &w)| d * d * f64::from(w))
        .sum::<f64>()
        .sqrt();
    (deviations, length)
}

impl Objective for PearsonLoss {
    fn columns(&self) -> usize {
        2
    }

    /// Two pairs always correlate by 1 or -1.
    fn min_batch(&self) -> usize {
        3
    }

    fn evaluate(&self, _parameters: &[f32], input: &Input<'_>) -> Output {
        /// Cosines closer to each other than f32 tells apart.
        const LEAST: f64 = 1e-7;
        let mut output = Output::zero(input, 0);
        let similarities = Similarities::of(PairSimilarity::Cosine, input);
        let (a, a_length) = deviations(&similarities.values, input.weights);
        let (b, b_length) = deviations(input.labels, input.weights);
        output.loss = 1.0;
        // Also false for NaN, where no example has any weight.
        if !(a_length > LEAST && b_length > 0.0) {
            return output;
        }
        let terms = a.iter().zip(&b).zip(input.weights);
        let products = terms.map(|((a, b), &w)| a * b * f64::from(w));
        let r = products.sum::<f64>() / (a_length * b_length);
        output.loss -= r;
        let slopes: Vec<f64> = a
            .iter()
            .zip(&b)
            .zip(input.weights)
            .map(|((a, b), &w)| -f64::from(w) * (b / b_length - r * a / a_length) / a_length)
            .collect();
        similarities.gradients(&slopes, &mut output.embeddings);
        output
    }

    fn describe(&self) -> String {
        "1 - Pearson's correlation of cosines and grades".into()
    }
}
