use super::{ScoreInput, ScoreLoss, ScoreOutput, ScoreTrainingSet, ScoreUnit};
use crate::losses::ObjectiveError;
use serde::{Deserialize, Serialize};

/// The margins of a teacher: of a list, whose first document is the positive, the
/// mean over the others of `((s+ - s-) - (t+ - t-))^2`, where the targets `t` are the
/// teacher's scores. A list of one has no margin, so its loss is 0.
///
/// Source: Hofstätter et al. (2020), equation 4; sentence-transformers'
/// `MarginMSELoss`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MarginMse;

impl ScoreLoss for MarginMse {
    fn evaluate(&self, input: &ScoreInput<'_>) -> ScoreOutput {
        input.mean_over_lists(|scores, targets| {
            let mut slopes = vec![0.0; scores.len()];
            let negatives = (scores.len() - 1) as f64;
            let mut loss = 0.0;
            for i in 1..scores.len() {
                let off = (scores[0] - scores[i]) - (targets[0] - targets[i]);
                loss += off * off / negatives;
                slopes[0] += 2.0 * off / negatives;
                slopes[i] = -2.0 * off / negatives;
            }
            (loss, slopes)
        })
    }

    fn unit(&self) -> ScoreUnit {
        ScoreUnit::Lists
    }

    fn describe(&self) -> String {
        "MSE of margins".into()
    }
}

/// [`MarginMse`] has no settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MarginMseSettings {}

impl MarginMseSettings {
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
    /// has a negative.
    pub fn build(&self, data: ScoreTrainingSet<'_>) -> Result<Box<dyn ScoreLoss>, ObjectiveError> {
        data.some_list("two documents", |labels| labels.len() > 1)?;
        Ok(Box::new(MarginMse))
    }

    pub(super) const UNIT: ScoreUnit = ScoreUnit::Lists;
}
