use super::{Form, OutOfRange, PointLoss};
use crate::losses::{Input, Objective, ObjectiveError, Output};
use crate::nn::{Features, RegressionHead};
use gradus_kernels::dropout::mix64;
use serde::{Deserialize, Serialize};

/// Regression with a linear head: `p = w . h + b`, where `h` is `[u; v; |u-v|]`
/// or one of its parts, and the loss is the sum of a [`PointLoss`] of `p - label`
/// times the pair's weight, divided by the number of pairs.
///
/// Evaluation by cosine does not use the head; it shapes the encoder, and it is
/// saved with the model to predict grades.
///
/// Source: Zhang & Li (2024), section 3.
pub struct HeadForm {
    loss: Box<dyn PointLoss>,
    features: Features,
    rule: OutOfRange,
    range: (f64, f64),
}

impl HeadForm {
    /// For labels that lie in `range`.
    pub fn new(
        loss: impl PointLoss + 'static,
        features: Features,
        rule: OutOfRange,
        range: (f64, f64),
    ) -> Self {
        Self {
            loss: Box::new(loss),
            features,
            rule,
            range,
        }
    }
}

/// The settings of [`HeadForm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HeadSettings {
    /// What the head sees.
    pub features: Features,
}

impl HeadSettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::Unused`] for the feature of the cosine form.
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        match self.features {
            Features::Cosine => Err(ObjectiveError::unused(
                "features = \"cosine\"",
                "the head form; set form = \"cosine\"",
            )),
            _ => Ok(()),
        }
    }
}

impl From<HeadSettings> for Form {
    fn from(settings: HeadSettings) -> Self {
        Self::Head(settings)
    }
}

/// Adds `slope`, the gradient of example `i`'s features, to the gradients of
/// its two embeddings. Where `u = v`, `|u-v|` passes nothing.
pub(crate) fn add_feature_gradient(
    features: Features,
    input: &Input<'_>,
    i: usize,
    slope: &[f64],
    gradient: &mut [f32],
) {
    let dim = input.embeddings.dim();
    let (u, v) = (input.embedding(0, i), input.embedding(1, i));
    let (at_u, at_v) = (i * dim, (input.examples() + i) * dim);
    let (parts, difference) = match features {
        Features::Difference => (None, Some(slope)),
        Features::Concat => (Some(slope), None),
        Features::ConcatDifference => (Some(&slope[..2 * dim]), Some(&slope[2 * dim..])),
        // The cosine form has its own gradient.
        Features::Cosine => (None, None),
    };
    for c in 0..dim {
        let (mut du, mut dv) = parts.map_or((0.0, 0.0), |p| (p[c], p[dim + c]));
        if let Some(difference) = difference {
            let sign = match u[c].partial_cmp(&v[c]) {
                Some(std::cmp::Ordering::Greater) => 1.0,
                Some(std::cmp::Ordering::Less) => -1.0,
                _ => 0.0,
            };
            du += sign * difference[c];
            dv -= sign * difference[c];
        }
        gradient[at_u + c] += du as f32;
        gradient[at_v + c] += dv as f32;
    }
}

/// A linear layer's weights and biases, uniform in `+-1/sqrt(width)` as
/// PyTorch draws them.
pub(crate) fn uniform_linear(outputs: usize, width: usize, seed: u64) -> Vec<f32> {
    let bound = 1.0 / (width as f64).sqrt();
    (0..(outputs * width + outputs) as u64)
        .map(|i| {
            let unit = (mix64(mix64(seed ^ 0x6865_6164) ^ i) >> 11) as f64 / (1u64 << 53) as f64;
            ((2.0 * unit - 1.0) * bound) as f32
        })
        .collect()
}

/// Decay weights, not biases.
pub(crate) fn linear_decay(outputs: usize, width: usize) -> Vec<bool> {
    (0..outputs * width + outputs)
        .map(|i| i < outputs * width)
        .collect()
}

impl Objective for HeadForm {
    fn columns(&self) -> usize {
        2
    }

    fn initial_parameters(&self, dim: usize, seed: u64) -> Vec<f32> {
        uniform_linear(1, self.features.width(dim), seed)
    }

    fn decayed(&self, dim: usize) -> Vec<bool> {
        linear_decay(1, self.features.width(dim))
    }

    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        let n = input.examples() as f64;
        let (weights, bias) = parameters.split_at(parameters.len() - 1);
        let mut output = Output::zero(input, parameters.len());
        let mut gradient = vec![0f64; parameters.len()];
        for (i, &label) in input.labels.iter().enumerate() {
            let h = self
                .features
                .of(input.embedding(0, i), input.embedding(1, i));
            let dot: f64 = h.iter().zip(weights).map(|(h, &w)| h * f64::from(w)).sum();
            let raw = dot + f64::from(bias[0]);
            let (prediction, passes) = self.rule.apply(raw, label, self.range);
            let (loss, slope) = self
                .loss
                .at(prediction - label, input.tolerances[i].map(f64::from));
            let weight = f64::from(input.weights[i]) / n;
            output.loss += weight * loss;
            if !passes || slope == 0.0 {
                continue;
            }
            let slope = weight * slope;
            for (g, h) in gradient.iter_mut().zip(&h) {
                *g += slope * h;
            }
            gradient[weights.len()] += slope;
            let by_feature: Vec<f64> = weights.iter().map(|&w| slope * f64::from(w)).collect();
            add_feature_gradient(self.features, input, i, &by_feature, &mut output.embeddings);
        }
        output.parameters = gradient.into_iter().map(|g| g as f32).collect();
        output
    }

    fn head(&self, parameters: &[f32], _dim: usize) -> Option<RegressionHead> {
        Some(RegressionHead {
            features: self.features,
            scale: vec![self.range.0, self.range.1],
            outputs: 1,
            values: parameters.to_vec(),
        })
    }

    fn describe(&self) -> String {
        format!(
            "{} on a head over {}",
            self.loss.describe(),
            self.features.notation()
        )
    }
}
