//! The unit of data: two texts and how alike they are.

/// Two texts with the grade of their similarity.
#[derive(Debug, Clone, PartialEq)]
pub struct GradedPair {
    /// The first text, as it stands in the file.
    pub first: String,
    /// The second text.
    pub second: String,
    /// The grade, on the scale of its source after the label map. Finite.
    pub label: f64,
    /// How much the pair counts in a loss: finite, at least 0, normally 1.
    pub weight: f32,
    /// This pair's own `x0`, the half-width of the zone around the label in
    /// which a prediction costs nothing. `None` takes the objective's.
    pub tolerance: Option<f32>,
}

impl GradedPair {
    /// A pair of weight 1 without a tolerance of its own.
    pub fn new(first: impl Into<String>, second: impl Into<String>, label: f64) -> Self {
        Self {
            first: first.into(),
            second: second.into(),
            label,
            weight: 1.0,
            tolerance: None,
        }
    }
}
