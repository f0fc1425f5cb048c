use super::{PointLoss, PointLossSettings};
use crate::losses::ObjectiveError;
use crate::losses::error::check;
use serde::{Deserialize, Serialize};

/// `k (|e| - x0)^2` where `|e| >= x0`, else 0. Derivative
/// `2k (|e| - x0) sign(e)`, which is 0 at the buffer's edge.
///
/// Source: Zhang & Li (2024), Smooth K2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothK2 {
    k: f64,
    x0: f64,
}

impl SmoothK2 {
    /// Curvature `k` outside of a buffer of half-width `x0`, for labels
    /// `spacing` apart.
    ///
    /// # Errors
    /// Unless `k > 0` and `0 <= x0 <= spacing / 2`.
    pub fn new(k: f64, x0: f64, spacing: f64) -> Result<Self, ObjectiveError> {
        check(k, x0, spacing)?;
        Ok(Self { k, x0 })
    }
}

impl PointLoss for SmoothK2 {
    fn at(&self, error: f64, tolerance: Option<f64>) -> (f64, f64) {
        let over = error.abs() - tolerance.unwrap_or(self.x0);
        if over > 0.0 {
            (self.k * over * over, 2.0 * self.k * over * error.signum())
        } else {
            (0.0, 0.0)
        }
    }

    fn describe(&self) -> String {
        format!("smooth K2 (k {}, x0 {})", self.k, self.x0)
    }
}

/// The settings of [`SmoothK2`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SmoothK2Settings {
    /// Curvature outside of the buffer.
    pub k: f64,
    /// Half-width of the buffer.
    pub x0: f64,
    /// Distance between neighbouring labels, which bounds `x0`.
    pub spacing: f64,
}

impl Default for SmoothK2Settings {
    fn default() -> Self {
        Self {
            k: 2.0,
            x0: 0.25,
            spacing: 1.0,
        }
    }
}

impl PointLossSettings for SmoothK2Settings {
    type Loss = SmoothK2;

    fn loss(&self) -> Result<SmoothK2, ObjectiveError> {
        SmoothK2::new(self.k, self.x0, self.spacing)
    }

    fn widest_tolerance(&self) -> f64 {
        self.spacing / 2.0
    }
}
