//! The rows of a table as a hub publishes it, as objects by column name.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use super::HubError;
use super::split_files::TableFormat;
use crate::data::{DelimitedReader, Dialect, Lines, ParquetFile, Quoting};
use crate::{Error, Result};

/// A table that is being read.
pub(super) struct Table {
    /// Its columns; of JSON the keys of the first row.
    pub(super) columns: Vec<String>,
    /// As messages call it.
    shown: String,
    rows: Rows,
}

/// Takes a row's number and its values.
pub(super) type EachRow<'a> = dyn FnMut(u64, &Map<String, Value>) -> Result<()> + 'a;

type Objects = Box<dyn Iterator<Item = Result<(u64, Map<String, Value>)>>>;

enum Rows {
    Objects(Objects),
    /// Opened when it is known which columns are wanted.
    Parquet(Box<ParquetFile>),
}

impl Table {
    /// Opens the table at `path`, which messages call `shown`.
    pub(super) fn open(path: &Path, format: TableFormat, shown: &str) -> Result<Self> {
        let name = shown.to_string();
        let (columns, rows) = match format {
            TableFormat::Parquet => {
                let file = ParquetFile::open(path).map_err(|e| broken(&name, e))?;
                (file.names().to_vec(), Rows::Parquet(Box::new(file)))
            }
            TableFormat::Json => {
                let (first, objects) = with_first(json(path, &name)?)?;
                let keys = first.keys().cloned().collect();
                (keys, Rows::Objects(objects))
            }
            TableFormat::Csv | TableFormat::Tsv | TableFormat::Text => {
                let (names, objects) = delimited(path, format, &name)?;
                (names, Rows::Objects(objects))
            }
        };
        let shown = name;
        Ok(Table {
            columns,
            shown,
            rows,
        })
    }

    /// The first of `names` that is a column, without regard to case.
    pub(super) fn column(&self, names: &[&str]) -> Option<String> {
        let same = |name: &&str| {
            let mut columns = self.columns.iter();
            columns
                .find(|column| column.eq_ignore_ascii_case(name))
                .cloned()
        };
        names.iter().find_map(same)
    }

    /// Hands on row after row, with its number from 1 (of JSON lines and text
    /// the line), as the values of `columns`.
    pub(super) fn each(self, columns: &[&str], row: &mut EachRow<'_>) -> Result<()> {
        match self.rows {
            Rows::Objects(objects) => {
                for object in objects {
                    let (at, object) = object?;
                    row(at, &object)?;
                }
            }
            Rows::Parquet(file) => {
                let rows = file
                    .rows(columns, columns)
                    .map_err(|e| broken(&self.shown, e))?;
                for found in rows {
                    let found = found.map_err(|e| broken(&self.shown, e))?;
                    row(found.line, &found.object)?;
                }
            }
        }
        Ok(())
    }
}

/// A file that is as the hub sent it, but not as it should be.
fn broken(shown: &str, reason: impl std::fmt::Display) -> Error {
    HubError::BadTable {
        file: shown.into(),
        reason: reason.to_string(),
    }
    .into()
}

/// The first object too, which stays in the row.
fn with_first(mut objects: Objects) -> Result<(Map<String, Value>, Objects)> {
    let Some(first) = objects.next().transpose()? else {
        return Ok((Map::new(), Box::new(std::iter::empty())));
    };
    let keys = first.1.clone();
    let all = std::iter::once(Ok(first)).chain(objects);
    Ok((keys, Box::new(all)))
}

/// Opens a file, unpacked by its first bytes.
fn unpacked(path: &Path) -> Result<Box<dyn BufRead>> {
    let io = Error::io(path);
    let mut file = File::open(path).map_err(io)?;
    let mut magic = Vec::new();
    file.by_ref()
        .take(4)
        .read_to_end(&mut magic)
        .and_then(|_| file.seek(SeekFrom::Start(0)))
        .map_err(Error::io(path))?;
    Ok(match magic[..] {
        [0x1f, 0x8b, ..] => Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file)))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let decoder = zstd::stream::read::Decoder::new(file).map_err(Error::io(path))?;
            Box::new(BufReader::new(decoder))
        }
        _ => Box::new(BufReader::new(file)),
    })
}

/// JSON lines, or one array.
fn json(path: &Path, shown: &str) -> Result<Objects> {
    let mut text = unpacked(path)?;
    let begins = text.fill_buf().map_err(|e| broken(shown, e))?;
    let array = begins.trim_ascii_start().starts_with(b"[");
    if array {
        let rows: Vec<Map<String, Value>> =
            serde_json::from_reader(text).map_err(|e| broken(shown, e))?;
        let rows = rows.into_iter().enumerate();
        return Ok(Box::new(rows.map(|(i, row)| Ok((i as u64 + 1, row)))));
    }
    let shown = shown.to_string();
    let mut line = 0;
    let mut bytes = Vec::new();
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            bytes.clear();
            line += 1;
            let bad = |reason: String| HubError::BadRow {
                file: shown.clone(),
                line,
                reason,
            };
            match text.read_until(b'\n', &mut bytes) {
                Err(e) => return Some(Err(bad(e.to_string()).into())),
                Ok(0) => return None,
                Ok(_) if bytes.trim_ascii().is_empty() => {}
                Ok(_) => {
                    let row = serde_json::from_slice(bytes.trim_ascii());
                    let row = row.map_err(|e| bad(e.to_string()).into());
                    return Some(row.map(|row| (line, row)));
                }
            }
        }
    })))
}

/// Cells by the names in the first row; of text one cell a line.
fn delimited(path: &Path, format: TableFormat, shown: &str) -> Result<(Vec<String>, Objects)> {
    let lines = Lines::open(path)?;
    let name = shown.to_string();
    if format == TableFormat::Text {
        let mut lines = lines;
        let rows = std::iter::from_fn(move || {
            let text = match lines.next_line() {
                Err(e) => return Some(Err(broken(&name, e))),
                Ok(text) => text?.to_string(),
            };
            let row = Map::from_iter([("text".to_string(), Value::String(text))]);
            Some(Ok((lines.place().line, row)))
        });
        return Ok((vec!["text".into()], Box::new(rows)));
    }
    let dialect = Dialect {
        delimiter: if format == TableFormat::Csv {
            ','
        } else {
            '\t'
        },
        quoting: match format {
            TableFormat::Csv => Quoting::On,
            _ => Quoting::Off,
        },
    };
    let mut reader = DelimitedReader::new(lines, dialect);
    let header = reader.next().transpose().map_err(|e| broken(&name, e))?;
    let names = header.map_or_else(Vec::new, |row| row.cells);
    let keys = names.clone();
    let rows = reader.map(move |row| {
        let row = row.map_err(|e| broken(&name, e))?;
        if row.cells.len() != keys.len() {
            return Err(HubError::BadRow {
                file: name.clone(),
                line: row.line,
                reason: format!("{} cells under {} names", row.cells.len(), keys.len()),
            }
            .into());
        }
        let cells = row.cells.into_iter().map(Value::String);
        Ok((row.line, keys.iter().cloned().zip(cells).collect()))
    });
    Ok((names, Box::new(rows)))
}
