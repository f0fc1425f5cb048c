//! A row of cells or an object as a pair or a triplet.

use std::path::Path;

use serde_json::Value;

use super::columns::Slots;
use super::json_row::kind;
use super::{DataError, DelimitedReader, Dialect, JsonRow, Place, Quoting, Remedy, Row};
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

/// A row: a pair, or a triplet where there is a negative.
#[derive(Debug, Clone)]
pub(super) struct RawRow {
    pub pair: RawPair,
    pub negative: Option<String>,
    pub split: Option<String>,
}

/// How errors name the columns; for JSON Lines also the keys to read.
pub(super) struct Names {
    pub first: String,
    pub second: String,
    pub label: Option<String>,
    pub weight: Option<String>,
    pub tolerance: Option<String>,
    pub negative: Option<String>,
    pub split: Option<String>,
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
            negative: slots.negative.map(name),
            split: slots.split.map(name),
        }
    }
}

/// Rows of cells.
pub(super) struct Delimited {
    /// The first row, if it is data.
    pub first_row: Option<Row>,
    /// The names of the columns, if the first row holds them.
    pub header: Option<Vec<String>>,
    pub reader: DelimitedReader,
    pub slots: Slots,
    /// The least and the most columns of a row.
    pub width: (usize, usize),
}

impl Delimited {
    pub fn next(&mut self) -> Option<Result<Row>> {
        self.first_row.take().map(Ok).or_else(|| self.reader.next())
    }

    fn first_name(&self) -> &str {
        let header = self.header.as_deref().unwrap_or_default();
        header.first().map_or("", String::as_str)
    }

    /// Refuses a row of another width, and the names of the columns again, as
    /// files put one after another have them.
    fn check(&self, row: &Row, path: &Path) -> Result<(), DataError> {
        let (found, (least, most)) = (row.cells.len(), self.width);
        let at = || Place::new(path, row.line);
        if !(least..=most).contains(&found) {
            let Dialect { delimiter, quoting } = self.reader.dialect();
            let quote = row.cells.iter().any(|cell| cell.starts_with('"'));
            let mut remedies = vec![match (quoting, delimiter) {
                (Quoting::On, _) => "put cells that hold the delimiter in double quotes".into(),
                (_, '\t') => "take tabs and line ends out of the texts".into(),
                _ => "take the delimiter and line ends out of the texts".into(),
            }];
            if quote && quoting != Quoting::On {
                remedies.push(Remedy::Quoting(true));
            }
            return Err(DataError::RowWidth {
                at: at(),
                found,
                least,
                most,
                remedies,
            });
        }
        // Of a file that was appended, with its byte order mark.
        let bare = |cell: &str| cell.trim_start_matches('\u{feff}') == self.first_name();
        let again = |header: &[String]| {
            row.cells.first().is_some_and(|cell| bare(cell)) && header[1..] == row.cells[1..]
        };
        match &self.header {
            Some(header) if again(header) => Err(DataError::HeaderAgain { at: at() }),
            _ => Ok(()),
        }
    }
}

pub(super) fn pair_of_cells(
    mut row: Row,
    rows: &Delimited,
    names: &Names,
    path: &Path,
) -> Result<RawRow, DataError> {
    rows.check(&row, path)?;
    let slots = &rows.slots;
    let found = row.cells.len();
    let at = || Place::new(path, row.line);
    let needed = [
        (Some(slots.first), Some(&names.first)),
        (Some(slots.second), Some(&names.second)),
        (slots.label, names.label.as_ref()),
        (slots.negative, names.negative.as_ref()),
        (slots.split, names.split.as_ref()),
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
    let negative = copy(slots.negative);
    let split = copy(slots.split);
    let second = row.cells[slots.second].clone();
    let first = std::mem::take(&mut row.cells[slots.first]);
    let pair = RawPair {
        line: row.line,
        first,
        second,
        label,
        weight,
        tolerance,
    };
    Ok(RawRow {
        pair,
        negative,
        split,
    })
}

pub(super) fn pair_of_object(
    mut row: JsonRow,
    names: &Names,
    at: Place,
) -> Result<RawRow, DataError> {
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
    let split = scalar(&names.split, true)?;
    let text = |key: &str| match row.object.get(key) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(bad(key, kind(other), "a string")),
        None => Err(bad(key, "missing", "a string")),
    };
    let second = text(&names.second)?;
    let negative = names.negative.as_deref().map(text).transpose()?;
    let first = match row.object.get_mut(&names.first) {
        Some(Value::String(text)) => std::mem::take(text),
        Some(other) => return Err(bad(&names.first, kind(other), "a string")),
        None => return Err(bad(&names.first, "missing", "a string")),
    };
    let pair = RawPair {
        line: row.line,
        first,
        second,
        label,
        weight,
        tolerance,
    };
    Ok(RawRow {
        pair,
        negative,
        split,
    })
}
