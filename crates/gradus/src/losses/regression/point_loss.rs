/// A loss of one prediction's error.
pub trait PointLoss: Send + Sync {
    /// The loss at `error = prediction - label` and its derivative there.
    /// `tolerance` replaces the loss's own x0, where it has one.
    fn at(&self, error: f64, tolerance: Option<f64>) -> (f64, f64);

    /// One line for people.
    fn describe(&self) -> String;
}
