use super::{PointLoss, PointLossSettings};
use crate::losses::ObjectiveError;
use crate::losses::error::check;
use serde::{Deserialize, Serialize};

/// `k max(0, |e| - x0)`. Derivative `k sign(e)` where `|e| > x0`, else 0.
///
/// Source: Zhang & Li (2024), Translated ReLU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TranslatedRelu {
    k: f64,
    x0: f64,
}

impl TranslatedRelu {
    /// Slope `k` outside of a buffer of half-width `x0`, for labels `spacing`
    /// apart.
    ///
    /// # Errors
    /// Unless `k > 0` and `0 <= x0 <= spacing / 2`.
    pub fn new(k: f64, x0: f64, spacing: f64) -> Result<Self, ObjectiveError> {
        check(k, x0, spacing)?;
        Ok(Self { k, x0 })
    }
}

impl PointLoss for TranslatedRelu {
    fn at(&self, error: f64, tolerance: Option<f64>) -> (f64, f64) {
        let over = error.abs() - tolerance.unwrap_or(self.x0);
        if over > 0.0 {
            (self.k * over, self.k * error.signum())
        } else {
            (0.0, 0.0)
        }
    }

    fn describe(&self) -> String {
        format!("translated ReLU (k {}, x0 {})", self.k, self.x0)
    }
}

/// The settings of [`TranslatedRelu`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TranslatedReluSettings {
    /// Slope outside of the buffer.
    pub k: f64,
    /// Half-width of the buffer.
    pub x0: f64,
    /// Distance between neighbouring labels, which bounds `x0`.
    pub spacing: f64,
}

impl Default for TranslatedReluSettings {
    fn default() -> Self {
        Self {
            k: 1.0,
            x0: 0.25,
            spacing: 1.0,
        }
    }
}

impl PointLossSettings for TranslatedReluSettings {
    type Loss = TranslatedRelu;

    fn loss(&self) -> Result<TranslatedRelu, ObjectiveError> {
        TranslatedRelu::new(self.k, self.x0, self.spacing)
    }

    fn widest_tolerance(&self) -> f64 {
        self.spacing / 2.0
    }
}
