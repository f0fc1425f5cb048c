//! The rows of a file of pairs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::columns::Slots;
use super::jsonl::kind;
use super::{DataError, DelimitedReader, JsonReader, JsonRow, Place, Row};
use crate::Result;

/// A pair as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPair {
    /// The line, counted from 1.
    pub line: u64,
    /// The first text; not empty.
    pub first: String,
    /// The second text; not empty.
    pub second: String,
    /// The label's text, if the file has labels.
    pub label: Option<String>,
    /// The weight's text, if the row has one.
    pub weight: Option<String>,
    /// The tolerance's text, if the row has one.
    pub tolerance: Option<String>,
}

/// How errors name the columns; for JSON Lines also the keys to read.
pub(super) struct Names {
    first: String,
    second: String,
    label: Option<String>,
    weight: Option<String>,
    tolerance: Option<String>,
}

impl Names {
    pub(super) fn new(slots: Slots, header: Option<&Vec<&str>>) -> Self {
        let name = |index: usize| match header.and_then(|names| names.get(index)) {
            Some(name) => name.to_string(),
            None => format!("column {index}"),
        };
        Self {
            first: name(slots.first),
            second: name(slots.second),
            label: slots.label.map(name),
            weight: slots.weight.map(name),
            tolerance: slots.tolerance.map(name),
        }
    }
}

/// The rows of a [`PairFile`](super::PairFile). Ends after the first error.
pub struct PairRows {
    path: PathBuf,
    names: Names,
    rows: Rows,
    done: bool,
}

/// What the rows come from.
pub(super) enum Rows {
    Delimited {
        first_row: Option<Row>,
        reader: DelimitedReader,
        slots: Slots,
        /// The most columns a row may have, and what to do if it has more.
        width: Option<(usize, &'static str)>,
    },
    Json {
        first_row: Option<JsonRow>,
        reader: JsonReader,
    },
}

impl PairRows {
    pub(super) fn new(path: &Path, names: Names, rows: Rows) -> Self {
        Self {
            path: path.to_path_buf(),
            names,
            rows,
            done: false,
        }
    }

    /// Line `line` of this file, as a place for errors.
    pub fn place(&self, line: u64) -> Place {
        Place::new(&self.path, line)
    }

    /// The label column, as errors name it; `None` if the file has no labels.
    pub fn label_name(&self) -> Option<&str> {
        self.names.label.as_deref()
    }

    /// The weight column, as errors name it.
    pub fn weight_name(&self) -> &str {
        self.names.weight.as_deref().unwrap_or("weight")
    }

    /// The tolerance column, as errors name it.
    pub fn tolerance_name(&self) -> &str {
        self.names.tolerance.as_deref().unwrap_or("tolerance")
    }

    fn next_pair(&mut self) -> Option<Result<RawPair>> {
        let row = match &mut self.rows {
            Rows::Delimited {
                first_row,
                reader,
                slots,
                width,
            } => match first_row.take().map(Ok).or_else(|| reader.next())? {
                Ok(row) => pair_of_cells(row, slots, &self.names, *width, &self.path),
                Err(error) => return Some(Err(error)),
            },
            Rows::Json { first_row, reader } => {
                match first_row.take().map(Ok).or_else(|| reader.next())? {
                    Ok(row) => pair_of_object(row, &self.names, &self.path),
                    Err(error) => return Some(Err(error)),
                }
            }
        };
        Some(row.and_then(|pair| self.check(pair)).map_err(Into::into))
    }

    fn check(&self, pair: RawPair) -> Result<RawPair, DataError> {
        let sides = [
            (&pair.first, &self.names.first),
            (&pair.second, &self.names.second),
        ];
        for (text, column) in sides {
            if text.trim().is_empty() {
                return Err(DataError::EmptySentence {
                    at: self.place(pair.line),
                    column: column.clone(),
                });
            }
        }
        Ok(pair)
    }
}

impl Iterator for PairRows {
    type Item = Result<RawPair>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let pair = self.next_pair();
        self.done = !matches!(pair, Some(Ok(_)));
        pair
    }
}

fn pair_of_cells(
    mut row: Row,
    slots: &Slots,
    names: &Names,
    width: Option<(usize, &'static str)>,
    path: &Path,
) -> Result<RawPair, DataError> {
    let found = row.cells.len();
    let at = || Place::new(path, row.line);
    if let Some((expected, remedy)) = width.filter(|(width, _)| found > *width) {
        return Err(DataError::ExtraColumns {
            at: at(),
            found,
            expected,
            remedy,
        });
    }
    let needed = [
        (Some(slots.first), Some(&names.first)),
        (Some(slots.second), Some(&names.second)),
        (slots.label, names.label.as_ref()),
    ];
    for (slot, name) in needed {
        if let (Some(slot), Some(name)) = (slot, name)
            && slot >= found
        {
            return Err(DataError::MissingColumn {
                at: at(),
                column: name.clone(),
                found,
            });
        }
    }
    // The label is read before the texts are moved out, as it may be one of them.
    let copy = |slot: Option<usize>| slot.and_then(|i| row.cells.get(i)).cloned();
    let optional = |slot| copy(slot).filter(|cell| !cell.trim().is_empty());
    let label = copy(slots.label);
    let weight = optional(slots.weight);
    let tolerance = optional(slots.tolerance);
    let second = row.cells[slots.second].clone();
    let first = std::mem::take(&mut row.cells[slots.first]);
    Ok(RawPair {
        line: row.line,
        first,
        second,
        label,
        weight,
        tolerance,
    })
}

fn pair_of_object(mut row: JsonRow, names: &Names, path: &Path) -> Result<RawPair, DataError> {
    let at = Place::new(path, row.line);
    let bad = |key: &str, problem, expected| DataError::BadKey {
        at: at.clone(),
        key: key.to_string(),
        problem,
        expected,
    };
    // Numbers and strings alike become text, so that one label map reads both.
    let scalar = |key: &Option<String>, required: bool| {
        let Some(key) = key else { return Ok(None) };
        match row.object.get(key) {
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(yes)) => Ok(Some(yes.to_string())),
            None | Some(Value::Null) if !required => Ok(None),
            None => Err(bad(key, "missing", "a number or a string")),
            Some(other) => Err(bad(key, kind(other), "a number or a string")),
        }
    };
    let label = match &names.label {
        // As an empty cell would be: a label map can skip it.
        Some(key) if row.object.get(key) == Some(&Value::Null) => Some(String::new()),
        key => scalar(key, true)?,
    };
    let weight = scalar(&names.weight, false)?;
    let tolerance = scalar(&names.tolerance, false)?;
    let second = match row.object.get(&names.second) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => return Err(bad(&names.second, kind(other), "a string")),
        None => return Err(bad(&names.second, "missing", "a string")),
    };
    let first = match row.object.get_mut(&names.first) {
        Some(Value::String(text)) => std::mem::take(text),
        Some(other) => return Err(bad(&names.first, kind(other), "a string")),
        None => return Err(bad(&names.first, "missing", "a string")),
    };
    Ok(RawPair {
        line: row.line,
        first,
        second,
        label,
        weight,
        tolerance,
    })
}
