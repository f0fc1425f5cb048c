use super::{Form, OutOfRange, PointLoss};
use crate::losses::{Input, Objective, ObjectiveError, Output};
use crate::nn::{Features, RegressionHead};
use serde::{Deserialize, Serialize};

/// Regression without a head: the prediction is `scale * cos(u, v) + offset`,
/// so training moves the very quantity that evaluation and search use.
///
/// The map is fixed (onto the label range, say `5 cos`), or learned from there.
/// A vector of length zero has cosine 0 with everything and gets no gradient.
pub struct CosineForm {
    loss: Box<dyn PointLoss>,
    scale: f64,
    offset: f64,
    learned: bool,
    rule: OutOfRange,
    range: (f64, f64),
}

impl CosineForm {
    /// For labels that lie in `range`.
    ///
    /// # Errors
    /// [`ObjectiveError::CosineMap`] unless both numbers are finite and the
    /// scale is not 0.
    pub fn new(
        loss: impl PointLoss + 'static,
        (scale, offset): (f64, f64),
        learned: bool,
        rule: OutOfRange,
        range: (f64, f64),
    ) -> Result<Self, ObjectiveError> {
        if !(scale.is_finite() && offset.is_finite()) || scale == 0.0 {
            return Err(ObjectiveError::CosineMap { scale, offset });
        }
        Ok(Self {
            loss: Box::new(loss),
            scale,
            offset,
            learned,
            rule,
            range,
        })
    }
}

/// The settings of [`CosineForm`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CosineSettings {
    /// Slope of the map; default: onto the labels' range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Intercept of the map; default: the lowest label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<f64>,
    /// Whether the map is trained.
    pub learned: bool,
}

impl CosineSettings {
    /// Slope and intercept for labels that lie in `range`.
    pub(super) fn map(&self, range: (f64, f64)) -> (f64, f64) {
        let scale = self.scale.unwrap_or(range.1 - range.0);
        (scale, self.offset.unwrap_or(range.0))
    }
}

impl From<CosineSettings> for Form {
    fn from(settings: CosineSettings) -> Self {
        Self::Cosine(settings)
    }
}

impl Objective for CosineForm {
    fn columns(&self) -> usize {
        2
    }

    fn initial_parameters(&self, _dim: usize, _seed: u64) -> Vec<f32> {
        if self.learned {
            vec![self.scale as f32, self.offset as f32]
        } else {
            vec![]
        }
    }

    fn decayed(&self, _dim: usize) -> Vec<bool> {
        vec![false; if self.learned { 2 } else { 0 }]
    }

    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        let (n, dim) = (input.examples(), input.embeddings.dim());
        let (scale, offset) = match parameters {
            [scale, offset] => (f64::from(*scale), f64::from(*offset)),
            _ => (self.scale, self.offset),
        };
        let mut output = Output::zero(input, parameters.len());
        let (mut by_scale, mut by_offset) = (0f64, 0f64);
        for (i, &label) in input.labels.iter().enumerate() {
            let (u, v) = (input.embedding(0, i), input.embedding(1, i));
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter()
                    .zip(b)
                    .map(|(&a, &b)| f64::from(a) * f64::from(b))
                    .sum()
            };
            let (uu, vv) = (dot(u, u), dot(v, v));
            let lengths = (uu * vv).sqrt();
            let cosine = if lengths > 0.0 {
                dot(u, v) / lengths
            } else {
                0.0
            };
            let (prediction, passes) = self.rule.apply(scale * cosine + offset, label, self.range);
            let (loss, slope) = self
                .loss
                .at(prediction - label, input.tolerances[i].map(f64::from));
            let weight = f64::from(input.weights[i]) / n as f64;
            output.loss += weight * loss;
            if !passes || slope == 0.0 {
                continue;
            }
            let slope = weight * slope;
            by_scale += slope * cosine;
            by_offset += slope;
            if lengths > 0.0 {
                let s = slope * scale;
                for c in 0..dim {
                    let (x, y) = (f64::from(u[c]), f64::from(v[c]));
                    output.embeddings[i * dim + c] = (s * (y / lengths - cosine * x / uu)) as f32;
                    output.embeddings[(n + i) * dim + c] =
                        (s * (x / lengths - cosine * y / vv)) as f32;
                }
            }
        }
        if !parameters.is_empty() {
            output.parameters = vec![by_scale as f32, by_offset as f32];
        }
        output
    }

    fn head(&self, parameters: &[f32], _dim: usize) -> Option<RegressionHead> {
        let values = match parameters {
            [] => vec![self.scale as f32, self.offset as f32],
            learned => learned.to_vec(),
        };
        Some(RegressionHead {
            features: Features::Cosine,
            scale: vec![self.range.0, self.range.1],
            outputs: 1,
            values,
        })
    }

    fn describe(&self) -> String {
        let learned = if self.learned { ", learned" } else { "" };
        format!(
            "{} on {} cos(u, v) + {}{learned}",
            self.loss.describe(),
            self.scale,
            self.offset
        )
    }
}
