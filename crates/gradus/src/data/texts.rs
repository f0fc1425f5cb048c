//! One column of texts.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::columns::{duplicate, looks_like_header};
use super::error::nearest;
use super::json_row::kind;
use super::{Column, DataError, DelimitedReader, Dialect, Format, JsonReader, JsonRow, Lines};
use super::{PairFile, ParquetFile, ParquetRows, Place, Remedy, Row};
use crate::Result;

/// Names under which files keep a single text, without regard to case.
const TEXT_NAMES: [&str; 6] = ["text", "sentence", "content", "body", "document", "passage"];

/// A file with a text a row, and how to read it.
///
/// Without a format its lines are the texts. The column that is not named is
/// the only one, or the one with a usual name (`text`, `sentence`, `content`,
/// `body`, `document`, `passage`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// The file.
    pub path: PathBuf,
    /// Its form; `None` for a text a line.
    pub format: Option<Format>,
    /// Whether the first row names the columns, of tsv and csv. By default a
    /// row with a usual name does; in csv, what else might be names is a
    /// question.
    pub header: Option<bool>,
    /// How cells are told apart, of tsv and csv.
    pub dialect: Dialect,
    /// Where the text is.
    pub column: Option<Column>,
}

/// A text and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow {
    /// The line, or the row where there are no lines, counted from 1.
    pub line: u64,
    /// The text, which may be empty.
    pub text: String,
}

/// The texts of a [`TextFile`]. Ends after the first error.
pub struct TextRows {
    path: PathBuf,
    rows: Rows,
    headed: bool,
    done: bool,
}

enum Rows {
    Lines(Lines),
    Cells {
        first: Option<Row>,
        reader: Box<DelimitedReader>,
        place: usize,
        width: usize,
    },
    Json {
        first: Option<JsonRow>,
        reader: Box<JsonReader>,
        key: String,
    },
    Parquet {
        reader: Box<ParquetRows>,
        key: String,
    },
}

impl TextFile {
    /// A file with its format's usual header and dialect.
    pub fn new(path: impl Into<PathBuf>, format: Option<Format>) -> Self {
        Self {
            path: path.into(),
            format,
            header: None,
            dialect: format.unwrap_or(Format::Tsv).dialect(),
            column: None,
        }
    }

    /// The form of the file at `path` where texts are read: as
    /// [`Format::of`], but `.txt` holds lines.
    pub fn format_of(path: &Path) -> Option<Format> {
        let plain = super::file::extension(path).is_some_and(|end| end == "txt");
        Format::of(path).filter(|_| !plain)
    }

    /// Opens the file and finds the column.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io); [`DataError::UnclearColumns`],
    /// [`DataError::UnclearHeader`] and what else the first row can have wrong.
    pub fn rows(&self) -> Result<TextRows> {
        if self.format == Some(Format::Parquet) {
            return self.parquet();
        }
        let mut resolved = self.clone();
        if let Some(format) = self.format {
            let mut file = PairFile::new(&self.path, format);
            file.dialect = self.dialect;
            resolved.dialect = file.resolved()?;
        }
        resolved.rows_from(Lines::open(&self.path)?)
    }

    /// As [`TextFile::rows`], reading `lines` in place of the file.
    ///
    /// # Errors
    /// As [`TextFile::rows`].
    pub fn rows_from(&self, lines: Lines) -> Result<TextRows> {
        match self.format {
            None => Ok(self.with(Rows::Lines(lines), false)),
            Some(Format::Jsonl) => self.json(JsonReader::new(lines)),
            Some(Format::Tsv | Format::Csv) => {
                self.cells(DelimitedReader::new(lines, self.dialect))
            }
            Some(Format::Parquet) => {
                let path = self.path.clone();
                Err(DataError::NotFromPipe { path }.into())
            }
        }
    }

    fn with(&self, rows: Rows, headed: bool) -> TextRows {
        TextRows {
            path: self.path.clone(),
            rows,
            headed,
            done: false,
        }
    }

    fn parquet(&self) -> Result<TextRows> {
        let file = ParquetFile::open(&self.path)?;
        let names: Vec<&str> = file.names().iter().map(String::as_str).collect();
        let key = names[self.find(&names)?].to_string();
        let reader = Box::new(file.rows(&[&key], &[])?);
        Ok(self.with(Rows::Parquet { reader, key }, false))
    }

