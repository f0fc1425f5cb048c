use super::{ScoreInput, ScoreLoss, ScoreOutput, ScoreTrainingSet, ScoreUnit};
use crate::losses::ObjectiveError;
use serde::{Deserialize, Serialize};

/// The Plackett-Luce likelihood of an order: the sum over its places `i` of
/// `w_i (log sum_{j >= i} exp(s_j) - s_i)`.
///
/// ListMLE has all weights 1, position-aware ListMLE `w_i = 2^(n - i) - 1` of `n`
/// documents, `i` from 1, divided by their sum: the first places count most, and the
/// last, whose likelihood is 1, not at all.
///
/// Sources: Xia et al. (2008), equation 9; Lan et al. (2014), equation 5;
/// sentence-transformers' `ListMLELoss` and `PListMLELoss`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlackettLuce {
    by_position: bool,
    respect_input_order: bool,
}

impl PlackettLuce {
    /// With weights by position or without; of documents in the order of the input,
    /// or of falling label.
    pub fn new(by_position: bool, respect_input_order: bool) -> Self {
        Self {
            by_position,
            respect_input_order,
        }
    }

    /// The weight of each place among `n`.
    fn weights(self, n: usize) -> Vec<f64> {
        if !self.by_position {
            return vec![1.0; n];
        }
        // All are divided by a power of two that keeps long lists finite.
        let scaled_by = n.saturating_sub(127) as f64;
        let weight = |place: usize| ((n - place) as f64 - scaled_by).exp2() - (-scaled_by).exp2();
        let weights: Vec<f64> = (1..=n).map(weight).collect();
        let sum = weights.iter().sum::<f64>() + 1e-10;
        weights.into_iter().map(|w| w / sum).collect()
    }

    fn list(self, scores: &[f64], targets: &[f64]) -> (f64, Vec<f64>) {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        if !self.respect_input_order {
            order.sort_by(|&a, &b| targets[b].total_cmp(&targets[a]));
        }
        // From the last place on: the logarithm of the sum over what is left.
        let mut left = vec![0.0; order.len()];
        let mut sum = f64::NEG_INFINITY;
        for (place, &j) in order.iter().enumerate().rev() {
            sum = log_add(sum, scores[j]);
            left[place] = sum;
        }
        // From the first place on: the logarithm of the sum of `w_i / exp(left_i)`.
        let mut slopes = vec![0.0; scores.len()];
        let (mut loss, mut inverse) = (0.0, f64::NEG_INFINITY);
        let weights = self.weights(order.len());
        for ((&j, left), weight) in order.iter().zip(left).zip(weights) {
            loss += weight * (left - scores[j]);
            inverse = log_add(inverse, weight.ln() - left);
            slopes[j] = (scores[j] + inverse).exp() - weight;
        }
        (loss, slopes)
    }
}

/// `ln(e^a + e^b)`.
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    match low == f64::NEG_INFINITY {
        true => high,
        false => high + (low - high).exp().ln_1p(),
    }
}

impl ScoreLoss for PlackettLuce {
    fn evaluate(&self, input: &ScoreInput<'_>) -> ScoreOutput {
        input.mean_over_lists(|scores, targets| self.list(scores, targets))
    }

    fn unit(&self) -> ScoreUnit {
        ScoreUnit::Lists
    }

    fn describe(&self) -> String {
        let name = match self.by_position {
            true => "position-aware ListMLE",
            false => "ListMLE",
        };
        let order = match self.respect_input_order {
            true => "the order of the input",
            false => "the order of the labels",
        };
        format!("{name} of {order}")
    }
}

/// One line a likelihood: its settings, and whether places have weights.
macro_rules! settings {
    ($($(#[$doc:meta])* $settings:ident: $by_position:literal,)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $settings {
            /// Whether the documents of a list stand in the order that is to be
            /// learned, the best first; else it is that of falling labels, those of
            /// one label as they stand.
            pub respect_input_order: bool,
        }

        impl Default for $settings {
            fn default() -> Self {
                Self { respect_input_order: true }
            }
        }

        impl $settings {
            /// There is nothing to check.
            ///
            /// # Errors
            /// None.
            pub fn validate(&self) -> Result<(), ObjectiveError> {
                Ok(())
            }

            /// The loss for this training set.
            ///
            /// # Errors
            /// [`ObjectiveError::EmptyList`]; [`ObjectiveError::NoListToLearn`] where
            /// no list has two documents.
            pub fn build(
                &self,
                data: ScoreTrainingSet<'_>,
            ) -> Result<Box<dyn ScoreLoss>, ObjectiveError> {
                data.some_list("two documents", |labels| labels.len() > 1)?;
                let loss = PlackettLuce::new($by_position, self.respect_input_order);
                Ok(Box::new(loss))
            }

            pub(super) const UNIT: ScoreUnit = ScoreUnit::Lists;
        }
    )*};
}

settings! {
    /// The settings of ListMLE, [`PlackettLuce`] without weights.
    ScoreListMleSettings: false,
    /// The settings of position-aware ListMLE, [`PlackettLuce`] with weights.
    PListMleSettings: true,
}
