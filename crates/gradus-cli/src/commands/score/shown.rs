//! The three forms of a pair's score. One number comes first in each, the one to
//! use; the others follow under their names.

use crate::answer_format::AnswerFormat;
use crate::exit::Failure;
use crate::output::Output;
use gradus::jobs::score::{PairScore, Recommended, Scorer};
use serde::Serialize;

/// The columns of the tab-separated form. A cell is empty where the model has
/// no such number, so that a column means the same whatever the model.
pub const COLUMNS: [&str; 6] = ["recommended", "low", "high", "cosine", "grade", "score"];

/// A pair and how alike it is, as JSON.
#[derive(Serialize)]
struct Scored<'a> {
    // These keys are among those that pairs are found by, and of those that follow
    // at most one, `grade` or `score`, is a usual name of a label, so that the
    // output can be input again.
    sentence1: &'a str,
    sentence2: &'a str,
    #[serde(flatten)]
    score: &'a PairScore,
}

/// Writes the score of one of many pairs.
pub fn write(
    (first, second): (&str, &str),
    score: &PairScore,
    format: AnswerFormat,
    output: &mut Output,
) -> Result<(), Failure> {
    match format {
        AnswerFormat::Json => output.json_line(&Scored {
            sentence1: first,
            sentence2: second,
            score,
        }),
        AnswerFormat::Tsv => output.line(&cells(score).join("\t")),
        AnswerFormat::Text => {
            let others = others(score);
            let others = match others.is_empty() {
                true => String::new(),
                false => format!(" ({})", others.join(", ")),
            };
            output.line(&format!(
                "{}{others}  {first} | {second}",
                number_first(score)
            ))
        }
    }
}

/// Writes the score of the two texts of the command line, which a person need not
/// see again.
pub fn write_single(
    score: &PairScore,
    scorer: &Scorer,
    output: &mut Output,
) -> Result<(), Failure> {
    let line = match (score.calibrated, scorer.calibration(), scorer.head()) {
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
        (_, _, Some(head)) => match (head.scale.first(), head.scale.last()) {
            (Some(low), Some(high)) => format!("{} (on {low} to {high})", number_first(score)),
            _ => number_first(score),
        },
        _ => number_first(score),
    };
    output.line(&line)?;
    let others = others(score);
    match others.is_empty() {
        true => Ok(()),
        false => output.line(&format!("also    {}", others.join(", "))),
    }
}

fn cells(score: &PairScore) -> [String; COLUMNS.len()] {
    let cell = |number: Option<f64>| number.map_or(String::new(), |n| n.to_string());
    [
        cell(Some(score.recommended)),
        cell(score.calibrated.map(|c| c.low)),
        cell(score.calibrated.map(|c| c.high)),
        cell(score.cosine),
        cell(score.grade),
        cell(score.score),
    ]
}

/// The number to use, with its name.
fn number_first(score: &PairScore) -> String {
    match (score.recommended_is, score.calibrated) {
        (Recommended::Calibrated, Some(c)) => {
            format!("grade {:6.2} [{:5.2}, {:5.2}]", c.grade, c.low, c.high)
        }
        (Recommended::Cosine, _) => format!("cosine {:7.4}", score.recommended),
        (Recommended::Score, _) => format!("score  {:7.4}", score.recommended),
        _ => format!("grade  {:6.3}", score.recommended),
    }
}

/// The other numbers.
fn others(score: &PairScore) -> Vec<String> {
    let cosine = score.cosine.map(|cosine| format!("cosine {cosine:.4}"));
    let raw = score.score.map(|score| format!("score {score:.4}"));
    let head = |grade| format!("uncalibrated grade of the head {grade:.3}");
    let head = score.grade.map(head);
    let others = match score.recommended_is {
        Recommended::Cosine | Recommended::Score => [None, None, None],
        Recommended::Grade => [cosine, None, None],
        Recommended::Calibrated => [cosine, raw, head],
    };
    others.into_iter().flatten().collect()
}
