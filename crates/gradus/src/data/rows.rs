//! The rows of a file of pairs or triplets.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::columns::Slots;
use super::jsonl::kind;
use super::{DataError, DelimitedReader, JsonRow, Place, Row, Split};
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
    split: Option<String>,
}

/// The labels of a triplet's two pairs.
const TRIPLET_LABELS: [&str; 2] = ["entailment", "contradiction"];

/// How errors name the columns; for JSON Lines also the keys to read.
pub(super) struct Names {
    first: String,
    second: String,
    label: Option<String>,
    weight: Option<String>,
    tolerance: Option<String>,
    negative: Option<String>,
    split: Option<String>,
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

/// The rows of a [`PairFile`](super::PairFile) as pairs: one a row, or two of a
/// triplet, which are labelled `entailment` and `contradiction`. Ends after the
/// first error.
pub struct PairRows {
    path: PathBuf,
    names: Names,
    rows: Rows,
    split: Option<Split>,
    /// The second pair of a triplet.
    ahead: Option<RawPair>,
    other_splits: usize,
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
    /// Objects, of JSON or of columns with names.
    Objects {
        first_row: Option<JsonRow>,
        reader: Box<dyn Iterator<Item = Result<JsonRow>> + Send>,
        /// Whether they have lines, and not only a number.
        of_lines: bool,
    },
}

impl PairRows {
    pub(super) fn new(path: &Path, names: Names, rows: Rows, split: Option<Split>) -> Self {
        Self {
            path: path.to_path_buf(),
            names,
            rows,
            split,
            ahead: None,
            other_splits: 0,
            done: false,
        }
    }

    /// Whether every row names the split it belongs to.
    pub fn has_splits(&self) -> bool {
        self.names.split.is_some()
    }

    /// Whether the rows are triplets.
    pub fn has_triplets(&self) -> bool {
        self.names.negative.is_some()
    }

    /// How many rows of other splits were passed over so far.
    pub fn other_splits(&self) -> usize {
        self.other_splits
    }

    /// Line `line` of this file, as a place for errors.
    pub fn place(&self, line: u64) -> Place {
        match self.rows {
            Rows::Objects {
                of_lines: false, ..
            } => Place::row(&self.path, line),
            _ => Place::new(&self.path, line),
        }
    }

    /// The label column, as errors name it; `None` if the file has no labels.
    /// Triplets are labelled by their columns.
    pub fn label_name(&self) -> Option<&str> {
        let label = self.names.label.as_deref();
        label.or(self.names.negative.as_deref())
    }

    /// The weight column, as errors name it.
    pub fn weight_name(&self) -> &str {
        self.names.weight.as_deref().unwrap_or("weight")
    }

    /// The tolerance column, as errors name it.
    pub fn tolerance_name(&self) -> &str {
        self.names.tolerance.as_deref().unwrap_or("tolerance")
    }

    fn read_row(&mut self) -> Option<Result<RawRow>> {
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
            Rows::Objects {
                first_row, reader, ..
            } => match first_row.take().map(Ok).or_else(|| reader.next())? {
                Ok(row) => {
                    let at = self.place(row.line);
                    pair_of_object(row, &self.names, at)
                }
                Err(error) => return Some(Err(error)),
            },
        };
        Some(row.map_err(Into::into))
    }

    /// The next row of the split.
    pub(super) fn next_row(&mut self) -> Option<Result<RawRow>> {
        loop {
            let row = match self.read_row()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            match self.is_of_split(&row) {
                Ok(true) => {
                    let checked = self.check(&row).map(|()| row);
                    return Some(checked.map_err(Into::into));
                }
                Ok(false) => self.other_splits += 1,
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    fn is_of_split(&self, row: &RawRow) -> Result<bool, DataError> {
        let (Some(wanted), Some(name)) = (self.split, &row.split) else {
            return Ok(true);
        };
        match Split::parse(name.trim()) {
            Some(split) => Ok(split == wanted),
            None => Err(DataError::UnknownSplit {
                at: self.place(row.pair.line),
                column: self.names.split.clone().unwrap_or_default(),
                split: name.clone(),
            }),
        }
    }

    fn check(&self, row: &RawRow) -> Result<(), DataError> {
        let sides = [
            (Some(&row.pair.first), Some(&self.names.first)),
            (Some(&row.pair.second), Some(&self.names.second)),
            (row.negative.as_ref(), self.names.negative.as_ref()),
        ];
        for (text, column) in sides {
            if let (Some(text), Some(column)) = (text, column)
                && text.trim().is_empty()
            {
                return Err(DataError::EmptySentence {
                    at: self.place(row.pair.line),
                    column: column.clone(),
                });
            }
        }
        Ok(())
    }

    fn next_pair(&mut self) -> Option<Result<RawPair>> {
        if let Some(pair) = self.ahead.take() {
            return Some(Ok(pair));
        }
        let RawRow {
            mut pair, negative, ..
        } = match self.next_row()? {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        if let Some(negative) = negative {
            let [positive, other] = TRIPLET_LABELS.map(|label| Some(label.to_string()));
            pair.label = other;
            self.ahead = Some(RawPair {
                second: negative,
                ..pair.clone()
            });
            pair.label = positive;
        }
        Some(Ok(pair))
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
) -> Result<RawRow, DataError> {
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

fn pair_of_object(mut row: JsonRow, names: &Names, at: Place) -> Result<RawRow, DataError> {
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
