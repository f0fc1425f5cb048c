//! Rows of any format as objects.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::form::{ListForm, is_of_lists};
use crate::Result;
use crate::data::columns::duplicate;
use crate::data::{DataError, DelimitedReader, Format, JsonReader, JsonRow, Lines};
use crate::data::{PairFile, ParquetFile, Place, Row};

/// A file whose rows are lists, opened.
pub(super) struct Table {
    pub path: PathBuf,
    /// Whether rows are counted, and not lines.
    pub is_row: bool,
    pub rows: Box<dyn Iterator<Item = Result<JsonRow>>>,
}

impl Table {
    /// Opens a file whose rows are lists; `None` where they are not.
    pub fn open(file: &PairFile) -> Result<Option<(Self, ListForm)>> {
        match file.format {
            Format::Parquet => Self::parquet(file),
            Format::Jsonl => Self::json(file),
            Format::Tsv | Format::Csv => Self::cells(file),
        }
    }

    fn new(file: &PairFile, rows: impl Iterator<Item = Result<JsonRow>> + 'static) -> Self {
        Self {
            path: file.path.clone(),
            is_row: file.format == Format::Parquet,
            rows: Box::new(rows),
        }
    }

    fn form(
        file: &PairFile,
        names: &[&str],
        is_list: impl Fn(&str) -> bool,
    ) -> Result<Option<ListForm>> {
        let of_cells = file.format.has_cells();
        let form = ListForm::find(names, &file.columns, of_cells, is_list);
        Ok(form.map_err(|unclear| file.unclear(unclear, names, true))?)
    }

    fn parquet(file: &PairFile) -> Result<Option<(Self, ListForm)>> {
        let opened = ParquetFile::open(&file.path)?;
        let names: Vec<&str> = opened.names().iter().map(String::as_str).collect();
        let Some(form) = Self::form(file, &names, |name| opened.is_list(name))? else {
            return Ok(None);
        };
        let rows = opened.rows_with_lists(&form.columns())?;
        Ok(Some((Self::new(file, rows), form)))
    }

    fn json(file: &PairFile) -> Result<Option<(Self, ListForm)>> {
        let mut reader = JsonReader::new(Lines::open(&file.path)?);
        let Some(first) = reader.next().transpose()? else {
            return Ok(None);
        };
        let names: Vec<&str> = first.object.keys().map(String::as_str).collect();
        let is_list = |name: &str| matches!(first.object.get(name), Some(Value::Array(_)));
        let Some(form) = Self::form(file, &names, is_list)? else {
            return Ok(None);
        };
        let rows = std::iter::once(Ok(first)).chain(reader);
        Ok(Some((Self::new(file, rows), form)))
    }

    fn cells(file: &PairFile) -> Result<Option<(Self, ListForm)>> {
        if file.header == Some(false) {
            return Ok(None);
        }
        let lines = Lines::open(&file.path)?;
        let mut reader = DelimitedReader::new(lines, file.resolved()?);
        let Some(first) = reader.next().transpose()? else {
            return Ok(None);
        };
        let names: Vec<&str> = first.cells.iter().map(String::as_str).collect();
        // A first row that is data has no column of the source's.
        let headed = file.header == Some(true) || file.format == Format::Csv;
        let form = match Self::form(file, &names, is_of_lists) {
            Err(_) if !headed && !names.iter().any(|name| is_of_lists(name)) => None,
            form => form?,
        };
        let Some(form) = form else {
            return Ok(None);
        };
        if let Some(column) = duplicate(&names) {
            let (path, column) = (file.path.clone(), column.to_string());
            return Err(DataError::DuplicateColumn { path, column }.into());
        }
        let (names, path) = (first.cells, file.path.clone());
        let rows = reader.map(move |row| object(row?, &names, &path));
        Ok(Some((Self::new(file, rows), form)))
    }
}

/// A row of cells under their names.
fn object(row: Row, names: &[String], path: &PathBuf) -> Result<JsonRow> {
    let (line, found) = (row.line, row.cells.len());
    if found != names.len() {
        return Err(DataError::RowWidth {
            at: Place::new(path, line),
            found,
            least: names.len(),
            most: names.len(),
            remedies: vec!["take the delimiter and line ends out of the texts".into()],
        }
        .into());
    }
    let cells = row.cells.into_iter().map(Value::String);
    let object: Map<String, Value> = names.iter().cloned().zip(cells).collect();
    Ok(JsonRow { line, object })
}
