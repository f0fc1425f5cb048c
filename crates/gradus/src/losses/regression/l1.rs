use super::{PointLoss, PointLossSettings};
use crate::losses::ObjectiveError;
use serde::{Deserialize, Serialize};

/// `|e|`. Derivative `sign(e)`, 0 at 0.
///
/// Source: Zhang & Li (2024), compared losses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct L1;

impl PointLoss for L1 {
    fn at(&self, error: f64, _: Option<f64>) -> (f64, f64) {
        let slope = if error == 0.0 { 0.0 } else { error.signum() };
        (error.abs(), slope)
    }

    fn describe(&self) -> String {
        "L1".into()
    }
}

/// [`L1`] has no settings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct L1Settings {}

impl PointLossSettings for L1Settings {
    type Loss = L1;

    fn loss(&self) -> Result<L1, ObjectiveError> {
        Ok(L1)
    }
}
