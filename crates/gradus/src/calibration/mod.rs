//! From raw scores to grades on people's scale, with an interval.
//!
//! A cosine of 0.7 says little by itself. [`Calibration::fit`] learns from
//! graded pairs what grades go with which scores: an [`Isotonic`] map, which
//! never turns an order around, and around it an interval for the grade of a
//! new pair.
//!
//! The interval is cross-conformal (Vovk 2015, "Cross-conformal predictors";
//! akin to the CV+ of Barber, Candes, Ramdas & Tibshirani 2021): the residuals
//! behind it are of pairs on maps fitted without them, in ten folds, taken
//! apart by the height of the score (Mondrian bands, Vovk, Gammerman & Shafer
//! 2005). The map in use is fitted on all pairs. For new pairs like those of
//! the fit it covers about the stated share; the strict guarantee of a split
//! into halves is given up for the use of all pairs. Pairs of another kind may
//! lie outside more often.

mod bands;
mod cross_fit;
mod error;
mod file;
mod isotonic;

pub use bands::Band;
pub use cross_fit::FOLDS;
pub use error::CalibrationError;
pub use isotonic::Isotonic;

use crate::eval::{PairScores, Similarity, is_level};
use crate::nn::{Features, RegressionHead};
use serde::{Deserialize, Serialize};

/// The share of grades that intervals are made to cover, unless asked
/// otherwise.
pub const COVERAGE: f64 = 0.8;

/// What a calibration maps from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawScore {
    /// The cosine of the two vectors.
    Cosine,
    /// The grade that the regression head predicts.
    Grade,
    /// The score of a cross-encoder.
    Score,
}

impl From<Similarity> for RawScore {
    fn from(raw: Similarity) -> Self {
        match raw {
            Similarity::Cosine => Self::Cosine,
            Similarity::Score => Self::Score,
        }
    }
}

impl RawScore {
    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::Grade => "grade",
            Self::Score => "score",
        }
    }
}

/// A map from one of a model's scores onto the scale of some graded pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What it maps from.
    pub score: RawScore,
    /// The pairs that it was fitted on, in words.
    pub fitted_on: String,
    /// How many there were.
    pub pairs: usize,
    /// The lowest and the highest grade there can be.
    pub scale: (f64, f64),
    /// The share of grades that intervals are made to cover.
    pub coverage: f64,
    /// The mean distance of a grade from its cross-fitted prediction.
    pub mean_absolute_error: f64,
    /// The root of the mean squared distance.
    pub root_mean_squared_error: f64,
    /// From score to grade.
    pub map: Isotonic,
    /// How far grades lie from it.
    pub bands: Vec<Band>,
}

/// A pair's grade by a calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Calibrated {
    /// The grade.
    pub grade: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end of its interval.
    pub high: f64,
}

impl Calibration {
    /// Fits scores of pairs to their grades, which lie on `scale` (lowest,
    /// highest).
    ///
    /// # Errors
    /// [`CalibrationError`].
    pub fn fit(
        score: RawScore,
        scores: &[f64],
        grades: &[f64],
        scale: (f64, f64),
        coverage: f64,
        fitted_on: &str,
    ) -> Result<Self, CalibrationError> {
        if !(coverage > 0.0 && coverage < 1.0) {
            return Err(CalibrationError::Coverage(coverage));
        }
        check(score, scores, grades, scale)?;
        let predicted = cross_fit::cross_fitted(scores, grades);
        let n = grades.len() as f64;
        let residuals = || grades.iter().zip(&predicted).map(|(g, p)| g - p);
        let points = scores.iter().copied().zip(grades.iter().copied());
        let map = Isotonic::fit(points).ok_or(CalibrationError::TooFew(0))?;
        if let Some(value) = map.level() {
            let what = score.name();
            return Err(CalibrationError::Level { what, value });
        }
        Ok(Self {
            score,
            fitted_on: fitted_on.to_owned(),
            pairs: grades.len(),
            scale,
            coverage,
            mean_absolute_error: residuals().map(f64::abs).sum::<f64>() / n,
            root_mean_squared_error: (residuals().map(|r| r * r).sum::<f64>() / n).sqrt(),
            map,
            bands: bands::bands(scores, grades, &predicted, coverage),
        })
    }

