//! Rows of published tables, checked and brought into one form.

use std::path::Path;

use serde_json::{Map, Value};

use super::HubError;
use super::sick::Scored;
use super::split_files::TableFormat;
use super::table::Table;
use crate::data::HubRows;
use crate::{Error, Result};

/// The names of the columns, as they are and were.
const FIRST: &[&str] = &["sentence1", "premise", "sentence_A", "sentence_1", "text1"];
const SECOND: &[&str] = &[
    "sentence2",
    "hypothesis",
    "sentence_B",
    "sentence_2",
    "text2",
];
const SCORE: &[&str] = &["score", "relatedness_score", "similarity_score", "label"];
const CLASS: &[&str] = &["label", "gold_label"];
const TRIPLET: [&[&str]; 3] = [
    &["sent0", "anchor"],
    &["sent1", "positive"],
    &["hard_neg", "negative"],
];
const TEXT: &[&str] = &["text", "sentence"];

/// The classes by their numbers.
const CLASSES: [&str; 3] = ["entailment", "neutral", "contradiction"];

/// A row that goes into the data root.
pub(super) enum Kept {
    Scored(Scored),
    Classed(String, String, &'static str),
    Triplet([String; 3]),
    Text(String),
}

/// Reads the files of a split and counts.
pub(super) struct Reader {
    form: HubRows,
    rows: usize,
    /// Pairs of entailment, neutral and contradiction.
    pub(super) classes: [usize; 3],
    /// Pairs without a class, which are left out.
    pub(super) unclassed: usize,
    /// Rows for training without one of their texts, which are left out.
    pub(super) empty: usize,
    highest: f64,
}

impl Reader {
    pub(super) fn new(form: HubRows) -> Self {
        Reader {
            form,
            rows: 0,
            classes: [0; 3],
            unclassed: 0,
            empty: 0,
            highest: f64::NEG_INFINITY,
        }
    }

    /// Hands on the rows of one file, which messages call `shown`.
    pub(super) fn read(
        &mut self,
        path: &Path,
        format: TableFormat,
        shown: &str,
        each: &mut dyn FnMut(Kept) -> Result<()>,
    ) -> Result<()> {
        let table = Table::open(path, format, shown)?;
        let roles: &[&[&str]] = match self.form {
            HubRows::Scores(..) => &[FIRST, SECOND, SCORE],
            HubRows::Classes => &[FIRST, SECOND, CLASS],
            HubRows::Triplets => &TRIPLET,
            HubRows::Lines => &[TEXT],
        };
        if table.columns.is_empty() {
            return Err(HubError::BadTable {
                file: shown.into(),
                reason: "it has no rows".into(),
            }
            .into());
        }
        let mut columns = Vec::new();
        for names in roles {
            let column = table.column(names).ok_or_else(|| HubError::NoColumn {
                file: shown.into(),
                looked: names.join(" or "),
                found: table.columns.join(", "),
            })?;
            columns.push(column);
        }
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let before = self.rows;
        table.each(&columns, &mut |at, row| {
            let kept = self
                .kept(row, &columns)
                .map_err(|reason| HubError::BadRow {
                    file: shown.into(),
                    line: at,
                    reason,
                })?;
            self.rows += 1;
            kept.map_or(Ok(()), &mut *each)
        })?;
        match self.rows > before {
            true => Ok(()),
            false => Err(HubError::BadTable {
                file: shown.into(),
                reason: "it has no rows".into(),
            }
            .into()),
        }
    }

    /// `None` for a row that is left out.
    fn kept(&mut self, row: &Map<String, Value>, columns: &[&str]) -> Result<Option<Kept>, String> {
        let text = |column: &str| match row.get(column) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
            Some(Value::String(_)) => Err(format!("{column} is empty")),
            Some(other) => Err(format!("{column} is {other}, not a text")),
            None => Err(format!("{column} is missing")),
        };
        // Of a set that is measured on, no row may be lost.
        let measured = matches!(self.form, HubRows::Scores(..) | HubRows::Lines);
        let lacks = |column: &&&str| matches!(row.get(**column), Some(Value::String(t)) if t.trim().is_empty());
        let texts = &columns[..columns.len() - usize::from(self.form == HubRows::Classes)];
        if !measured && texts.iter().any(|column| lacks(&column)) {
            self.empty += 1;
            return Ok(None);
        }
        match (self.form, columns) {
            (HubRows::Lines, [line]) => match row.get(*line) {
                Some(Value::String(line)) => Ok(Some(Kept::Text(line.clone()))),
                other => Err(format!("{line} is {other:?}, not a text")),
            },
            (HubRows::Scores(low, high), [first, second, score]) => {
                let score = number(row.get(*score)).ok_or_else(|| {
                    let found = row.get(*score).unwrap_or(&Value::Null);
                    format!("{score} is {found}, not a number")
                })?;
                // Grades of Parquet files may be single precision.
                if !(low - 1e-6..=high + 1e-6).contains(&score) {
                    return Err(format!("the score {score} is outside {low} to {high}"));
                }
                self.highest = self.highest.max(score);
                let (first, second) = (text(first)?, text(second)?);
                Ok(Some(Kept::Scored(Scored {
                    first,
                    second,
                    score: score.clamp(low, high),
                })))
            }
            (HubRows::Classes, [first, second, class]) => {
                let found = row.get(*class).unwrap_or(&Value::Null);
                let Some(class) = class_of(found).map_err(|()| {
                    format!("{class} is {found}; it should be 0 (entailment), 1 (neutral), 2 (contradiction) or one of these words")
                })?
                else {
                    self.unclassed += 1;
                    return Ok(None);
                };
                self.classes[class] += 1;
                let (first, second) = (text(first)?, text(second)?);
                Ok(Some(Kept::Classed(first, second, CLASSES[class])))
            }
            (HubRows::Triplets, [anchor, positive, negative]) => Ok(Some(Kept::Triplet([
                text(anchor)?,
                text(positive)?,
                text(negative)?,
            ]))),
            _ => Err(format!("{} columns", columns.len())),
        }
    }

    /// Refuses scores that were brought to 0 to 1.
    pub(super) fn check_scale(&self, shown: &str) -> Result<(), Error> {
        match self.form {
            HubRows::Scores(low, high) if self.rows > 100 && self.highest <= 1.0 => {
                Err(HubError::BadTable {
                    file: shown.into(),
                    reason: format!(
                        "its scores end at {}, and the published ones run from {low} to {high}",
                        self.highest
                    ),
                }
                .into())
            }
            _ => Ok(()),
        }
    }
}

/// A number, or a text that is one.
fn number(value: Option<&Value>) -> Option<f64> {
    let number = match value? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

/// The class that stands there, `None` where annotators did not agree.
fn class_of(value: &Value) -> Result<Option<usize>, ()> {
    if let Some(number) = number(Some(value)) {
        return match number {
            -1.0 => Ok(None),
            0.0 => Ok(Some(0)),
            1.0 => Ok(Some(1)),
            2.0 => Ok(Some(2)),
            _ => Err(()),
        };
    }
    match value {
        Value::Null => Ok(None),
        Value::String(word) if matches!(word.trim(), "" | "-") => Ok(None),
        Value::String(word) => {
            let place = CLASSES.iter().position(|class| word.trim() == *class);
            place.map(Some).ok_or(())
        }
        _ => Err(()),
    }
}
