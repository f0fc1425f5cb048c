//! A pair's scores and their three forms. One number comes first in each, the
//! one to use; the others follow under their names.

use super::Format;
use crate::exit::Failure;
use crate::output::Output;
use gradus::calibration::{Calibrated, Calibration};
use gradus::nn::RegressionHead;
use gradus::text::Coverage;
use serde::Serialize;

/// The columns of the tab-separated form. A cell is empty where the model has
/// no such number, so that a column means the same whatever the model.
pub const COLUMNS: [&str; 5] = ["recommended", "low", "high", "cosine", "grade"];

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

/// A pair and how alike it is.
#[derive(Serialize)]
pub struct Answer<'a> {
    // These keys are among those that pairs are found by, and none that follows
    // is a second usual name of a label, so that the output can be input again.
    pub sentence1: &'a str,
    pub sentence2: &'a str,
    recommended: f64,
    recommended_is: Recommended,
    cosine: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calibrated: Option<Calibrated>,
    /// Whether one of the texts was cut.
    truncated: bool,
    /// Whether the vocabulary hardly knows one of the texts.
    unknown: bool,
}

impl<'a> Answer<'a> {
    /// The scores of two texts.
    pub fn new(
        (sentence1, sentence2): (&'a str, &'a str),
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
            sentence1,
            sentence2,
            recommended,
            recommended_is,
            cosine,
            grade,
            calibrated,
            truncated: coverage.iter().any(|c| c.truncated),
            unknown: coverage.iter().any(Coverage::is_unknown),
        }
    }

    /// Writes the answer to one of many pairs.
    pub fn write(&self, output: &mut Output, format: Format) -> Result<(), Failure> {
        match format {
            Format::Json => output.json_line(self),
            Format::Tsv => output.line(&self.cells().join("\t")),
            Format::Text => {
                let others = self.others();
                let others = match others.is_empty() {
                    true => String::new(),
                    false => format!(" ({})", others.join(", ")),
                };
                let (first, second) = (self.sentence1, self.sentence2);
                output.line(&format!(
                    "{}{others}  {first} | {second}",
                    self.number_first()
                ))
            }
        }
    }

    /// Writes the answer for the two texts of the command line, which a person
    /// need not see again.
    pub fn write_single(
        &self,
        output: &mut Output,
        head: Option<&RegressionHead>,
        calibration: Option<&Calibration>,
    ) -> Result<(), Failure> {
        let line = match (self.calibrated, calibration, head) {
            (Some(c), Some(by), _) => format!(
                "grade   {:.2} on {} to {}, {:.0} % within {:.2} to {:.2} (calibrated by {} pairs of {})",
                c.grade,
                by.scale.0,
                by.scale.1,
                100.0 * by.coverage,
                c.low,
                c.high,
                by.pairs,
                by.fitted_on
            ),
            (_, _, Some(head)) => self.number_first() + &crate::commands::scale(head),
            _ => self.number_first(),
        };
        output.line(&line)?;
        let others = self.others();
        match others.is_empty() {
            true => Ok(()),
            false => output.line(&format!("also    {}", others.join(", "))),
        }
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
        let cell = |number: Option<f64>| number.map_or(String::new(), |n| n.to_string());
        [
            cell(Some(self.recommended)),
            cell(self.calibrated.map(|c| c.low)),
            cell(self.calibrated.map(|c| c.high)),
            cell(Some(self.cosine)),
            cell(self.grade),
        ]
    }

    /// The number to use, with its name.
    fn number_first(&self) -> String {
        match (self.recommended_is, self.calibrated) {
            (Recommended::Calibrated, Some(c)) => {
                format!("grade {:6.2} [{:5.2}, {:5.2}]", c.grade, c.low, c.high)
            }
            (Recommended::Cosine, _) => format!("cosine {:7.4}", self.cosine),
            _ => format!("grade  {:6.3}", self.recommended),
        }
    }

    /// The other numbers.
    fn others(&self) -> Vec<String> {
        let cosine = format!("cosine {:.4}", self.cosine);
        match self.recommended_is {
            Recommended::Cosine => vec![],
            Recommended::Grade => vec![cosine],
            Recommended::Calibrated => {
                let head = |grade| format!("uncalibrated grade of the head {grade:.3}");
                let head = self.grade.map(head);
                std::iter::once(cosine).chain(head).collect()
            }
        }
    }
}
