//! The texts of a file, row by row.

use std::path::PathBuf;

use serde_json::Value;

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
    },
    Json {
        first: Option<JsonRow>,
        reader: Box<JsonReader>,
        key: String,
        id: Option<String>,
    },
    Parquet {
        reader: Box<ParquetRows>,
        key: String,
        id: Option<String>,
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
                return Ok(Some(TextRow { line, text, id }));
            }
            Rows::Cells {
                first,
                reader,
                place,
                id,
                width,
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
                let text = std::mem::take(&mut row.cells[*place]);
                let line = row.line;
                return Ok(Some(TextRow { line, text, id }));
            }
            Rows::Json {
                first,
                reader,
                key,
                id,
            } => {
                let row = first.take().map(Ok).or_else(|| reader.next()).transpose()?;
                row.map(|row| (Place::new(&self.path, row.line), row, &*key, id.as_deref()))
            }
            Rows::Parquet { reader, key, id } => {
                let row = reader.next().transpose()?;
                row.map(|row| (Place::row(&self.path, row.line), row, &*key, id.as_deref()))
            }
        };
        let Some((at, mut row, key, id)) = row else {
            return Ok(None);
        };
        let line = row.line;
        let bad = |key: &str, value: Option<&Value>, expected| DataError::BadKey {
            at: at.clone(),
            key: key.to_owned(),
            problem: value.map_or("missing", kind),
            expected,
        };
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
                Ok(Some(TextRow { line, text, id }))
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
