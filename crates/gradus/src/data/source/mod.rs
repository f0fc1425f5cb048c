//! A source of graded pairs, as a recipe describes it.

mod exclusion;
mod load;
mod validate;

pub use load::Loaded;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file::extension;
use super::{Column, Columns, DataError, DataRoot, Decimal, Dialect, Format, Known, LabelMap};
use super::{Matching, PairFile, PairRows, Quoting, Remedy, RowKind, Split, TextVariant};
use crate::Result;

/// Where pairs come from and how they are read.
///
/// Either a file:
///
/// ```toml
/// path = "reviews.csv"
/// first = "review"
/// second = "product"
/// label = "stars"
/// labels = { from = [1, 5], to = [0, 1] }
/// ```
///
/// or a known data set, here without the pairs that it shares with test sets:
///
/// ```toml
/// dataset = "stsb"
/// split = "train"
/// exclude = ["sts"]
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// The file; a relative path starts at the recipe's folder. What gzip or
    /// zstd packed is unpacked while it is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Or a known data set: see [`Known`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The data set's split; not needed where it has only one. Also of a file
    /// that names each row's split (AllNLI).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// The file's form; by default by its extension ([`Format::of`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Whether the first row names the columns; by default `true` for csv and
    /// for published forms: see [`PairFile`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Whether double quotes enclose cells; by default `true` for csv.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoting: Option<bool>,
    /// What stands between cells; by default a tab or a comma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// How numbers are written; by default with a point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,
    /// The column of the texts, where a row is one: with `rows = "texts"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Column>,
    /// The column of the first text, by name or by index counted from 0. By
    /// default columns are found by usual names: see [`PairFile`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Column>,
    /// The column of the second text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<Column>,
    /// The column of the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Column>,
    /// The column of the pair's weight; without it every pair weighs 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<Column>,
    /// The column of the pair's tolerance: see [`GradedPair::tolerance`](super::GradedPair::tolerance).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Column>,
    /// The column of a text that contradicts the first one. Each row is then a
    /// [`Triplet`](super::Triplet) and gives two pairs, `entailment` and
    /// `contradiction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative: Option<Column>,
    /// How many hard negatives of each row are read, with [`RowKind::Triplets`]: 1
    /// without it. More are those of columns `negative_1`, `negative_2`, ..., or of a
    /// list; a row that has fewer has them again, in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negatives: Option<usize>,
    /// What a row stands for; by default what the objective wants:
    /// [`RowKind::Graded`] for one on grades, else see [`Source::unlabelled`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowKind>,
    /// At most this many pairs, or lists: the first that are neither skipped nor
    /// excluded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pairs: Option<usize>,
    /// Sets whose pairs are left out: data sets by name (their test split, or
    /// another as `stsb/dev`), `sts` for the seven test sets of the published
    /// tables, or pair files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// What counts as the same pair for `exclude`.
    #[serde(skip_serializing_if = "is_default")]
    pub exclude_by: Matching,
    /// How labels become numbers; for a known data set by default
    /// [`Known::labels`].
    #[serde(skip_serializing_if = "is_default")]
    pub labels: LabelMap,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Source {
    /// A file, read by its extension and the usual names.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
            ..Self::default()
        }
    }

    /// A known data set.
    pub fn dataset(known: Known, split: Split) -> Self {
        Self {
            dataset: Some(known.name().to_string()),
            split: Some(split),
            ..Self::default()
        }
    }

    /// The known data set that `name` stands for, alone or with a split as in
    /// `stsb/dev`, unless there is a file of that name.
    pub fn known(name: &str) -> Option<Self> {
        let (set, split) = match name.split_once('/') {
            Some((set, split)) => (set, Some(Split::parse(split)?)),
            None => (name, None),
        };
        let known = Known::parse(set).is_ok() && !Path::new(name).is_file();
        known.then(|| Self {
            dataset: Some(set.to_owned()),
            split,
            ..Self::default()
        })
    }

    /// The source in few words, for messages: its path or data set.
    pub fn describe(&self) -> String {
        match (&self.path, &self.dataset, self.split) {
            (Some(path), _, _) => path.display().to_string(),
            (None, Some(name), Some(split)) => format!("{name}/{}", split.name()),
            (None, Some(name), None) => name.clone(),
            (None, None, _) => "(neither path nor dataset)".to_string(),
        }
    }

    pub(in crate::data) fn bad<T>(
        &self,
        problem: impl Into<String>,
        key: &'static str,
    ) -> Result<T> {
        let remedy = match key.contains('`') {
            true => Remedy::Key(key.into()),
            false => key.into(),
        };
        self.bad_with(problem, vec![remedy])
    }

    pub(in crate::data) fn bad_with<T>(
        &self,
        problem: impl Into<String>,
        remedies: Vec<Remedy>,
    ) -> Result<T> {
        Err(DataError::BadSource {
            source_name: self.describe(),
            problem: problem.into(),
            remedies,
        }
        .into())
    }

    fn columns(&self) -> Columns {
        Columns {
            first: self.first.clone(),
            second: self.second.clone(),
            label: self.label.clone(),
            weight: self.weight.clone(),
            tolerance: self.tolerance.clone(),
            negative: self.negative.clone(),
        }
    }

    fn format(&self) -> Result<Format> {
        let by_name = || Format::of(self.path.as_deref()?);
        match self.format.or_else(by_name) {
            Some(format) => Ok(format),
            None => {
                let formats = [Format::Tsv, Format::Csv, Format::Jsonl, Format::Parquet];
                let remedies = formats.map(Remedy::Format).to_vec();
                self.bad_with("the extension does not tell the format", remedies)
            }
        }
    }

    pub(in crate::data) fn dialect(&self, usual: Dialect) -> Dialect {
        Dialect {
            delimiter: self.delimiter.unwrap_or(usual.delimiter),
            quoting: match self.quoting {
                Some(true) => Quoting::On,
                Some(false) => Quoting::Off,
                None => usual.quoting,
            },
        }
    }

    fn pair_file(&self, path: &Path, base_dir: &Path) -> Result<PairFile> {
        let mut file = PairFile::new(base_dir.join(path), self.format()?);
        file.header = self.header;
        file.split = self.split;
        file.dialect = self.dialect(file.dialect);
        file.decimal = self.decimal.unwrap_or_default();
        file.columns = self.columns();
        Ok(file)
    }

    /// The files that the source reads, in order. A relative `path` starts at
    /// `base_dir`; known data sets are looked for under `root`.
    ///
    /// # Errors
    /// Those of [`Source::validate`] and [`Known::locate`].
    pub fn files(&self, base_dir: &Path, root: &DataRoot) -> Result<Vec<PairFile>> {
        self.validate()?;
        if let Some(path) = &self.path {
            return Ok(vec![self.pair_file(path, base_dir)?]);
        }
        let known = Known::parse(self.dataset.as_deref().unwrap_or_default())?;
        let split = known.split(self.split)?;
        if self.rows == Some(RowKind::Triplets) {
            return match known.locate_triplets(root)? {
                Some(file) => Ok(vec![file]),
                None => self.bad("it holds no triplets", "`dataset = \"nli-triplets\"` does"),
            };
        }
        let located = known.locate(root, split, TextVariant::Original)?;
        Ok(located.files.into_iter().map(|(_, file)| file).collect())
    }

    /// Whether a file's rows and the source agree on splits.
    pub(in crate::data) fn check_split(&self, rows: &PairRows) -> Result<()> {
        match (rows.has_splits(), self.split, &self.path) {
            (true, None, Some(_)) => {
                let problem = "each row names its split, and `split` is not set";
                self.bad_with(problem, vec![Remedy::Split])
            }
            (false, _, _) => self.refuse_split(),
            _ => Ok(()),
        }
    }

    /// Refuses a split of a file whose rows name none.
    pub(in crate::data) fn refuse_split(&self) -> Result<()> {
        if self.split.is_none() || self.path.is_none() {
            return Ok(());
        }
        let problem = "`split` is set for a file without a column of splits";
        self.bad_with(problem, vec![Remedy::NoSplit])
    }

    /// Whether this is a file of pairs; others are texts, one a line.
    pub fn is_of_pairs(&self) -> bool {
        let plain = |path: &Path| {
            extension(path).is_some_and(|end| end == "txt") || Format::of(path).is_none()
        };
        self.format.is_some() || !self.path.as_deref().is_some_and(plain)
    }

    /// Hands the texts of a file on until `add` says that it is enough: its
    /// lines, or what its columns hold.
    pub(crate) fn texts_of_file(
        &self,
        base_dir: &Path,
        lines: bool,
        add: &mut impl FnMut(String) -> bool,
    ) -> Result<()> {
        let Some(path) = &self.path else {
            return self.bad("there is no `path`", "name a file");
        };
        let file = match lines {
            true => PairFile::new(base_dir.join(path), Format::Tsv),
            false => {
                let texts = Self {
                    rows: Some(RowKind::Texts),
                    ..self.clone()
                };
                texts.validate()?;
                self.pair_file(path, base_dir)?
            }
        };
        self.each_text(&file, lines, add)
    }
}
