//! The list of texts with their clusters.

use super::Clustering;
use crate::jobs::folder::{ResultFolder, line};
use crate::store::Index;
use crate::{IndexError, Result};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The form of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsFormat {
    /// An object a line.
    Jsonl,
    /// Columns.
    Parquet,
}

/// A text.
#[derive(Serialize)]
struct Row {
    id: String,
    /// Null where it is in no cluster.
    cluster: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cosine: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<f32>,
    text: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    columns: Map<String, Value>,
}

pub(super) fn write(
    folder: &ResultFolder,
    index: &Index,
    clustering: &Clustering,
    format: RowsFormat,
) -> Result<PathBuf> {
    let live = |row: &Result<(usize, _)>| match row {
        Ok((row, _)) => index.rows().has(*row),
        Err(_) => true,
    };
    let rows = index.records().filter(live).map(|record| {
        let (row, record) = record?;
        let cluster = clustering.of[row];
        Ok(Row {
            id: record.id,
            cluster,
            cosine: cluster.map(|_| clustering.cosines[row]),
            membership: clustering.membership.as_ref().map(|all| all[row]),
            text: record.text,
            columns: record.columns,
        })
    });
    match format {
        RowsFormat::Jsonl => {
            let name = "texts.jsonl";
            let path = folder.path().join(name);
            folder.without("texts.parquet")?;
            folder.file(name, |file| {
                for row in rows {
                    line(file, &path, &row?)?;
                }
                Ok(())
            })
        }
        RowsFormat::Parquet => {
            let name = "texts.parquet";
            let path = folder.path().join(name);
            folder.without("texts.jsonl")?;
            folder.file(name, |file| parquet(file, &path, rows))
        }
    }
}

const SCHEMA: &str = "message texts {
    required binary id (UTF8);
    optional int32 cluster;
    optional float cosine;
    optional float membership;
    required binary text (UTF8);
    required binary columns (UTF8);
}";

/// Rows that lie together.
const GROUP: usize = 65_536;

fn parquet(
    file: &mut (impl Write + Send),
    path: &Path,
    rows: impl Iterator<Item = Result<Row>>,
) -> Result<()> {
    let bad = |e: parquet::errors::ParquetError| IndexError::damaged(path, e.to_string());
    let schema = Arc::new(parse_message_type(SCHEMA).map_err(bad)?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let properties = Arc::new(properties.build());
    let mut writer = SerializedFileWriter::new(file, schema, properties).map_err(bad)?;
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let some: Vec<Row> = rows.by_ref().take(GROUP).collect::<Result<_>>()?;
        let texts = |of: &dyn Fn(&Row) -> String| -> Vec<ByteArray> {
            some.iter().map(|row| of(row).into_bytes().into()).collect()
        };
        let columns = |row: &Row| Value::Object(row.columns.clone()).to_string();
        let mut group = writer.next_row_group().map_err(bad)?;
        let mut place = 0;
        while let Some(mut column) = group.next_column().map_err(bad)? {
            let floats = |of: &dyn Fn(&Row) -> Option<f32>| -> (Vec<f32>, Vec<i16>) {
                let values = some.iter().filter_map(of).collect();
                let there = some.iter().map(|row| i16::from(of(row).is_some()));
                (values, there.collect())
            };
            let written = match place {
                0 | 4 | 5 => {
                    let values = match place {
                        0 => texts(&|row| row.id.clone()),
                        4 => texts(&|row| row.text.clone()),
                        _ => texts(&columns),
                    };
                    column
                        .typed::<ByteArrayType>()
                        .write_batch(&values, None, None)
                }
                1 => {
                    let values: Vec<i32> = some
                        .iter()
                        .filter_map(|row| row.cluster.map(|c| c as i32))
                        .collect();
                    let there: Vec<i16> = some
                        .iter()
                        .map(|row| i16::from(row.cluster.is_some()))
                        .collect();
                    let column = column.typed::<Int32Type>();
                    column.write_batch(&values, Some(&there), None)
                }
                _ => {
                    let (values, there) = match place {
                        2 => floats(&|row| row.cosine),
                        _ => floats(&|row| row.membership),
                    };
                    let column = column.typed::<FloatType>();
                    column.write_batch(&values, Some(&there), None)
                }
            };
            written.map_err(bad)?;
            column.close().map_err(bad)?;
            place += 1;
        }
        group.close().map_err(bad)?;
    }
    writer.close().map_err(bad)?;
    Ok(())
}
