use super::head_form::{add_feature_gradient, linear_decay, uniform_linear};
use super::{HeadSettings, OutOfRange};
use crate::losses::config::{Keys, Read, TrainingSet};
use crate::losses::{Input, Objective, ObjectiveError, Output};
use crate::nn::{Features, RegressionHead};
use serde::Serialize;
use serde::de::Error as _;

/// Classification with a linear head of K outputs and softmax cross-entropy:
/// `-log softmax(W h + b)[class]`, the rival of the regression losses.
///
/// Sources: Sentence-BERT (Reimers & Gurevych 2019); Zhang & Li (2024).
pub struct CrossEntropy {
    features: Features,
    classes: Vec<f64>,
}

impl CrossEntropy {
    /// For the classes that occur among `labels`.
    ///
    /// # Errors
    /// Where a label is no whole number, or there are not 2 to 1,000 classes.
    pub fn new(
        features: Features,
        labels: impl IntoIterator<Item = f64>,
    ) -> Result<Self, ObjectiveError> {
        let mut classes: Vec<f64> = Vec::new();
        for label in labels {
            if label.fract() != 0.0 || !label.is_finite() {
                return Err(ObjectiveError::NotAClass(label));
            }
            if let Err(at) = classes.binary_search_by(|c| c.total_cmp(&label)) {
                classes.insert(at, label);
                if classes.len() > 1000 {
                    break;
                }
            }
        }
        if !(2..=1000).contains(&classes.len()) {
            return Err(ObjectiveError::ClassCount(classes.len()));
        }
        Ok(Self { features, classes })
    }
}

/// The settings of [`CrossEntropy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CrossEntropySettings {
    /// What the head sees.
    pub features: Features,
}

impl CrossEntropySettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::Unused`] for the feature of the cosine form.
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        let Self { features } = *self;
        HeadSettings { features }.validate()
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::NotAClass`], [`ObjectiveError::ClassCount`].
    pub fn build(&self, data: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        self.validate()?;
        let classes = CrossEntropy::new(self.features, data.labels.iter().copied());
        Ok(Box::new(classes?))
    }
}

impl Read for CrossEntropySettings {
    fn read(keys: &mut Keys) -> Result<Self, toml::de::Error> {
        // Of the other regression losses: the first must be a head, the others
        // are without effect.
        if keys
            .take_one::<String>("form")?
            .is_some_and(|form| form != "head")
        {
            return Err(toml::de::Error::custom(ObjectiveError::ClassesNeedHead));
        }
        keys.take_one::<OutOfRange>("out_of_range")?;
        keys.take_one::<[f64; 2]>("range")?;
        let head: HeadSettings = keys.take()?;
        Ok(Self {
            features: head.features,
        })
    }
}

impl Objective for CrossEntropy {
    fn columns(&self) -> usize {
        2
    }

    fn initial_parameters(&self, dim: usize, seed: u64) -> Vec<f32> {
        uniform_linear(self.classes.len(), self.features.width(dim), seed)
    }

    fn decayed(&self, dim: usize) -> Vec<bool> {
        linear_decay(self.classes.len(), self.features.width(dim))
    }

    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        let (n, outputs) = (input.examples() as f64, self.classes.len());
        let width = self.features.width(input.embeddings.dim());
        let (weights, biases) = parameters.split_at(outputs * width);
        let mut output = Output::zero(input, parameters.len());
        let mut gradient = vec![0f64; parameters.len()];
        for (i, label) in input.labels.iter().enumerate() {
            let h = self
                .features
                .of(input.embedding(0, i), input.embedding(1, i));
            let logits: Vec<f64> = weights
                .chunks_exact(width)
                .zip(biases)
                .map(|(w, &b)| {
                    f64::from(b)
                        + w.iter()
                            .zip(&h)
                            .map(|(&w, h)| f64::from(w) * h)
                            .sum::<f64>()
                })
                .collect();
            let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = logits.iter().map(|l| (l - top).exp()).sum();
            // Labels were checked when the classes were taken from them.
            let class = self.classes.iter().position(|c| c == label).unwrap_or(0);
            let weight = f64::from(input.weights[i]) / n;
            output.loss += weight * (total.ln() + top - logits[class]);
            let mut by_feature = vec![0f64; width];
            for (o, logit) in logits.iter().enumerate() {
                let hit = if o == class { 1.0 } else { 0.0 };
                let slope = weight * ((logit - top).exp() / total - hit);
                let row = o * width..(o + 1) * width;
                for (g, h) in gradient[row.clone()].iter_mut().zip(&h) {
                    *g += slope * h;
                }
                for (d, &w) in by_feature.iter_mut().zip(&weights[row]) {
                    *d += slope * f64::from(w);
                }
                gradient[outputs * width + o] += slope;
            }
            add_feature_gradient(self.features, input, i, &by_feature, &mut output.embeddings);
        }
        output.parameters = gradient.into_iter().map(|g| g as f32).collect();
        output
    }

    fn head(&self, parameters: &[f32], _dim: usize) -> Option<RegressionHead> {
        Some(RegressionHead {
            features: self.features,
            scale: self.classes.clone(),
            outputs: self.classes.len(),
            values: parameters.to_vec(),
        })
    }

    fn describe(&self) -> String {
        format!(
            "cross-entropy over {} classes on a head over {}",
            self.classes.len(),
            self.features.notation()
        )
    }
}
