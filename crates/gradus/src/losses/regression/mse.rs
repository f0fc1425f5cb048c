use super::PointLoss;

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
