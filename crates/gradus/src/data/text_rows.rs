//! The texts of a file, row by row.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::json_row::kind;
use super::text_ids::id_of;
use super::{DataError, DelimitedReader, JsonReader, JsonRow, Lines, ParquetRows, Place, Row};
use crate::Result;

/// A text and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow {
    /// The line, or the row where there are no lines, counted from 1.
    pub line: u64,
    /// The text, which may be empty.
    pub text: String,
    /// What it is called, where an id is read.
    pub id: Option<String>,
    /// The row's other columns by name, where they are read
    /// ([`TextFile::others`](super::TextFile::others)); those of cells are strings.
    pub others: Map<String, Value>,
}

/// The texts of a [`TextFile`](super::TextFile). Ends after the first error.
pub struct TextRows {
    path: PathBuf,
    rows: Rows,
    headed: bool,
    done: bool,
}

/// What the rows come from.
pub(super) enum Rows {
    Lines(Lines),
    Cells {
        first: Option<Row>,
        reader: Box<DelimitedReader>,
        place: usize,
        id: Option<usize>,
        width: usize,
        /// The other columns' places and names.
        others: Vec<(usize, String)>,
    },
    Json {
        first: Option<JsonRow>,
        reader: Box<JsonReader>,
        key: String,
        id: Option<String>,
        others: bool,
    },
    Parquet {
        reader: Box<ParquetRows>,
        key: String,
        id: Option<String>,
        others: bool,
    },
}

impl TextRows {
    pub(super) fn new(path: PathBuf, rows: Rows, headed: bool) -> Self {
        Self {
            path,
            rows,
            headed,
            done: false,
        }
    }

    /// Whether the first row was taken for the names of the columns, in a file
    /// whose rows are cells.
    pub fn has_header(&self) -> bool {
        self.headed
    }

    fn read(&mut self) -> Result<Option<TextRow>> {
        let row = match &mut self.rows {
            Rows::Lines(lines) => {
                let Some(text) = lines.next_line()?.map(str::to_owned) else {
                    return Ok(None);
                };
                let (line, id) = (lines.place().line, None);
                return Ok(Some(TextRow {
                    line,
                    text,
                    id,
                    others: Map::new(),
                }));
            }
            Rows::Cells {
                first,
                reader,
                place,
                id,
                width,
                others,
            } => {
                let Some(mut row) = first.take().map(Ok).or_else(|| reader.next()).transpose()?
                else {
                    return Ok(None);
                };
                if reader.take_blanks() > 0 {
                    let at = Place::new(&self.path, row.line.saturating_sub(1));
                    return Err(DataError::BlankLine { at }.into());
                }
                let (at, found) = (Place::new(&self.path, row.line), row.cells.len());
                if found != *width {
                    return Err(DataError::RowWidth {
                        at,
                        found,
                        least: *width,
                        most: *width,
                        remedies: vec!["take the delimiter and line ends out of the texts".into()],
                    }
                    .into());
                }
                let id = id.map(|id| row.cells[id].clone());
                let other = |(place, name): &(usize, String)| {
                    let cell = std::mem::take(&mut row.cells[*place]);
                    (name.clone(), Value::String(cell))
                };
                let others = others.iter().map(other).collect();
                let text = std::mem::take(&mut row.cells[*place]);
                let line = row.line;
                return Ok(Some(TextRow {
                    line,
                    text,
                    id,
                    others,
                }));
            }
            Rows::Json {
                first,
                reader,
                key,
                id,
                others,
            } => {
                let row = first.take().map(Ok).or_else(|| reader.next()).transpose()?;
                let at = |line| Place::new(&self.path, line);
                row.map(|row| (at(row.line), row, &*key, id.as_deref(), *others))
            }
            Rows::Parquet {
                reader,
                key,
                id,
                others,
            } => {
                let row = reader.next().transpose()?;
                let at = |line| Place::row(&self.path, line);
                row.map(|row| (at(row.line), row, &*key, id.as_deref(), *others))
            }
        };
        let Some((at, mut row, key, id, others)) = row else {
            return Ok(None);
        };
        let line = row.line;
        let bad = |key: &str, value: Option<&Value>, expected| DataError::BadKey {
            at: at.clone(),
            key: key.to_owned(),
            problem: value.map_or("missing", kind),
            expected,
        };
        let id_key = id;
        let id = match id.map(|key| (key, row.object.get(key))) {
            None => None,
            Some((key, value)) => match value.and_then(id_of) {
                None => return Err(bad(key, value, "a string or a whole number").into()),
                id => id,
            },
        };
        match row.object.get_mut(key) {
            Some(Value::String(text)) => {
                let text = std::mem::take(text);
                let mut rest = Map::new();
                if others {
                    rest = std::mem::take(&mut row.object);
                    rest.shift_remove(key);
                    id_key.map(|key| rest.shift_remove(key));
                }
                Ok(Some(TextRow {
                    line,
                    text,
                    id,
                    others: rest,
                }))
            }
            other => Err(bad(key, other.map(|value| &*value), "a string").into()),
        }
    }
}

impl Iterator for TextRows {
    type Item = Result<TextRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.read();
        self.done = !matches!(row, Ok(Some(_)));
        row.transpose()
    }
}
