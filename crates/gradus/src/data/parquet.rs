//! Parquet: columns of strings, numbers and booleans, row by row.
//!
//! Columns are read through the column readers of the `parquet` crate, which
//! answer most damage with errors where its record reader panics. What still
//! panics there becomes an error here.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;

use parquet::basic::{ConvertedType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use serde_json::{Map, Value};

use super::{DataError, JsonRow, Place};
use crate::{Error, Result};

/// Rows that are decoded at a time.
const BATCH: usize = 1024;

/// The metadata in which the `datasets` library describes its columns.
const FEATURES: &str = "huggingface";

/// An open Parquet file.
pub struct ParquetFile {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    names: Vec<String>,
    classes: BTreeMap<String, Vec<String>>,
}

/// The rows of some columns of a [`ParquetFile`], as objects. Ends after the
/// first error.
pub struct ParquetRows {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    columns: Vec<Column>,
    group: usize,
    left_in_group: usize,
    row: u64,
    batch: std::vec::IntoIter<Map<String, Value>>,
    done: bool,
}

/// A column that is read.
struct Column {
    name: String,
    index: usize,
    convert: Convert,
    /// Where it holds lists: the levels of an element and of a value.
    list: Option<Levels>,
    /// The reader of the present row group.
    reader: Option<ColumnReader>,
}

/// From which definition level on a list has an element, and an element a value.
#[derive(Clone, Copy)]
struct Levels {
    element: i16,
    value: i16,
}

/// What the bits of a column stand for.
#[derive(Clone)]
enum Convert {
    /// What they are.
    Plain,
    /// Unsigned integers.
    Unsigned,
    /// Numbers of classes, with these names.
    Classes(Vec<String>),
}

impl ParquetFile {
    /// Opens the file at `path` and reads what it says of its columns.
    ///
    /// # Errors
    /// [`Error::Io`]; [`DataError::BadParquet`] if it is damaged or encrypted.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let reader = guarded(|| SerializedFileReader::new(file)).map_err(|e| bad(path, 0, &e))?;
        let metadata = reader.metadata().file_metadata();
        let fields = metadata.schema().get_fields();
        let names = fields
            .iter()
            .map(|field| field.name().to_string())
            .collect();
        let pairs = metadata.key_value_metadata();
        let described = pairs
            .into_iter()
            .flatten()
            .find(|pair| pair.key == FEATURES)
            .and_then(|pair| pair.value.as_deref());
        let classes = described.map(class_names).unwrap_or_default();
        Ok(Self {
            path: path.to_path_buf(),
            reader,
            names,
            classes,
        })
    }

    /// The names of its columns, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many rows it says it has.
    pub fn row_count(&self) -> u64 {
        let rows = self.reader.metadata().file_metadata().num_rows();
        rows.max(0) as u64
    }

    /// The names of a column's classes, where the `datasets` library wrote it
    /// as `ClassLabel`: a row holds the number of one.
    pub fn classes(&self, column: &str) -> Option<&[String]> {
        self.classes.get(column).map(Vec::as_slice)
    }

    /// Reads these columns. Numbers of classes stay numbers, except in columns
    /// of `by_name`, where they become the names of [`ParquetFile::classes`].
    ///
    /// # Errors
    /// [`DataError::UnknownColumn`]; [`DataError::BadKey`] for a column that is
    /// nested or of a kind that is not read.
    pub fn rows(self, columns: &[&str], by_name: &[&str]) -> Result<ParquetRows> {
        self.read(columns, by_name, false)
    }

    /// Whether a column holds lists of strings, numbers or booleans.
    pub(super) fn is_list(&self, name: &str) -> bool {
        let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
        let mut leaves = schema.columns().iter().filter(|c| is_of(c, name));
        leaves.next().is_some_and(|c| levels(c).is_some()) && leaves.next().is_none()
    }

    /// As [`ParquetFile::rows`], where a column may hold lists too.
    ///
    /// # Errors
    /// As [`ParquetFile::rows`].
    pub(super) fn rows_with_lists(self, columns: &[&str]) -> Result<ParquetRows> {
        self.read(columns, &[], true)
    }

    fn read(self, columns: &[&str], by_name: &[&str], lists: bool) -> Result<ParquetRows> {
        let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
        let mut found = Vec::new();
        for &name in columns {
            if !self.names.iter().any(|known| known == name) {
                return Err(DataError::UnknownColumn {
                    path: self.path,
                    column: name.to_string(),
                    suggestion: super::error::nearest(name, self.names.iter().map(String::as_str)),
                    known: self.names.iter().map(|n| format!("{n:?}")).collect(),
                }
                .into());
            }
            let index = schema.columns().iter().position(|c| is_of(c, name));
            let list = index.filter(|_| lists && self.is_list(name));
            let list = list.and_then(|index| levels(&schema.column(index)));
            let classes = self.classes.get(name).filter(|_| by_name.contains(&name));
            let convert = match index {
                Some(index) => convert(schema.column(index).as_ref(), classes, list.is_some()),
                None => Err("a column of nothing"),
            };
            let convert = convert.map_err(|problem| DataError::BadKey {
                at: Place::row(&self.path, 1),
                key: name.to_string(),
                problem,
                expected: "a column of strings, numbers or booleans",
            })?;
            found.push(Column {
                name: name.to_string(),
                index: index.unwrap_or_default(),
                convert,
                list,
                reader: None,
            });
        }
        Ok(ParquetRows {
            path: self.path,
            reader: self.reader,
            columns: found,
            group: 0,
            left_in_group: 0,
            row: 0,
            batch: Vec::new().into_iter(),
            done: false,
        })
    }
}

