//! One column of texts.

use std::path::{Path, PathBuf};

use super::columns::{duplicate, looks_like_header};
use super::error::nearest;
use super::text_ids::{IdColumn, usual_id};
use super::text_rows::{Rows, TextRows};
use super::{Column, DataError, DelimitedReader, Dialect, Format, JsonReader, Lines};
use super::{PairFile, ParquetFile, Remedy};
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
    /// Where its id is, in a file with columns.
    pub id: IdColumn,
    /// Whether the other columns are read, of a file whose columns have names.
    pub others: bool,
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
            id: IdColumn::None,
            others: false,
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
        TextRows::new(self.path.clone(), rows, headed)
    }

    fn parquet(&self) -> Result<TextRows> {
        let file = ParquetFile::open(&self.path)?;
        let names: Vec<&str> = file.names().iter().map(String::as_str).collect();
        let key = names[self.find(&names)?].to_string();
        let id = self.find_id(&names)?.map(|place| names[place].to_string());
        // A column is read once, whatever it is for.
        let second = id.as_deref().filter(|id| *id != key);
        let mut columns: Vec<&str> = std::iter::once(&*key).chain(second).collect();
        let all = match self.others {
            true => file.names().to_vec(),
            false => vec![],
        };
        let rest = all.iter().map(String::as_str);
        columns.extend(rest.filter(|name| *name != key && Some(*name) != id.as_deref()));
        let reader = Box::new(file.rows(&columns, &[])?);
        let others = self.others;
        let rows = Rows::Parquet {
            reader,
            key,
            id,
            others,
        };
        Ok(self.with(rows, false))
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
        let id = match (&first, &self.id) {
            (_, IdColumn::Given(Column::Name(name))) => Some(name.clone()),
            (Some(_), IdColumn::Given(column)) => {
                let reason = format!("{column} is a place, and JSON objects have keys");
                return Err(self.unclear_id(reason).into());
            }
            (Some(row), IdColumn::Usual) => {
                let keys: Vec<&str> = row.object.keys().map(String::as_str).collect();
                usual_id(&keys).map(|place| keys[place].to_string())
            }
            (None, _) | (_, IdColumn::None) => None,
        };
        let reader = Box::new(reader);
        let rows = Rows::Json {
            first,
            reader,
            key,
            id,
            others: self.others,
        };
        Ok(self.with(rows, false))
    }

    fn cells(&self, mut reader: DelimitedReader) -> Result<TextRows> {
        let Some(first) = reader.next().transpose()? else {
            let reader = Box::new(reader);
            let (first, place, width) = (None, 0, 0);
            let rows = Rows::Cells {
                first,
                reader,
                place,
                id: None,
                width,
                others: vec![],
            };
            return Ok(self.with(rows, false));
        };
        reader.take_blanks();
        let names: Vec<&str> = first.cells.iter().map(String::as_str).collect();
        let usual = usual_places(&names);
        let named = matches!(self.column, Some(Column::Name(_)))
            || matches!(self.id, IdColumn::Given(Column::Name(_)));
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
        let id = match (&self.id, headed) {
            (IdColumn::Given(Column::Index(place)), _) if *place >= width => {
                let column = format!("column {place}");
                let (at, found) = (reader.place(first.line), width);
                return Err(DataError::MissingColumn { at, column, found }.into());
            }
            (IdColumn::Given(Column::Index(place)), _) => Some(*place),
            (_, true) => self.find_id(&names)?,
            (IdColumn::Given(_), false) => {
                let reason = "it is given by name, and there is no header".to_owned();
                return Err(self.unclear_id(reason).into());
            }
            (IdColumn::None | IdColumn::Usual, false) => None,
        };
        let named = names
            .iter()
            .enumerate()
            .filter(|(_, _)| self.others && headed);
        let other = |(at, _): &(usize, &&str)| *at != place && Some(*at) != id;
        let others = named.filter(other).map(|(at, name)| (at, name.to_string()));
        let others = others.collect();
        let rows = Rows::Cells {
            others,
            first: (!headed).then_some(first),
            reader: Box::new(reader),
            place,
            id,
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

    /// The column of the ids among `names`, if one is read.
    fn find_id(&self, names: &[&str]) -> Result<Option<usize>, DataError> {
        let IdColumn::Given(column) = &self.id else {
            let usual = || usual_id(names);
            return Ok((self.id == IdColumn::Usual).then(usual).flatten());
        };
        let (wanted, found) = match column {
            Column::Name(name) => (name.clone(), names.iter().position(|n| n == name)),
            Column::Index(place) => (
                column.to_string(),
                Some(*place).filter(|place| *place < names.len()),
            ),
        };
        match found {
            Some(place) => Ok(Some(place)),
            None => Err(DataError::UnknownColumn {
                path: self.path.clone(),
                suggestion: nearest(&wanted, names.iter().copied()),
                column: wanted,
                known: names.iter().map(|n| format!("{n:?}")).collect(),
            }),
        }
    }

    fn unclear_id(&self, reason: String) -> DataError {
        DataError::UnclearColumns {
            path: self.path.clone(),
            role: "id",
            reason,
            remedies: vec!["give the key or the header's name of the ids".into()],
        }
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
    fn ids_are_read_where_they_are_asked_for() {
        let ids = |name: &str, text: &str, id: IdColumn| -> Result<Vec<Option<String>>> {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let mut file = TextFile::new(&path, TextFile::format_of(&path));
            file.column = match name {
                "lines.txt" => None,
                _ => Some(Column::Name("text".into())),
            };
            file.id = id;
            file.rows()?.map(|row| row.map(|row| row.id)).collect()
        };
        let some = |ids: &[&str]| -> Vec<Option<String>> {
            ids.iter().map(|id| Some((*id).to_owned())).collect()
        };
        let table = "docid,text,key\n7,a,x\n8,b,y\n";
        let read = |id| ids("a.csv", table, id).unwrap();
        assert_eq!(read(IdColumn::None), [None, None]);
        assert_eq!(read(IdColumn::Usual), some(&["7", "8"]));
        let given = |name: &str| IdColumn::Given(Column::Name(name.into()));
        assert_eq!(read(given("key")), some(&["x", "y"]));
        assert_eq!(read(given("text")), some(&["a", "b"]));
        let placed = IdColumn::Given(Column::Index(2));
        assert_eq!(read(placed), some(&["x", "y"]));
        let json = "{\"_id\": 7, \"text\": \"a\"}\n{\"_id\": \"q8\", \"text\": \"b\"}\n";
        let read = |id| ids("a.jsonl", json, id);
        assert_eq!(read(IdColumn::Usual).unwrap(), some(&["7", "q8"]));
        assert_eq!(ids("lines.txt", "a\n", IdColumn::Usual).unwrap(), [None]);
        let error = |result: Result<_>| result.unwrap_err().to_string();
        let missing = error(read(given("key")));
        assert!(
            missing.contains("\"key\"") && missing.contains("missing"),
            "{missing}"
        );
        let unknown = error(ids("a.csv", table, given("kez")));
        assert!(unknown.contains("key"), "{unknown}");
        let beyond = error(ids("a.csv", table, IdColumn::Given(Column::Index(3))));
        assert!(beyond.contains("column 3"), "{beyond}");
        let place = error(read(IdColumn::Given(Column::Index(0))));
        assert!(place.contains("have keys"), "{place}");
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
