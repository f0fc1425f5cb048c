//! The rows of a file of pairs or triplets.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::columns::Slots;
use super::json_row::kind;
use super::{DataError, DelimitedReader, Dialect, JsonReader, JsonRow, ParquetRows, Place};
use super::{Quoting, Remedy, Row, Split};
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

/// What a row of a file is, where answers keep step with rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The names of the columns.
    Header,
    /// A blank line.
    Blank,
    /// A pair.
    Pair(RawPair),
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decimal {
    /// `3.5`.
    #[default]
    Point,
    /// `3,5`.
    Comma,
}

impl Decimal {
    /// A number as it is written here in its usual form; other texts as they
    /// are. `None` for a number that is written the other way.
    pub(super) fn usual(self, text: &str) -> Option<String> {
        if self == Self::Point {
            return Some(text.to_string());
        }
        let bare = text.trim();
        match bare.split_once(',') {
            None if bare.contains('.') && bare.parse::<f64>().is_ok() => None,
            Some((whole, part)) if is_number(whole, part) => Some(format!("{whole}.{part}")),
            _ => Some(text.to_string()),
        }
    }
}

/// Whether these are the two sides of a decimal comma.
pub(super) fn is_number(whole: &str, part: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let whole = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    !whole.is_empty() && !part.is_empty() && digits(whole) && digits(part)
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
    decimal: Decimal,
    /// The second pair of a triplet.
    ahead: Option<RawPair>,
    steps: Steps,
    other_splits: usize,
    done: bool,
}

/// What is answered before the next pair.
#[derive(Default)]
struct Steps {
    begun: bool,
    blanks: usize,
    next: Option<Step>,
}

/// What the rows come from.
pub(super) enum Rows {
    Delimited(Box<Delimited>),
    Json {
        first_row: Option<JsonRow>,
        reader: Box<JsonReader>,
    },
    Parquet(Box<ParquetRows>),
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

impl Rows {
    fn take_blanks(&mut self) -> usize {
        match self {
            Self::Delimited(rows) => rows.reader.take_blanks(),
            Self::Json { reader, .. } => reader.take_blanks(),
            Self::Parquet(_) => 0,
        }
    }
}

impl PairRows {
    pub(super) fn new(path: &Path, names: Names, rows: Rows) -> Self {
        Self {
            path: path.to_path_buf(),
            names,
            rows,
            split: None,
            decimal: Decimal::Point,
            ahead: None,
            steps: Steps::default(),
            other_splits: 0,
            done: false,
        }
    }

    /// The same, but only rows of `split`, with numbers as `decimal` says.
    pub(super) fn with(mut self, split: Option<Split>, decimal: Decimal) -> Self {
        (self.split, self.decimal) = (split, decimal);
        self
    }

    /// Whether the first row was taken for the names of the columns, in a file
    /// whose rows are cells.
    pub fn has_header(&self) -> bool {
        match &self.rows {
            Rows::Delimited(rows) => rows.header.is_some(),
            _ => false,
        }
    }

    /// The next row in step with the file's: the names of its columns, blank
    /// lines and pairs, each where it stands. Of a triplet both pairs come.
    pub fn next_step(&mut self) -> Option<Result<Step>> {
        loop {
            if !self.steps.begun {
                self.steps.begun = true;
                self.steps.blanks = self.rows.take_blanks();
                self.steps.next = self.has_header().then_some(Step::Header);
            }
            if self.steps.blanks > 0 {
                self.steps.blanks -= 1;
                return Some(Ok(Step::Blank));
            }
            if let Some(step) = self.steps.next.take() {
                return Some(Ok(step));
            }
            let pair = self.next();
            self.steps.blanks = self.rows.take_blanks();
            match pair {
                Some(Ok(pair)) => self.steps.next = Some(Step::Pair(pair)),
                // The blank lines before an error are answered by the error.
                Some(Err(error)) => return Some(Err(error)),
                None if self.steps.blanks == 0 => return None,
                None => {}
            }
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
            Rows::Parquet(_) => Place::row(&self.path, line),
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
            Rows::Delimited(rows) => match rows.next()? {
                Ok(row) => pair_of_cells(row, rows, &self.names, &self.path),
                Err(error) => return Some(Err(error)),
            },
            Rows::Json { first_row, reader } => {
                match first_row.take().map(Ok).or_else(|| reader.next())? {
                    Ok(row) => {
                        let at = Place::new(&self.path, row.line);
                        pair_of_object(row, &self.names, at)
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
            Rows::Parquet(reader) => match reader.next()? {
                Ok(row) => {
                    let at = Place::row(&self.path, row.line);
                    pair_of_object(row, &self.names, at)
                }
                Err(error) => return Some(Err(error)),
            },
        };
        Some(
            row.and_then(|row| self.with_numbers(row))
                .map_err(Into::into),
        )
    }

    /// Numbers in their usual form.
    fn with_numbers(&self, mut row: RawRow) -> Result<RawRow, DataError> {
        if self.decimal == Decimal::Point {
            return Ok(row);
        }
        let pair = &mut row.pair;
        for (text, column) in [
            (&mut pair.label, self.names.label.as_deref()),
            (&mut pair.weight, Some(self.weight_name())),
            (&mut pair.tolerance, Some(self.tolerance_name())),
        ] {
            let Some(text) = text else { continue };
            *text = match self.decimal.usual(text) {
                Some(usual) => usual,
                None => {
                    return Err(DataError::BadNumber {
                        at: self.place(pair.line),
                        column: column.unwrap_or("the label").into(),
                        text: text.clone(),
                        expected: "a number with a decimal comma",
                        remedies: [Remedy::DecimalPoint].into(),
                    });
                }
            };
        }
        Ok(row)
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

impl Delimited {
    fn next(&mut self) -> Option<Result<Row>> {
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

fn pair_of_cells(
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