/// The classes of the columns in what `datasets` writes of them.
fn class_names(json: &str) -> BTreeMap<String, Vec<String>> {
    let parsed: Value = serde_json::from_str(json).unwrap_or_default();
    let features = parsed["info"]["features"].as_object();
    let named = features.into_iter().flatten().filter_map(|(column, kind)| {
        if kind["_type"] != "ClassLabel" {
            return None;
        }
        let names = kind["names"].as_array()?.iter();
        let names: Option<Vec<_>> = names.map(|n| n.as_str().map(String::from)).collect();
        Some((column.clone(), names?))
    });
    named.collect()
}

/// Whether a leaf is of the column of this name.
fn is_of(leaf: &ColumnDescriptor, name: &str) -> bool {
    leaf.path().parts().first().is_some_and(|part| part == name)
}

/// The levels of a leaf that is repeated once: `name.list.element`, or an older way of
/// writing it.
fn levels(leaf: &ColumnDescriptor) -> Option<Levels> {
    let value = leaf.max_def_level();
    let optional = i16::from(leaf.self_type().is_optional());
    let element = value - optional;
    (leaf.max_rep_level() == 1 && leaf.path().parts().len() <= 3)
        .then_some(Levels { element, value })
}

fn convert(
    column: &ColumnDescriptor,
    classes: Option<&Vec<String>>,
    is_list: bool,
) -> Result<Convert, &'static str> {
    if !is_list && (column.max_rep_level() > 0 || column.path().parts().len() > 1) {
        return Err("a nested column");
    }
    match (column.physical_type(), column.converted_type()) {
        (_, ConvertedType::DECIMAL) => Err("a column of decimals"),
        (Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY, _) => Err("a column of bytes"),
        (
            _,
            ConvertedType::DATE
            | ConvertedType::TIME_MILLIS
            | ConvertedType::TIME_MICROS
            | ConvertedType::TIMESTAMP_MILLIS
            | ConvertedType::TIMESTAMP_MICROS,
        ) => Err("a column of times"),
        (Physical::INT32 | Physical::INT64, ConvertedType::UINT_32 | ConvertedType::UINT_64) => {
            Ok(Convert::Unsigned)
        }
        (Physical::INT32 | Physical::INT64, _) => {
            Ok(classes.map_or(Convert::Plain, |names| Convert::Classes(names.clone())))
        }
        _ => Ok(Convert::Plain),
    }
}

fn bad(path: &Path, row: u64, error: &ParquetError) -> Error {
    let message = match error {
        ParquetError::General(text) | ParquetError::EOF(text) => text.clone(),
        other => other.to_string(),
    };
    damaged(path, row, message)
}

fn damaged(path: &Path, row: u64, message: String) -> Error {
    let at = Place::row(path, row + 1);
    DataError::BadParquet { at, message }.into()
}

impl ParquetRows {
    /// The file that errors name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&mut self) -> Result<Option<JsonRow>> {
        loop {
            if let Some(object) = self.batch.next() {
                self.row += 1;
                let line = self.row;
                return Ok(Some(JsonRow { line, object }));
            }
            if self.left_in_group == 0 && !self.open_group()? {
                return Ok(None);
            }
            if self.left_in_group > 0 {
                self.read_batch()?;
            }
        }
    }

    /// Goes on to the next row group, if there is one.
    fn open_group(&mut self) -> Result<bool> {
        if self.group >= self.reader.num_row_groups() {
            return Ok(false);
        }
        let refused = |e| bad(&self.path, self.row, &e);
        let (number, reader, columns) = (self.group, &self.reader, &mut self.columns);
        let rows = guarded(|| {
            let group = reader.get_row_group(number)?;
            for column in columns {
                column.reader = Some(group.get_column_reader(column.index)?);
            }
            Ok(group.metadata().num_rows())
        });
        self.left_in_group = rows.map_err(refused)?.max(0) as usize;
        self.group += 1;
        Ok(true)
    }

    fn read_batch(&mut self) -> Result<()> {
        let count = self.left_in_group.min(BATCH);
        let mut rows = vec![Map::new(); count];
        for column in &mut self.columns {
            let values = column.read(count, &self.path, self.row)?;
            for (row, value) in rows.iter_mut().zip(values) {
                row.insert(column.name.clone(), value);
            }
        }
        self.left_in_group -= count;
        self.batch = rows.into_iter();
        Ok(())
    }
}