    fn json(&self, mut reader: JsonReader) -> Result<TextRows> {
        let first = reader.next().transpose()?;
        let key = match (&first, &self.column) {
            (_, Some(Column::Name(name))) => name.clone(),
            (Some(row), column) => {
                if let Some(column) = column {
                    let reason = format!("{column} is a place, and JSON objects have keys");
                    return Err(self.unclear(reason).into());
                }
                let keys: Vec<&str> = row.object.keys().map(String::as_str).collect();
                keys[self.find(&keys)?].to_string()
            }
            (None, _) => String::new(),
        };
        let reader = Box::new(reader);
        Ok(self.with(Rows::Json { first, reader, key }, false))
    }

    fn cells(&self, mut reader: DelimitedReader) -> Result<TextRows> {
        let Some(first) = reader.next().transpose()? else {
            let reader = Box::new(reader);
            let (first, place, width) = (None, 0, 0);
            let rows = Rows::Cells {
                first,
                reader,
                place,
                width,
            };
            return Ok(self.with(rows, false));
        };
        reader.take_blanks();
        let names: Vec<&str> = first.cells.iter().map(String::as_str).collect();
        let usual = usual_places(&names);
        let named = matches!(self.column, Some(Column::Name(_)));
        let header = self.header.or_else(|| {
            let known = !usual.is_empty() || looks_like_header(&names);
            (known || named).then_some(true)
        });
        let headed = match header {
            Some(headed) => headed,
            None if self.format == Some(Format::Csv) => {
                let reason = match names[..] {
                    [only] => format!("it is {only:?}"),
                    _ => format!("it has {} columns, none with a usual name", names.len()),
                };
                let path = self.path.clone();
                return Err(DataError::UnclearHeader { path, reason }.into());
            }
            None => false,
        };
        let width = names.len();
        let place = match (&self.column, headed) {
            (Some(Column::Index(place)), _) if *place < width => *place,
            (Some(Column::Index(place)), _) => {
                let column = format!("column {place}");
                let at = reader.place(first.line);
                let found = width;
                return Err(DataError::MissingColumn { at, column, found }.into());
            }
            (_, true) => self.find(&names)?,
            (None, false) if width == 1 => 0,
            (_, false) => {
                let reason = format!("{width} columns and no header");
                return Err(self.unclear(reason).into());
            }
        };
        let rows = Rows::Cells {
            first: (!headed).then_some(first),
            reader: Box::new(reader),
            place,
            width,
        };
        Ok(self.with(rows, headed))
    }

    /// The column among `names`, of which there is at least one.
    fn find(&self, names: &[&str]) -> Result<usize, DataError> {
        let path = self.path.clone();
        if let Some(column) = duplicate(names) {
            let column = column.to_string();
            return Err(DataError::DuplicateColumn { path, column });
        }
        let known: Vec<String> = names.iter().map(|n| format!("{n:?}")).collect();
        let (wanted, found) = match &self.column {
            Some(Column::Name(name)) => (name.clone(), names.iter().position(|n| n == name)),
            Some(Column::Index(place)) => (
                format!("column {place}"),
                (*place < names.len()).then_some(*place),
            ),
            None => {
                return match (&usual_places(names)[..], names) {
                    (&[only], _) => Ok(only),
                    ([], [_]) => Ok(0),
                    ([], []) => Err(self.unclear("there are no columns".into())),
                    ([], _) => Err(self.unclear(format!(
                        "none has a usual name; it has: {}",
                        known.join(", ")
                    ))),
                    _ => Err(self.unclear(format!(
                        "several have usual names; it has: {}",
                        known.join(", ")
                    ))),
                };
            }
        };
        found.ok_or_else(|| DataError::UnknownColumn {
            path,
            suggestion: nearest(&wanted, names.iter().copied()),
            column: wanted,
            known,
        })
    }

    fn unclear(&self, reason: String) -> DataError {
        DataError::UnclearColumns {
            path: self.path.clone(),
            role: "text",
            reason,
            remedies: vec![Remedy::Text],
        }
    }
}

