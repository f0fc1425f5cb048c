use crate::calibration::{Calibrated, Calibration};
use crate::eval::Similarity;
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
    /// The score of the cross-encoder.
    Score,
}

/// How alike two texts are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairScore {
    /// The number to use.
    pub recommended: f64,
    /// Which of the others it is.
    pub recommended_is: Recommended,
    /// The cosine of the vectors, -1 to 1, where the model makes any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f64>,
    /// The grade of the regression head, where the model has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<f64>,
    /// The score of the cross-encoder, where the model is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The calibrated grade, where the model has a calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<Calibrated>,
    /// Whether one of the texts was truncated to the model's limit.
    pub truncated: bool,
    /// Whether one of the texts is empty or mostly unknown to the vocabulary.
    pub unknown: bool,
}

impl PairScore {
    /// By a cosine that is known, of texts that were read before.
    pub fn of_cosine(cosine: f64, calibration: Option<&Calibration>) -> Self {
        let calibrated = calibration.map(|c| c.apply(cosine));
        Self::new((Similarity::Cosine, cosine), None, calibrated, &[])
    }

    /// By the cosine of two vectors, or the score of a cross-encoder.
    pub(super) fn new(
        raw: (Similarity, f64),
        grade: Option<f64>,
        calibrated: Option<Calibrated>,
        coverage: &[Coverage],
    ) -> Self {
        let (cosine, score) = match raw {
            (Similarity::Cosine, cosine) => (Some(cosine), None),
            (Similarity::Score, score) => (None, Some(score)),
        };
        let (recommended, recommended_is) = match (calibrated, grade, raw) {
            (Some(calibrated), ..) => (calibrated.grade, Recommended::Calibrated),
            (None, Some(grade), _) => (grade, Recommended::Grade),
            (None, None, (Similarity::Cosine, cosine)) => (cosine, Recommended::Cosine),
            (None, None, (Similarity::Score, score)) => (score, Recommended::Score),
        };
        Self {
            recommended,
            recommended_is,
            cosine,
            grade,
            score,
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
        let cosine = (Similarity::Cosine, 0.5);
        let plain = PairScore::new(cosine, None, None, &[read; 2]);
        assert_eq!(
            (plain.recommended, plain.recommended_is),
            (0.5, Recommended::Cosine)
        );
        assert!(!plain.truncated && !plain.unknown);
        let graded = PairScore::new(cosine, Some(3.0), None, &[read, cut]);
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
        let best = PairScore::new(cosine, Some(3.0), Some(calibrated), &[empty, read]);
        assert_eq!(
            (best.recommended, best.recommended_is),
            (4.0, Recommended::Calibrated)
        );
        assert!(!best.truncated && best.unknown);
        let score = (Similarity::Score, -3.0);
        let scored = PairScore::new(score, None, None, &[cut]);
        assert_eq!((scored.recommended, scored.cosine), (-3.0, None));
        assert_eq!(scored.recommended_is, Recommended::Score);
        let calibrated = PairScore::new(score, None, Some(calibrated), &[read]);
        assert_eq!(
            (calibrated.recommended, calibrated.score),
            (4.0, Some(-3.0))
        );
    }
}
