use super::bce::check_scale;
use super::{ScoreInput, ScoreLoss, ScoreOutput, ScoreTrainingSet, ScoreUnit};
use crate::losses::config::{Keys, Read};
use crate::losses::{ObjectiveError, OutOfRange, PointLoss, PointLossSettings};
use serde::Serialize;

/// Regression of the score: a [`PointLoss`] of `s - y`, where the score `s` is the
/// logit itself, on the labels' own scale.
///
/// With [`MeanSquaredError`](crate::losses::MeanSquaredError) and
/// [`OutOfRange::None`] it is sentence-transformers' `MSELoss`.
///
/// Source: Zhang & Li (2024), with the logit in the place of their head's output.
pub struct ScoreRegression {
    loss: Box<dyn PointLoss>,
    rule: OutOfRange,
    range: (f64, f64),
}

impl ScoreRegression {
    /// For labels that lie in `range`.
    pub fn new(loss: impl PointLoss + 'static, rule: OutOfRange, range: (f64, f64)) -> Self {
        Self {
            loss: Box::new(loss),
            rule,
            range,
        }
    }
}

impl ScoreLoss for ScoreRegression {
    fn evaluate(&self, input: &ScoreInput<'_>) -> ScoreOutput {
        input.mean_over_rows(|row, raw| {
            let label = input.targets[row];
            let (score, passes) = self.rule.apply(raw, label, self.range);
            let tolerance = input.tolerances[row].map(f64::from);
            let (loss, slope) = self.loss.at(score - label, tolerance);
            (loss, if passes { slope } else { 0.0 })
        })
    }

    fn unit(&self) -> ScoreUnit {
        ScoreUnit::Pairs
    }

    fn describe(&self) -> String {
        format!("{} of the score", self.loss.describe())
    }
}

/// The settings of [`ScoreRegression`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreRegressionSettings<P> {
    /// Those of the loss alone.
    #[serde(flatten)]
    pub loss: P,
    /// What becomes of scores beyond the labels' ends; default:
    /// [`OutOfRange::None`], as a teacher's scores have no ends.
    pub out_of_range: OutOfRange,
    /// The labels' ends; default: those of the training labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
}

impl<P: Default> Default for ScoreRegressionSettings<P> {
    fn default() -> Self {
        P::default().into()
    }
}

impl<P> From<P> for ScoreRegressionSettings<P> {
    fn from(loss: P) -> Self {
        Self {
            loss,
            out_of_range: OutOfRange::None,
            range: None,
        }
    }
}

impl<P: PointLossSettings> ScoreRegressionSettings<P> {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError`] for a setting out of its bounds.
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        self.loss.loss()?;
        self.range.map_or(Ok(()), check_scale)
    }

    /// The loss for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::EqualLabels`], or for a setting out of its bounds.
    pub fn build(&self, data: ScoreTrainingSet<'_>) -> Result<Box<dyn ScoreLoss>, ObjectiveError> {
        self.validate()?;
        data.labels_differ()?;
        let range = self.range.map_or(data.range(), |[low, high]| (low, high));
        let loss = ScoreRegression::new(self.loss.loss()?, self.out_of_range, range);
        Ok(Box::new(loss))
    }

    pub(super) const UNIT: ScoreUnit = ScoreUnit::Pairs;
}

impl<P: PointLossSettings> Read for ScoreRegressionSettings<P> {
    fn read(keys: &mut Keys) -> Result<Self, toml::de::Error> {
        Ok(Self {
            loss: keys.take()?,
            out_of_range: keys.take_one("out_of_range")?.unwrap_or(OutOfRange::None),
            range: keys.take_one("range")?,
        })
    }
}