/// Where usual names stand: `text` alone where it is there.
fn usual_places(names: &[&str]) -> Vec<usize> {
    let places = |usual: &[&str]| -> Vec<usize> {
        let is = |name: &str| {
            usual
                .iter()
                .any(|usual| name.trim().eq_ignore_ascii_case(usual))
        };
        let found = names.iter().enumerate().filter(|(_, name)| is(name));
        found.map(|(place, _)| place).collect()
    };
    match places(&TEXT_NAMES[..1]) {
        none if none.is_empty() => places(&TEXT_NAMES[1..]),
        found => found,
    }
}

impl TextRows {
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
                let line = lines.place().line;
                return Ok(Some(TextRow { line, text }));
            }
            Rows::Cells {
                first,
                reader,
                place,
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
                let text = std::mem::take(&mut row.cells[*place]);
                let line = row.line;
                return Ok(Some(TextRow { line, text }));
            }
            Rows::Json { first, reader, key } => {
                let row = first.take().map(Ok).or_else(|| reader.next()).transpose()?;
                row.map(|row| (Place::new(&self.path, row.line), row, &*key))
            }
            Rows::Parquet { reader, key } => {
                let row = reader.next().transpose()?;
                row.map(|row| (Place::row(&self.path, row.line), row, &*key))
            }
        };
        let Some((at, mut row, key)) = row else {
            return Ok(None);
        };
        let line = row.line;
        match row.object.get_mut(key) {
            Some(Value::String(text)) => {
                let text = std::mem::take(text);
                Ok(Some(TextRow { line, text }))
            }
            other => Err(DataError::BadKey {
                at,
                key: key.clone(),
                problem: other.map_or("missing", |value| kind(value)),
                expected: "a string",
            }
            .into()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str, text: &str, column: Option<Column>) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut file = TextFile::new(&path, TextFile::format_of(&path));
        file.column = column;
        file.rows()?.map(|row| row.map(|row| row.text)).collect()
    }

    fn name(name: &str) -> Option<Column> {
        Some(Column::Name(name.into()))
    }

    #[test]
    fn lines_are_texts_where_there_are_no_columns() {
        assert_eq!(
            texts("a.txt", "a\tb\n\nc", None).unwrap(),
            ["a\tb", "", "c"]
        );
        assert_eq!(texts("a", "text\nb\n", None).unwrap(), ["text", "b"]);
    }

    #[test]
    fn the_column_is_named_usual_or_the_only_one() {
        let table = "id,Text\n1,\"a, b\"\n2,\n";
        assert_eq!(texts("a.csv", table, None).unwrap(), ["a, b", ""]);
        assert_eq!(texts("a.csv", table, name("id")).unwrap(), ["1", "2"]);
        let json = "[{\"q\": \"a\"}, {\"q\": \"b\", \"r\": 1}]";
        assert_eq!(texts("a.json", json, None).unwrap(), ["a", "b"]);
        assert_eq!(texts("a.tsv", "a\nb\n\n", None).unwrap(), ["a", "b"]);
        let place = Some(Column::Index(1));
        assert_eq!(texts("a.tsv", "a\tb\nc\td\n", place).unwrap(), ["b", "d"]);
    }

    #[test]
    fn what_is_unclear_is_a_question() {
        for (file, text, column, what) in [
            (
                "a.tsv",
                "a\tb\n",
                None,
                "which column is the text: 2 columns and no header",
            ),
            (
                "a.csv",
                "q,r\na,b\n",
                None,
                "whether the first row holds names",
            ),
            ("a.csv", "A dog.\nA cat.\n", None, "it is \"A dog.\""),
            (
                "a.csv",
                "sentence,body\na,b\n",
                None,
                "several have usual names",
            ),
            (
                "a.csv",
                "text,text\na,b\n",
                None,
                "two columns are named \"text\"",
            ),
            (
                "a.csv",
                "text,a\na,b\n",
                name("txt"),
                "did you mean \"text\"?",
            ),
            (
                "a.csv",
                "text,a\na,b\n\nc,d\n",
                None,
                "a.csv:3: a blank line",
            ),
            ("a.csv", "text,a\na,b,c\n", None, "a.csv:2: 3 columns where"),
            (
                "a.jsonl",
                "{\"q\": 1, \"r\": 2}",
                None,
                "none has a usual name",
            ),
            ("a.jsonl", "{\"text\": 1}", None, "\"text\" is a number"),
            ("a.jsonl", "{}", None, "there are no columns"),
            ("a.tsv", "a\tb\n", Some(Column::Index(2)), "no column 2"),
        ] {
            let error = texts(file, text, column).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
