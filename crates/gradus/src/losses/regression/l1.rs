use super::PointLoss;

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
