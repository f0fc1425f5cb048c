use super::{PointLoss, PointLossSettings};
use crate::losses::ObjectiveError;
use serde::{Deserialize, Serialize};

/// `e^2`. Derivative `2e`.
///
/// Source: Zhang & Li (2024), compared losses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanSquaredError;

impl PointLoss for MeanSquaredError {
    fn at(&self, error: f64, _: Option<f64>) -> (f64, f64) {
        (error * error, 2.0 * error)
    }

    fn describe(&self) -> String {
        "MSE".into()
    }
}

/// [`MeanSquaredError`] has no settings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MseSettings {}

impl PointLossSettings for MseSettings {
    type Loss = MeanSquaredError;

    fn loss(&self) -> Result<MeanSquaredError, ObjectiveError> {
        Ok(MeanSquaredError)
    }
}
