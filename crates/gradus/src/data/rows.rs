//! The rows of a file of pairs or triplets.

use std::path::{Path, PathBuf};

use super::raw_row::{Delimited, Names, RawPair, RawRow, pair_of_cells, pair_of_object};
use super::{DataError, Decimal, JsonReader, JsonRow, ParquetRows, Place, Remedy, Split};
use crate::Result;

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

/// The labels of a triplet's two pairs.
const TRIPLET_LABELS: [&str; 2] = ["entailment", "contradiction"];

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
