use super::{ScoreInput, ScoreLoss, ScoreOutput, ScoreTrainingSet, ScoreUnit};
use crate::losses::ObjectiveError;
use serde::{Deserialize, Serialize};

/// Classification: the softmax cross-entropy of several logits,
/// `-log softmax(s)[class]`. The label is the number of the class, from 0.
///
/// Source: PyTorch's `CrossEntropyLoss`, as sentence-transformers' takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreCrossEntropy {
    classes: usize,
}

/// The most classes.
const MOST: usize = 1000;

impl ScoreCrossEntropy {
    /// For so many classes.
    ///
    /// # Errors
    /// [`ObjectiveError::ClassCount`] unless they are 2 to 1,000.
    pub fn new(classes: usize) -> Result<Self, ObjectiveError> {
        match (2..=MOST).contains(&classes) {
            true => Ok(Self { classes }),
            false => Err(ObjectiveError::ClassCount(classes)),
        }
    }
}

impl ScoreLoss for ScoreCrossEntropy {
    fn evaluate(&self, input: &ScoreInput<'_>) -> ScoreOutput {
        let mut output = ScoreOutput::zero(input);
        let slopes = output.logits.chunks_exact_mut(input.outputs);
        let rows = input.logits.chunks_exact(input.outputs).zip(slopes);
        for (row, (logits, slopes)) in rows.enumerate() {
            let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let above = |s: f32| f64::from(s) - top;
            let total: f64 = logits.iter().map(|&s| above(s).exp()).sum();
            // Labels were checked when the loss was built.
            let class = (input.targets[row].max(0.0) as usize).min(logits.len() - 1);
            let weight = f64::from(input.weights[row]) / input.rows() as f64;
            output.loss += weight * (total.ln() - above(logits[class]));
            for (c, (&s, slope)) in logits.iter().zip(slopes).enumerate() {
                let hit = if c == class { 1.0 } else { 0.0 };
                *slope = (weight * (above(s).exp() / total - hit)) as f32;
            }
        }
        output
    }

    fn outputs(&self) -> usize {
        self.classes
    }

    fn unit(&self) -> ScoreUnit {
        ScoreUnit::Pairs
    }

    fn describe(&self) -> String {
        format!("cross-entropy over {} classes", self.classes)
    }
}

/// The settings of [`ScoreCrossEntropy`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ScoreCrossEntropySettings {
    /// How many classes there are; default: as many as the highest training label
    /// says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
}

impl ScoreCrossEntropySettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::ClassCount`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        ScoreCrossEntropy::new(self.classes.unwrap_or(2)).map(drop)
    }

    /// The loss for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::NotAClassNumber`] for a label that is no whole number from 0
    /// to below the number of classes; [`ObjectiveError::ClassCount`],
    /// [`ObjectiveError::EqualLabels`].
    pub fn build(&self, data: ScoreTrainingSet<'_>) -> Result<Box<dyn ScoreLoss>, ObjectiveError> {
        self.validate()?;
        let classes = self.classes.unwrap_or(MOST);
        let fits = |y: f64| y >= 0.0 && y.fract() == 0.0 && y < classes as f64;
        if let Some(&label) = data.labels.iter().find(|y| !fits(**y)) {
            return Err(ObjectiveError::NotAClassNumber { label, classes });
        }
        data.labels_differ()?;
        let highest = data.range().1;
        let occurring = if highest.is_finite() {
            highest as usize + 1
        } else {
            2
        };
        let classes = self.classes.unwrap_or(occurring);
        Ok(Box::new(ScoreCrossEntropy::new(classes)?))
    }

    pub(super) const UNIT: ScoreUnit = ScoreUnit::Pairs;
}
