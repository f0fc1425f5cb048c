//! One file of pairs, read row by row.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::columns::{Slots, Unclear, duplicate, looks_like_header};
use super::decimal::Decimal;
use super::error::nearest;
use super::published::{Published, STSB_WIDTH, is_stsb};
use super::raw_row::{Delimited, Names};
use super::rows::{PairRows, Rows};
use super::{Column, Columns, DataError, DelimitedReader, Dialect, JsonReader, LabelMap, Lines};
use super::{ParquetFile, Quoting, Remedy, Split, quoting};
use crate::Result;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Tab-separated. There is a header if the first row holds usual names, and
    /// rows show whether quotes enclose cells ([`Quoting`]), unless it is said.
    Tsv,
    /// Comma-separated, quoted, with a header unless set.
    Csv,
    /// JSON objects: one a line, or one array of them.
    #[serde(alias = "json")]
    Jsonl,
    /// Parquet, whose columns have names.
    Parquet,
}

impl Format {
    /// By a file name's extension (`.tsv`, `.txt`, `.csv`, `.jsonl`,
    /// `.ndjson`, `.json`, `.parquet`; a `.gz` or `.zst` after it is looked
    /// through).
    pub fn of(path: &Path) -> Option<Self> {
        match extension(path)?.as_str() {
            "tsv" | "txt" => Some(Format::Tsv),
            "csv" => Some(Format::Csv),
            "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }

    /// As recipes write it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Tsv => "tsv",
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::Parquet => "parquet",
        }
    }

    /// Whether rows are cells, without names of their own.
    pub fn has_cells(self) -> bool {
        matches!(self, Format::Tsv | Format::Csv)
    }

    /// How cells are told apart unless it is said.
    pub fn dialect(self) -> Dialect {
        match self {
            Format::Csv => Dialect {
                delimiter: ',',
                quoting: Quoting::On,
            },
            _ => Dialect {
                delimiter: '\t',
                quoting: Quoting::Auto,
            },
        }
    }
}

