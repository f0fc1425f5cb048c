//! One file of pairs, read row by row.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::columns::{Slots, Unclear, looks_like_header};
use super::error::nearest;
use super::published::Published;
use super::rows::{Names, PairRows, Rows};
use super::{
    Column, Columns, DataError, DelimitedReader, Dialect, JsonReader, LabelMap, Lines, ParquetFile,
    Split,
};
use crate::Result;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Tab-separated; quotes are text and there is no header unless set.
    Tsv,
    /// Comma-separated, quoted, with a header unless set.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Parquet, whose columns have names.
    Parquet,
}

impl Format {
    /// By a file name's extension (`.tsv`, `.txt`, `.csv`, `.jsonl`,
    /// `.ndjson`; a `.gz` after it is looked through).
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "tsv" | "txt" => Some(Format::Tsv),
            "csv" => Some(Format::Csv),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }
}

/// A file of pairs and how to read it.
///
/// Columns that are not given are found by the names that published files use
/// (`sentence1` and `sentence2`, `premise` and `hypothesis`, `score`, `label`,
/// ...; two candidates are an error, not a guess), and without a header by the
/// first row: of three columns, the first or last that is a number or a known
/// class is the label.
///
/// The published forms of SNLI and MultiNLI (`gold_label`, `sentence1`,
/// `sentence2`), AllNLI (`split`, `dataset`, `filename`, ...) and triplets
/// (`sent0`, `sent1`, `hard_neg`; `anchor`, `positive`, `negative`) are known
/// by their columns' names, also where the file's form has no header by
/// default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFile {
    /// The file.
    pub path: PathBuf,
    /// Its form.
    pub format: Format,
    /// Whether the first row names the columns; by default in csv, and in a
    /// published form that is known by these names. Not for JSON Lines.
    pub header: Option<bool>,
    /// How cells are told apart. Not for JSON Lines.
    pub dialect: Dialect,
    /// Where the pair is.
    pub columns: Columns,
    /// Only the rows of this split, in a file that names each row's split
    /// (AllNLI). Without it all are read.
    pub split: Option<Split>,
}

