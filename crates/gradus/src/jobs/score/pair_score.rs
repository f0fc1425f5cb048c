use crate::calibration::Calibrated;
use crate::text::Coverage;
use serde::Serialize;

/// Which of a pair's numbers to use: the first of these that the model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recommended {
    /// The grade on the scale of the pairs that the model was calibrated on.
    Calibrated,
    /// The grade of the regression head.
    Grade,
    /// The cosine of the vectors.
    Cosine,
}

/// How alike two texts are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairScore {
    /// The number to use.
    pub recommended: f64,
    /// Which of the others it is.
    pub recommended_is: Recommended,
    /// The cosine of the vectors, -1 to 1.
    pub cosine: f64,
    /// The grade of the regression head, where the model has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<f64>,
    /// The calibrated grade, where the model has a calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<Calibrated>,
    /// Whether one of the texts was truncated to the model's limit.
    pub truncated: bool,
    /// Whether one of the texts is empty or mostly unknown to the vocabulary.
    pub unknown: bool,
}

impl PairScore {
    pub(super) fn new(
        cosine: f64,
        grade: Option<f64>,
        calibrated: Option<Calibrated>,
        coverage: [Coverage; 2],
    ) -> Self {
        let (recommended, recommended_is) = match (calibrated, grade) {
            (Some(calibrated), _) => (calibrated.grade, Recommended::Calibrated),
            (None, Some(grade)) => (grade, Recommended::Grade),
            (None, None) => (cosine, Recommended::Cosine),
        };
        Self {
            recommended,
            recommended_is,
            cosine,
            grade,
            calibrated,
            truncated: coverage.iter().any(|c| c.truncated),
            unknown: coverage.iter().any(Coverage::is_unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_that_there_is_is_the_one_to_use() {
        let read = Coverage {
            tokens: 3,
            ..Coverage::default()
        };
        let (empty, cut) = (
            Coverage::default(),
            Coverage {
                truncated: true,
                ..read
            },
        );
        let plain = PairScore::new(0.5, None, None, [read; 2]);
        assert_eq!(
            (plain.recommended, plain.recommended_is),
            (0.5, Recommended::Cosine)
        );
        assert!(!plain.truncated && !plain.unknown);
        let graded = PairScore::new(0.5, Some(3.0), None, [read, cut]);
        assert_eq!(
            (graded.recommended, graded.recommended_is),
            (3.0, Recommended::Grade)
        );
        assert!(graded.truncated && !graded.unknown);
        let calibrated = Calibrated {
            grade: 4.0,
            low: 3.5,
            high: 4.5,
        };
        let best = PairScore::new(0.5, Some(3.0), Some(calibrated), [empty, read]);
        assert_eq!(
            (best.recommended, best.recommended_is),
            (4.0, Recommended::Calibrated)
        );
        assert!(!best.truncated && best.unknown);
    }
}