impl Iterator for ParquetRows {
    type Item = Result<JsonRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.read();
        self.done = !matches!(row, Ok(Some(_)));
        row.transpose()
    }
}

impl Column {
    fn read(&mut self, count: usize, path: &Path, row: u64) -> Result<Vec<Value>> {
        let (convert, name) = (&self.convert, &self.name);
        let list = self.list;
        let read = match &mut self.reader {
            None => Ok(Vec::new()),
            Some(ColumnReader::BoolColumnReader(r)) => {
                typed(r, (count, list), |_, v| Value::Bool(v))
            }
            Some(ColumnReader::Int32ColumnReader(r)) => {
                typed(r, (count, list), |_, v| match convert {
                    Convert::Unsigned => Value::from(v as u32),
                    convert => convert.integer(v.into()),
                })
            }
            Some(ColumnReader::Int64ColumnReader(r)) => {
                typed(r, (count, list), |_, v| match convert {
                    Convert::Unsigned => Value::from(v as u64),
                    convert => convert.integer(v),
                })
            }
            // As it is written: 3.8, not the nearest f64 to its f32.
            Some(ColumnReader::FloatColumnReader(r)) => typed(r, (count, list), |_, v| {
                float(v.to_string().parse().unwrap_or(f64::NAN))
            }),
            Some(ColumnReader::DoubleColumnReader(r)) => typed(r, (count, list), |_, v| float(v)),
            Some(ColumnReader::ByteArrayColumnReader(r)) => {
                let mut not_text = None;
                let read = typed(r, (count, list), |i, v: ByteArray| match v.as_utf8() {
                    Ok(text) => Value::from(text),
                    Err(_) => {
                        not_text.get_or_insert(row + i as u64 + 1);
                        Value::Null
                    }
                });
                if let Some(at) = not_text {
                    return Err(DataError::BadKey {
                        at: Place::row(path, at),
                        key: name.clone(),
                        problem: "bytes that are not UTF-8",
                        expected: "a string",
                    }
                    .into());
                }
                read
            }
            Some(_) => Ok(Vec::new()),
        };
        match read {
            Ok(values) if values.len() == count => Ok(values),
            Ok(values) => {
                let message = format!("the column {name:?} ends early");
                Err(damaged(path, row + values.len() as u64, message))
            }
            Err(error) => Err(bad(path, row, &error)),
        }
    }
}

impl Convert {
    fn integer(&self, value: i64) -> Value {
        let name = match self {
            Self::Classes(names) => usize::try_from(value).ok().and_then(|i| names.get(i)),
            _ => None,
        };
        // A number without a class, as -1 for none, stays a number.
        name.map_or_else(|| Value::from(value), |name| Value::from(name.as_str()))
    }
}

thread_local! {
    /// Whether what panics on this thread is caught and becomes an error.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of the `parquet` crate, whose assertions damaged files can break.
fn guarded<T>(run: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    static QUIET: Once = Once::new();
    // What becomes an error is not to be printed as a panic too.
    QUIET.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                usual(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(before);
    result.unwrap_or_else(|_| Err(ParquetError::General("its pages are damaged".into())))
}

/// A number that is not finite is text, which no reader takes for a number.
fn float(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number)
}

/// The next `count` values of a column, or lists of values, or fewer at its end. The
/// number that `value` gets is the row's.
fn typed<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    (count, list): (usize, Option<Levels>),
    mut value: impl FnMut(usize, T::T) -> Value,
) -> Result<Vec<Value>, ParquetError> {
    let (mut levels, mut repeats, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let (records, _, read) = guarded(|| {
        let repeats = list.is_some().then_some(&mut repeats);
        reader.read_records(count, Some(&mut levels), repeats, &mut values)
    })?;
    let mut values = values.into_iter();
    let mut out: Vec<Value> = Vec::with_capacity(records);
    let Some(list) = list else {
        for i in 0..records {
            // A required column has no levels.
            let there = levels.get(i).is_none_or(|level| *level > 0);
            out.push(match there {
                false => Value::Null,
                true => match values.next() {
                    Some(v) => value(i, v),
                    None => break,
                },
            });
        }
        return Ok(out);
    };
    for i in 0..read {
        let level = levels.get(i).copied().unwrap_or(list.value);
        // The first of a row, which may have none.
        if repeats.get(i).is_none_or(|repeat| *repeat == 0) {
            out.push(Value::Array(Vec::new()));
        }
        let row = out.len().saturating_sub(1);
        let element = match level {
            level if level < list.element => continue,
            level if level < list.value => Value::Null,
            _ => match values.next() {
                Some(v) => value(row, v),
                None => break,
            },
        };
        if let Some(Value::Array(elements)) = out.last_mut() {
            elements.push(element);
        }
    }
    Ok(out)
}
