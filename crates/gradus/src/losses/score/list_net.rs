use super::{ScoreInput, ScoreLoss, ScoreOutput, ScoreTrainingSet, ScoreUnit};
use crate::losses::ObjectiveError;
use serde::{Deserialize, Serialize};

/// ListNet: the cross-entropy of the documents' probabilities to be first,
/// `-sum_j softmax_j(y) log softmax_j(s)`.
///
/// Source: Cao et al. (2007), equation 3 with the top one probabilities of section
/// 5; sentence-transformers' `ListNetLoss`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScoreListNet;

impl ScoreLoss for ScoreListNet {
    fn evaluate(&self, input: &ScoreInput<'_>) -> ScoreOutput {
        input.mean_over_lists(|scores, targets| {
            let (got, wanted) = (log_softmax(scores), log_softmax(targets));
            let both = || got.iter().zip(&wanted).map(|(s, y)| (s, y.exp()));
            let loss = both().map(|(s, y)| -y * s).sum();
            (loss, both().map(|(s, y)| s.exp() - y).collect())
        })
    }

    fn unit(&self) -> ScoreUnit {
        ScoreUnit::Lists
    }

    fn describe(&self) -> String {
        "ListNet".into()
    }
}

/// The logarithms of `softmax(values)`.
fn log_softmax(values: &[f64]) -> Vec<f64> {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = values.iter().map(|v| (v - top).exp()).sum();
    values.iter().map(|v| v - top - sum.ln()).collect()
}

/// [`ScoreListNet`] has no settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ScoreListNetSettings {}

impl ScoreListNetSettings {
    /// There is nothing to check.
    ///
    /// # Errors
    /// None.
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        Ok(())
    }

    /// The loss for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::EmptyList`]; [`ObjectiveError::NoListToLearn`] where no list
    /// has two documents.
    pub fn build(&self, data: ScoreTrainingSet<'_>) -> Result<Box<dyn ScoreLoss>, ObjectiveError> {
        data.some_list("two documents", |labels| labels.len() > 1)?;
        Ok(Box::new(ScoreListNet))
    }

    pub(super) const UNIT: ScoreUnit = ScoreUnit::Lists;
}