/// A file name's extension in lower case, under that of a packing.
pub(super) fn extension(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let packed = [".gz", ".zst", ".zstd"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let (_, extension) = packed.unwrap_or(&name).rsplit_once('.')?;
    Some(extension.to_string())
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
/// (`sent0`, `sent1`, `hard_neg`; `anchor` or `sentence`, `positive`, `negative` or
/// `negative_1`) are known by their columns' names, also where the file's form has no header by
/// default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFile {
    /// The file.
    pub path: PathBuf,
    /// Its form.
    pub format: Format,
    /// Whether the first row names the columns; by default in csv, and where it
    /// holds a usual pair of names. For tsv and csv.
    pub header: Option<bool>,
    /// How cells are told apart. For tsv and csv.
    pub dialect: Dialect,
    /// The least and the most columns of a row, where they differ. Else every
    /// row has as many as the first. For tsv and csv.
    pub width: Option<(usize, usize)>,
    /// How numbers are written.
    pub decimal: Decimal,
    /// Where the pair is.
    pub columns: Columns,
    /// Only the rows of this split, in a file that names each row's split
    /// (AllNLI). Without it all are read.
    pub split: Option<Split>,
}

impl PairFile {
    /// A file with its format's usual header and dialect.
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        Self {
            path: path.into(),
            format,
            header: None,
            dialect: format.dialect(),
            width: None,
            decimal: Decimal::Point,
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
        self.rows_of(Lines::open(&self.path)?, self.resolved()?, labels)
    }

    /// Whether each row has lines of its own: not in Parquet, and not in a JSON
    /// array.
    ///
    /// # Errors
    /// Those of [`Lines::open`].
    pub fn has_lines(&self) -> Result<bool> {
        Ok(match self.format {
            Format::Tsv | Format::Csv => true,
            Format::Jsonl => !Lines::open(&self.path)?.begins_with(b'[')?,
            Format::Parquet => false,
        })
    }

    /// How cells are told apart, after a look at the file where that is open.
    pub(super) fn resolved(&self) -> Result<Dialect> {
        let mut dialect = self.dialect;
        if self.format.has_cells() && dialect.quoting == Quoting::Auto && self.path.is_file() {
            dialect.quoting = quoting::decide(Lines::open(&self.path)?, dialect.delimiter)?;
        }
        Ok(dialect)
    }

    /// As [`PairFile::rows`], reading `lines` (of standard input, say) in place
    /// of the file.
    ///
    /// # Errors
    /// As [`PairFile::rows`].
    pub fn rows_from(&self, lines: Lines, labels: &LabelMap) -> Result<PairRows> {
        self.rows_of(lines, self.dialect, labels)
    }

    fn rows_of(&self, lines: Lines, dialect: Dialect, labels: &LabelMap) -> Result<PairRows> {
        match self.format {
            Format::Jsonl => self.json_rows(JsonReader::new(lines)),
            Format::Parquet => {
                let path = self.path.clone();
                Err(DataError::NotFromPipe { path }.into())
            }
            Format::Tsv | Format::Csv => {
                self.delimited_rows(DelimitedReader::new(lines, dialect), labels)
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
            let reason = format!("{column} is a place, and JSON objects have keys");
            return Err(self.unclear_pair(reason, Remedy::Columns).into());
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
        let rows = Rows::Json {
            first_row: Some(row),
            reader: Box::new(reader),
        };
        Ok(self.pair_rows(names, rows))
    }

    fn parquet_rows(&self, labels: &LabelMap) -> Result<PairRows> {
        let file = ParquetFile::open(&self.path)?;
        let known = file.names().to_vec();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        self.check_names(&known)?;
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
        let rows = Rows::Parquet(Box::new(file.rows(&wanted, by_name.as_slice())?));
        Ok(self.pair_rows(names, rows))
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

    fn pair_rows(&self, names: Names, rows: Rows) -> PairRows {
        PairRows::new(&self.path, names, rows).with(self.split, self.decimal)
    }

    /// Refuses two columns of one name, but where columns are places.
    fn check_names(&self, names: &[&str]) -> Result<(), DataError> {
        match duplicate(names).filter(|_| !self.columns.are_places()) {
            None => Ok(()),
            Some(name) => Err(DataError::DuplicateColumn {
                path: self.path.clone(),
                column: name.to_string(),
            }),
        }
    }

    fn delimited_rows(&self, mut reader: DelimitedReader, labels: &LabelMap) -> Result<PairRows> {
        let row = reader.next().ok_or_else(|| self.empty())??;
        let names: Vec<&str> = row.cells.iter().map(String::as_str).collect();
        let published = self.published(&names);
        let usual = self.format == Format::Csv || looks_like_header(&names) || published.is_some();
        let headed = self.header.unwrap_or(usual || self.columns.are_names());
        let knows = |cell: &str| {
            let usual = self.decimal.usual(cell);
            usual.is_some_and(|cell| labels.knows(&cell))
        };
        let stsb = !headed && is_stsb(&names);
        let slots = if headed {
            self.check_names(&names)?;
            self.named_slots(&names)
        } else if stsb && self.columns.are_usual() {
            Columns {
                weight: self.columns.weight.clone(),
                tolerance: self.columns.tolerance.clone(),
                ..Columns::at(5, 6, 4)
            }
            .find(&[])
        } else {
            self.columns.guess(&row.cells, knows)
        }
        .map_err(|unclear| self.unclear(unclear, &names, headed))?;

        let all = names.len();
        let width = match published {
            _ if self.width.is_some() => self.width.unwrap_or_default(),
            Some(published) if headed => published.width(&names),
            _ if stsb => STSB_WIDTH,
            _ => (all, all),
        };
        if let Some(beyond) = slots.all().find(|slot| *slot >= width.1.max(all)) {
            let column = format!("column {beyond}");
            let at = reader.place(row.line);
            let found = all;
            return Err(DataError::MissingColumn { at, column, found }.into());
        }
        // Taken by default for names, a first row with a grade is data.
        if let Some(label) = slots.label
            && headed
            && self.header.is_none()
            && !looks_like_header(&names)
            && let Some(cell) = names.get(label)
            && knows(cell)
        {
            let reason = format!("the first row has {cell:?} for a label");
            return Err(DataError::UnclearHeader {
                path: self.path.clone(),
                reason,
            }
            .into());
        }
        let header = headed.then(|| row.cells.clone());
        let names = Names::new(slots, headed.then_some(&names));
        let rows = Rows::Delimited(Box::new(Delimited {
            first_row: (!headed).then_some(row),
            header,
            reader,
            slots,
            width,
        }));
        Ok(self.pair_rows(names, rows))
    }

    fn unclear_pair(&self, reason: String, remedy: Remedy) -> DataError {
        DataError::UnclearColumns {
            path: self.path.clone(),
            role: "sentence pair",
            reason,
            remedies: vec![remedy],
        }
    }

    /// `headed` says whether `names` are names, and not cells of a first row.
    pub(super) fn unclear(&self, unclear: Unclear, names: &[&str], headed: bool) -> DataError {
        let path = self.path.clone();
        let known: Vec<String> = names.iter().map(|n| format!("{n:?}")).collect();
        let (role, mut reason, remedy) = match unclear {
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
                return self.unclear_pair(reason, Remedy::Header(true));
            }
            Unclear::Twice(name) => {
                let column = name;
                return DataError::DuplicateColumn { path, column };
            }
            Unclear::Half => {
                let reason = "only one of `first` and `second` is set".to_string();
                ("sentence pair", reason, Remedy::Columns)
            }
            Unclear::Pair(reason) => ("sentence pair", reason, Remedy::Columns),
            Unclear::Label(reason) => ("label", reason, Remedy::Label),
            Unclear::List(reason) => ("list", reason, Remedy::List),
        };
        let cells = self.format.has_cells();
        let mut remedies = Vec::new();
        // What another delimiter or form would make of the first row.
        let other = |c: &char| *c != self.dialect.delimiter && names.iter().any(|n| n.contains(*c));
        let first = names
            .first()
            .map(|name| name.trim_start())
            .unwrap_or_default();
        if cells && first.starts_with("{\"") {
            reason = "the first line is a JSON object".into();
            remedies.push(Remedy::Format(Format::Jsonl));
        } else if let Some(found) = ['\t', ';', ',', '|'].iter().find(|c| other(c))
            && cells
            && names.len() < 3
            && role == "sentence pair"
        {
            let what = if *found == '\t' {
                "tabs".into()
            } else {
                format!("{found:?}")
            };
            reason = format!("{reason}, and the first line holds {what}");
            remedies.push(match found {
                '\t' if self.format == Format::Csv => Remedy::Format(Format::Tsv),
                ',' if self.format == Format::Tsv => Remedy::Format(Format::Csv),
                found => Remedy::Delimiter(*found),
            });
        }
        if cells && !headed && looks_like_header(names) {
            remedies.push(Remedy::Header(true));
        }
        if headed {
            reason = format!("{reason}; it has: {}", known.join(", "));
        }
        if cells && names.len() == 1 && remedies.is_empty() {
            let put = "put the delimiter (a tab, in csv a comma) between the two texts";
            remedies.push(put.into());
        } else {
            remedies.push(remedy);
        }
        if headed && cells {
            remedies.push(Remedy::Header(false));
        }
        DataError::UnclearColumns {
            path,
            role,
            reason,
            remedies,
        }
    }
}
