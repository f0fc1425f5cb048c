use crate::losses::ObjectiveError;

/// What a loss of scores must know of its training set before it is built.
#[derive(Debug, Clone, Copy)]
pub struct ScoreTrainingSet<'a> {
    /// The target of every row of the stage.
    pub labels: &'a [f64],
    /// The weight of each row.
    pub weights: &'a [f32],
    /// Offsets: list `q` is the rows `lists[q]..lists[q + 1]`. Of pairs, each row is
    /// a list of one.
    pub lists: &'a [usize],
}

impl ScoreTrainingSet<'_> {
    /// The lowest and the highest label.
    pub fn range(&self) -> (f64, f64) {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let labels = self.labels.iter();
        labels.fold(ends, |(low, high), &y| (low.min(y), high.max(y)))
    }

    /// Whether two rows of weight have different labels.
    pub(super) fn labels_differ(&self) -> Result<(), ObjectiveError> {
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
        Err(ObjectiveError::EqualLabels { count, value })
    }

    /// Whether no list is empty and some list of weight can be learned from, by its
    /// labels. A set without rows says nothing.
    pub(super) fn some_list(
        &self,
        wanted: &'static str,
        can_be_learned: impl Fn(&[f64]) -> bool,
    ) -> Result<(), ObjectiveError> {
        let mut found = self.labels.is_empty();
        for (list, ends) in self.lists.windows(2).enumerate() {
            let (start, end) = (ends[0], ends[1].min(self.labels.len()));
            if start >= end {
                return Err(ObjectiveError::EmptyList(list + 1));
            }
            let weighted = self.weights[start..end].iter().any(|w| *w > 0.0);
            found |= weighted && can_be_learned(&self.labels[start..end]);
        }
        match found {
            true => Ok(()),
            false => Err(ObjectiveError::NoListToLearn {
                count: self.lists.len().saturating_sub(1),
                wanted,
            }),
        }
    }
}

/// Whether labels are not all the same.
pub(super) fn differ(labels: &[f64]) -> bool {
    labels.iter().any(|y| *y != labels[0])
}
