use serde::Serialize;
use std::ops::AddAssign;

/// How generator and discriminator did on some texts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DifferenceScore {
    /// The mean cross-entropy of the discriminator, in nats, before its weight.
    pub loss: f64,
    /// Tokens that the discriminator saw.
    pub tokens: usize,
    /// Of which were others than in the text.
    pub replaced: usize,
    /// Of these, how many the discriminator found.
    pub correct_on_replaced: usize,
    /// How many of the rest it took for original.
    pub correct_on_original: usize,
    /// Tokens that were masked.
    pub masked: usize,
    /// Of which the generator gave back.
    pub restored: usize,
}

/// Means over losses are the caller's: losses are added, too.
impl AddAssign for DifferenceScore {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.tokens += other.tokens;
        self.replaced += other.replaced;
        self.correct_on_replaced += other.correct_on_replaced;
        self.correct_on_original += other.correct_on_original;
        self.masked += other.masked;
        self.restored += other.restored;
    }
}

/// The same as shares. A share of nothing is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DifferenceReport {
    /// The mean cross-entropy of the discriminator, in nats, before its weight.
    pub loss: f64,
    /// The share of the masked tokens that the generator gave back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator_accuracy: Option<f64>,
    /// The share of the tokens that were replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<f64>,
    /// The share of those that the discriminator found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_on_replaced: Option<f64>,
    /// The share of the others that it took for original.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_on_kept: Option<f64>,
}

impl DifferenceScore {
    /// As shares.
    pub fn report(&self) -> DifferenceReport {
        let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        DifferenceReport {
            loss: self.loss,
            generator_accuracy: share(self.restored, self.masked),
            replaced: share(self.replaced, self.tokens),
            accuracy_on_replaced: share(self.correct_on_replaced, self.replaced),
            accuracy_on_kept: share(self.correct_on_original, self.tokens - self.replaced),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_nothing_are_absent() {
        let report = DifferenceScore::default().report();
        assert_eq!(serde_json::to_string(&report).unwrap(), r#"{"loss":0.0}"#);
        let mut score = DifferenceScore {
            loss: 0.25,
            tokens: 10,
            replaced: 4,
            correct_on_replaced: 1,
            correct_on_original: 3,
            masked: 5,
            restored: 2,
        };
        score += score;
        let report = score.report();
        assert_eq!(report.loss, 0.5);
        assert_eq!(report.generator_accuracy, Some(0.4));
        assert_eq!(report.replaced, Some(0.4));
        assert_eq!(report.accuracy_on_replaced, Some(0.25));
        assert_eq!(report.accuracy_on_kept, Some(0.5));
    }
}
