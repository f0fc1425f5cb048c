use serde::{Deserialize, Serialize};

/// What becomes of a prediction beyond the labels' ends before the loss sees
/// it. One that is pulled back to the end gets no gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum OutOfRange {
    /// Pulled back only where the label is the very end that was passed: the
    /// prediction could not be more right.
    #[default]
    LabelAware,
    /// Pulled back at both ends whatever the label, as Zhang & Li (2024)
    /// describe it.
    Both,
    /// Pulled back at the lower end alone, as their released code does. At the
    /// start of a training this leaves about half of a batch without gradient.
    Lower,
    /// Left as it is.
    None,
}

impl OutOfRange {
    /// The prediction that the loss sees, and whether the gradient passes.
    pub fn apply(self, prediction: f64, label: f64, range: (f64, f64)) -> (f64, bool) {
        let (lowest, highest) = range;
        let below = prediction < lowest;
        let above = prediction > highest;
        let pulled = match self {
            Self::None => false,
            Self::Lower => below,
            Self::Both => below || above,
            Self::LabelAware => (below && label <= lowest) || (above && label >= highest),
        };
        match pulled {
            false => (prediction, true),
            true => (if below { lowest } else { highest }, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_pulls_back_what_it_says() {
        use OutOfRange::*;
        let range = (0.0, 5.0);
        // (prediction, label) -> pulled back by which rules
        for (prediction, label, by) in [
            (-0.1, 0.0, vec![LabelAware, Both, Lower]),
            (-0.1, 2.0, vec![Both, Lower]),
            (-0.1, 5.0, vec![Both, Lower]),
            (5.1, 5.0, vec![LabelAware, Both]),
            (5.1, 2.0, vec![Both]),
            (5.1, 0.0, vec![Both]),
            (0.0, 0.0, vec![]),
            (5.0, 5.0, vec![]),
            (2.5, 0.0, vec![]),
        ] {
            for rule in [LabelAware, Both, Lower, None] {
                let end = if prediction < 0.0 { 0.0 } else { 5.0 };
                let expected = if by.contains(&rule) {
                    (end, false)
                } else {
                    (prediction, true)
                };
                assert_eq!(
                    rule.apply(prediction, label, range),
                    expected,
                    "{rule:?} {prediction} {label}"
                );
            }
        }
    }
}
