use crate::losses::ObjectiveError;

/// What an objective must know of its training set before it is built.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSet<'a> {
    /// All training labels.
    pub labels: &'a [f64],
    /// The weight of each example.
    pub weights: &'a [f32],
    /// How many texts an example has; a text alone has one or two views.
    pub columns: usize,
    /// The weight of each teacher.
    pub teachers: &'a [f64],
}

impl TrainingSet<'_> {
    /// The lowest and the highest label.
    pub fn range(&self) -> (f64, f64) {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let labels = self.labels.iter();
        labels.fold(ends, |(low, high), &y| (low.min(y), high.max(y)))
    }

    /// Whether there is something to learn from the grades.
    pub(super) fn can_be_learned(&self) -> Result<(), ObjectiveError> {
        let all = self.labels.iter().zip(self.weights);
        let mut weighted = all.filter(|(_, w)| **w > 0.0).map(|(y, _)| *y);
        let Some(value) = weighted.next() else {
            return match self.labels.len() {
                0 => Ok(()),
                count => Err(ObjectiveError::NoWeight(count)),
            };
        };
        let mut count = 1;
        for label in weighted {
            if label != value {
                return Ok(());
            }
            count += 1;
        }
        Err(ObjectiveError::EqualGrades { count, value })
    }
}