    /// Fits whatever score of a model predicts the grades best: the cosine (of a
    /// cross-encoder its score) or, where there is a head, its grade; by the mean
    /// error of cross-fitted predictions.
    ///
    /// # Errors
    /// [`CalibrationError`].
    pub fn best(
        pair_scores: &PairScores,
        head: Option<&RegressionHead>,
        grades: &[f64],
        scale: (f64, f64),
        coverage: f64,
        fitted_on: &str,
    ) -> Result<Self, CalibrationError> {
        let fit =
            |score, scores: &[f64]| Self::fit(score, scores, grades, scale, coverage, fitted_on);
        let by_raw = fit(pair_scores.similarity.into(), &pair_scores.raw);
        // A head on the cosine alone can add nothing to it.
        let own = head.is_some_and(|head| head.features != Features::Cosine);
        let Some(predicted) = pair_scores.grades.as_ref().filter(|_| own) else {
            return by_raw;
        };
        match (by_raw, fit(RawScore::Grade, predicted)) {
            (Ok(raw), Ok(head)) if head.mean_absolute_error < raw.mean_absolute_error => Ok(head),
            // One of them may say nothing where the other does.
            (Err(_), Ok(head)) => Ok(head),
            (by_raw, _) => by_raw,
        }
    }

    /// The grade of a pair by its raw score. NaN has no grade but the interval
    /// of all grades.
    pub fn apply(&self, score: f64) -> Calibrated {
        let (lowest, highest) = self.scale;
        let grade = self.map.at(score).clamp(lowest, highest);
        if grade.is_nan() {
            return Calibrated {
                grade,
                low: lowest,
                high: highest,
            };
        }
        let after = self
            .bands
            .partition_point(|band| band.from.is_none_or(|from| from <= score));
        let band = self.bands[..after].last();
        let low = band.and_then(|b| b.low).map_or(lowest, |by| grade + by);
        let high = band.and_then(|b| b.high).map_or(highest, |by| grade + by);
        // Grades beyond the scale do not exist; the grade itself is always
        // within its interval. Both cost no coverage.
        Calibrated {
            grade,
            low: low.clamp(lowest, grade),
            high: high.clamp(grade, highest),
        }
    }

    /// In few words, for people.
    pub fn describe(&self) -> String {
        format!(
            "{} to grades on {} to {} by {} pairs of {}; mean error {:.3}, {:.0} % intervals",
            self.score.name(),
            self.scale.0,
            self.scale.1,
            self.pairs,
            self.fitted_on,
            self.mean_absolute_error,
            100.0 * self.coverage
        )
    }
}

/// What maps fitted without a pair say of it: predictions as a new pair would
/// get them, for pairs that are all there is.
///
/// # Errors
/// [`CalibrationError`].
pub fn cross_fitted(scores: &[f64], grades: &[f64]) -> Result<Vec<f64>, CalibrationError> {
    check(RawScore::Cosine, scores, grades, (f64::MIN, f64::MAX))?;
    Ok(cross_fit::cross_fitted(scores, grades))
}

fn check(
    score: RawScore,
    scores: &[f64],
    grades: &[f64],
    (low, high): (f64, f64),
) -> Result<(), CalibrationError> {
    if scores.len() != grades.len() {
        return Err(CalibrationError::LengthMismatch {
            scores: scores.len(),
            grades: grades.len(),
        });
    }
    if grades.len() < 2 {
        return Err(CalibrationError::TooFew(grades.len()));
    }
    for (what, values) in [(score.name(), scores), ("grade", grades)] {
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            let value = values[index];
            return Err(CalibrationError::NotFinite { index, what, value });
        }
    }
    let count = grades.len();
    if grades.iter().all(|grade| *grade == grades[0]) {
        let value = grades[0];
        return Err(CalibrationError::EqualGrades { count, value });
    }
    if is_level(scores) {
        let (what, value) = (score.name(), scores[0]);
        return Err(CalibrationError::EqualScores { what, count, value });
    }
    match grades.iter().position(|g| !(low..=high).contains(g)) {
        Some(index) => Err(CalibrationError::OutsideScale {
            index,
            grade: grades[index],
            low,
            high,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