impl PairFile {
    /// A file with its format's usual header and dialect.
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        let csv = format == Format::Csv;
        Self {
            path: path.into(),
            format,
            header: None,
            dialect: Dialect {
                delimiter: if csv { ',' } else { '\t' },
                quoting: csv,
            },
            columns: Columns::default(),
            split: None,
        }
    }

    /// Opens the file and finds its columns. `labels` helps to tell which
    /// column of a file without a header is the label.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io); [`DataError::Empty`] and what the
    /// header can have wrong.
    pub fn rows(&self, labels: &LabelMap) -> Result<PairRows> {
        if self.format == Format::Parquet {
            return self.parquet_rows(labels);
        }
        self.rows_from(Lines::open(&self.path)?, labels)
    }

    /// As [`PairFile::rows`], reading `lines` (of standard input, say) in place
    /// of the file.
    ///
    /// # Errors
    /// As [`PairFile::rows`].
    pub fn rows_from(&self, lines: Lines, labels: &LabelMap) -> Result<PairRows> {
        match self.format {
            Format::Jsonl => self.json_rows(JsonReader::new(lines)),
            Format::Parquet => {
                let path = self.path.clone();
                Err(DataError::NotFromPipe { path }.into())
            }
            Format::Tsv | Format::Csv => {
                self.delimited_rows(DelimitedReader::new(lines, self.dialect), labels)
            }
        }
    }

    fn empty(&self) -> DataError {
        let path = self.path.clone();
        DataError::Empty { path }
    }

    fn json_rows(&self, mut reader: JsonReader) -> Result<PairRows> {
        let row = reader.next().ok_or_else(|| self.empty())??;
        let columns = &self.columns;
        let by_index = [&columns.first, &columns.second, &columns.label]
            .into_iter()
            .chain([&columns.weight, &columns.tolerance, &columns.negative])
            .find(|c| matches!(c, Some(Column::Index(_))));
        if let Some(Some(column)) = by_index {
            let unclear = DataError::UnclearColumns {
                path: self.path.clone(),
                role: "sentence pair",
                reason: format!("{column} is a place, and JSON objects have keys"),
                remedy: "the key's name".into(),
            };
            return Err(unclear.into());
        }
        let mut keys: Vec<&str> = row.object.keys().map(String::as_str).collect();
        // An optional key need not be in the first object.
        for column in [&self.columns.weight, &self.columns.tolerance] {
            if let Some(Column::Name(name)) = column
                && !keys.contains(&name.as_str())
            {
                keys.push(name);
            }
        }
        let slots = self
            .named_slots(&keys)
            .map_err(|unclear| self.unclear(unclear, &keys, true))?;
        let names = Names::new(slots, Some(&keys));
        let rows = Rows::Objects {
            first_row: Some(row),
            reader: Box::new(reader),
            of_lines: true,
        };
        Ok(PairRows::new(&self.path, names, rows, self.split))
    }

    fn parquet_rows(&self, labels: &LabelMap) -> Result<PairRows> {
        let file = ParquetFile::open(&self.path)?;
        let known = file.names().to_vec();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let unclear = |unclear| self.unclear(unclear, &known, true);
        let slots = self.named_slots(&known).map_err(unclear)?;
        if let Some(beyond) = slots.all().find(|slot| *slot >= known.len()) {
            let column = Unclear::Unknown(format!("column {beyond}"));
            return Err(unclear(column).into());
        }
        let mut wanted: Vec<&str> = slots.all().map(|slot| known[slot]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        // Classes of inference are told by their names, whatever numbers they
        // have in this file; others are numbers, unless the map names them.
        let label = slots.label.map(|slot| known[slot]);
        let by_name = label.filter(|label| {
            let names = file.classes(label).unwrap_or_default();
            labels.prefers_names(names)
        });
        let names = Names::new(slots, Some(&known));
        let rows = Rows::Objects {
            first_row: None,
            reader: Box::new(file.rows(&wanted, by_name.as_slice())?),
            of_lines: false,
        };
        Ok(PairRows::new(&self.path, names, rows, self.split))
    }

    /// The columns among `names`: those of a published form, those given, or
    /// those with usual names.
    fn named_slots(&self, names: &[&str]) -> Result<Slots, Unclear> {
        match self.published(names) {
            Some(published) => published.slots(&self.columns, names),
            None => self.columns.find(names),
        }
    }

    fn published(&self, names: &[&str]) -> Option<Published> {
        Published::recognise(names).filter(|_| self.columns.are_usual())
    }

    fn delimited_rows(&self, mut reader: DelimitedReader, labels: &LabelMap) -> Result<PairRows> {
        let row = reader.next().ok_or_else(|| self.empty())??;
        let names: Vec<&str> = row.cells.iter().map(String::as_str).collect();
        let usual = self.format == Format::Csv || self.published(&names).is_some();
        let headed = self.header.unwrap_or(usual);
        let slots = if headed {
            self.named_slots(&names)
        } else {
            self.columns.guess(&row.cells, |cell| labels.knows(cell))
        }
        .map_err(|unclear| self.unclear(unclear, &names, headed))?;

        let guessed = !headed && self.columns.first.is_none();
        let width = if guessed {
            let remedy = "the layout was taken from the first row; name the columns (`first`, `second`, `label`)";
            Some((row.cells.len(), remedy))
        } else if self.dialect.delimiter == ',' {
            let remedy = "put cells that hold commas in double quotes";
            Some((row.cells.len(), remedy))
        } else {
            None
        };
        let names = Names::new(slots, headed.then_some(&names));
        let rows = Rows::Delimited {
            first_row: (!headed).then_some(row),
            reader,
            slots,
            width,
        };
        Ok(PairRows::new(&self.path, names, rows, self.split))
    }

    /// `headed` says whether `names` are names, and not cells of a first row.
    fn unclear(&self, unclear: Unclear, names: &[&str], headed: bool) -> DataError {
        let path = self.path.clone();
        let known: Vec<String> = names.iter().map(|n| format!("{n:?}")).collect();
        let by = if headed { "name" } else { "index" };
        let (role, reason, keys) = match unclear {
            Unclear::Unknown(column) if headed => {
                return DataError::UnknownColumn {
                    path,
                    suggestion: nearest(&column, names.iter().copied()),
                    column,
                    known,
                };
            }
            Unclear::Unknown(column) => {
                let reason = format!("{column:?} is a name and the file is read without a header");
                let remedy = "`header = true`, or columns by index".into();
                return DataError::UnclearColumns {
                    path,
                    role: "sentence pair",
                    reason,
                    remedy,
                };
            }
            Unclear::Half => {
                let reason = "only one of `first` and `second` is set".to_string();
                ("sentence pair", reason, "both")
            }
            Unclear::Twice(name) => {
                let reason = format!("{name:?} is there twice");
                let remedy = "the column by index".into();
                return DataError::UnclearColumns {
                    path,
                    role: "sentence pair",
                    reason,
                    remedy,
                };
            }
            Unclear::Pair(reason) => ("sentence pair", reason, "`first` and `second`"),
            Unclear::Label(reason) => ("label", reason, "`label` (with `first` and `second`)"),
        };
        let cells: Vec<String> = names.iter().map(|n| n.to_string()).collect();
        let tabs = self.dialect.delimiter == ',' && names.iter().any(|n| n.contains('\t'));
        let remedy = if tabs {
            "`format = \"tsv\"`: the first line holds tabs".to_string()
        } else if !headed && looks_like_header(&cells) {
            "`header = true`: the first row holds column names".to_string()
        } else if headed && matches!(self.format, Format::Tsv | Format::Csv) {
            let list = known.join(", ");
            format!(
                "{keys} to a column's {by} (it has: {list}), or `header = false` if the first row is data"
            )
        } else {
            format!("{keys} to a column's {by}")
        };
        DataError::UnclearColumns {
            path,
            role,
            reason,
            remedy,
        }
    }
}
