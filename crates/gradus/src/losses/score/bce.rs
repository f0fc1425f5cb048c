use super::{ScoreInput, ScoreLoss, ScoreOutput, ScoreTrainingSet, ScoreUnit, sigmoid, softplus};
use crate::losses::ObjectiveError;
use serde::{Deserialize, Serialize};

/// Binary cross-entropy of the logit `s` against a soft label `y` from 0 to 1:
/// `-(p y log sigmoid(s) + (1 - y) log(1 - sigmoid(s)))`, where `p` is the weight of
/// positives.
///
/// Labels are mapped onto 0 to 1 in a straight line; one beyond the ends of the scale
/// counts as the end. The score is the sigmoid of the logit.
///
/// Source: PyTorch's `BCEWithLogitsLoss`, as sentence-transformers'
/// `BinaryCrossEntropyLoss` takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryCrossEntropy {
    pos_weight: f64,
    scale: [f64; 2],
}

impl BinaryCrossEntropy {
    /// With a weight of positives, for labels on `scale`.
    ///
    /// # Errors
    /// [`ObjectiveError::NotPositive`], [`ObjectiveError::LabelScale`].
    pub fn new(pos_weight: f64, scale: [f64; 2]) -> Result<Self, ObjectiveError> {
        if !(pos_weight.is_finite() && pos_weight > 0.0) {
            let (setting, value) = ("pos_weight", pos_weight);
            return Err(ObjectiveError::NotPositive { setting, value });
        }
        check_scale(scale)?;
        Ok(Self { pos_weight, scale })
    }

    /// A label as a probability.
    fn probability(&self, label: f64) -> f64 {
        let [low, high] = self.scale;
        ((label - low) / (high - low)).clamp(0.0, 1.0)
    }
}

/// Whether labels can be mapped from this scale onto another.
pub(super) fn check_scale([low, high]: [f64; 2]) -> Result<(), ObjectiveError> {
    match (high - low).is_finite() && low < high {
        true => Ok(()),
        false => Err(ObjectiveError::LabelScale { low, high }),
    }
}

impl ScoreLoss for BinaryCrossEntropy {
    fn evaluate(&self, input: &ScoreInput<'_>) -> ScoreOutput {
        input.mean_over_rows(|row, s| {
            let y = self.probability(input.targets[row]);
            let positive = self.pos_weight * y;
            let loss = positive * softplus(-s) + (1.0 - y) * softplus(s);
            let slope = (1.0 - y) * sigmoid(s) - positive * sigmoid(-s);
            (loss, slope)
        })
    }

    fn unit(&self) -> ScoreUnit {
        ScoreUnit::Pairs
    }

    fn sigmoid(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        let [low, high] = self.scale;
        let mut text = format!("binary cross-entropy of labels from {low} to {high}");
        if self.pos_weight != 1.0 {
            text += &format!(", positives times {}", self.pos_weight);
        }
        text
    }
}

/// The settings of [`BinaryCrossEntropy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BceSettings {
    /// What the positive part of the loss is multiplied by.
    pub pos_weight: f64,
    /// The labels that become 0 and 1; default: 0 and 1 where all training labels lie
    /// between them, else the lowest and the highest training label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<[f64; 2]>,
}

impl Default for BceSettings {
    fn default() -> Self {
        Self {
            pos_weight: 1.0,
            scale: None,
        }
    }
}

impl BceSettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::NotPositive`], [`ObjectiveError::LabelScale`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        BinaryCrossEntropy::new(self.pos_weight, self.scale.unwrap_or([0.0, 1.0])).map(drop)
    }

    /// The loss for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::EqualLabels`], and those of [`BceSettings::validate`].
    pub fn build(&self, data: ScoreTrainingSet<'_>) -> Result<Box<dyn ScoreLoss>, ObjectiveError> {
        data.labels_differ()?;
        let scale = self.scale.unwrap_or_else(|| match data.range() {
            (low, high) if low < 0.0 || high > 1.0 => [low, high],
            _ => [0.0, 1.0],
        });
        Ok(Box::new(BinaryCrossEntropy::new(self.pos_weight, scale)?))
    }

    pub(super) const UNIT: ScoreUnit = ScoreUnit::Pairs;
}
