//! What can be wrong with data, and the remedy.

use std::fmt;
use std::path::{Path, PathBuf};

use super::foreign::{Foreign, beside, quoted};
use super::input::Packing;
use super::remedy::{Remedy, sentence};

/// A line of a file, or a row of one that has no lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, or the row, counted from 1.
    pub line: u64,
    /// Whether it is a row that is counted.
    pub is_row: bool,
}

impl Place {
    /// Line `line` of the file at `path`.
    pub fn new(path: impl AsRef<Path>, line: u64) -> Self {
        Self {
            path: path.as_ref().to_path_buf(),
            line,
            is_row: false,
        }
    }

    /// Row `row` of the file at `path`.
    pub fn row(path: impl AsRef<Path>, row: u64) -> Self {
        Self {
            is_row: true,
            ..Self::new(path, row)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_row {
            false => write!(f, "{}:{}", self.path.display(), self.line),
            true => write!(f, "{}, row {}", self.path.display(), self.line),
        }
    }
}

/// Text data that cannot be used. `column` fields name a column for people:
/// `"score"`, or `column 4` where the file has no header.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Bytes that are not UTF-8.
    #[error("{at}: byte {byte} of the line is not UTF-8; {}", iconv(at, *packing))]
    NotUtf8 {
        /// Where.
        at: Place,
        /// The first bad byte in the line, counted from 1.
        byte: usize,
        /// What the file is packed by.
        packing: Packing,
    },
    /// A file that is no text.
    #[error("{}: it is {}; {}", path.display(), what.describe(), what.remedy(path))]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: Foreign,
    },
    /// A packed or encoded file that ends early, or holds nonsense.
    #[error(
        "{at}: cannot be read on: {message}; the file is damaged or cut off: copy or fetch it again"
    )]
    Broken {
        /// Where.
        at: Place,
        /// What the decoder said.
        message: String,
    },
    /// A line, or a quoted record, beyond [`MAX_LINE`](super::MAX_LINE).
    #[error(
        "{at}: longer than {limit} bytes; check that the file is text with a row a line, and that its quotes are closed"
    )]
    LineTooLong {
        /// Where it begins.
        at: Place,
        /// The limit in bytes.
        limit: usize,
    },
    /// A quoted cell that the file's end cuts off.
    #[error("{at}: the quote opened in this record is never closed; {}", self.said())]
    UnclosedQuote {
        /// Where the record begins.
        at: Place,
    },
    /// Text between a closing quote and the next delimiter.
    #[error("{at}: text after a closing quote; {}", self.said())]
    TextAfterQuote {
        /// Where.
        at: Place,
        /// The first character of it.
        found: char,
    },
    /// White space between a delimiter and a quote.
    #[error("{at}: a space before a quote, which would make the quote part of the text; {}", self.said())]
    SpaceBeforeQuote {
        /// Where.
        at: Place,
    },
    /// Quotes that may enclose cells, or be text.
    #[error("{at}: it cannot be told whether the double quotes enclose cells or are text; {}", self.said())]
    UnclearQuotes {
        /// Where.
        at: Place,
    },
    /// A first row that may hold names, or data.
    #[error("{}: it cannot be told whether the first row holds names: {reason}; {}", path.display(), self.said())]
    UnclearHeader {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The names of the columns in the middle of a file.
    #[error("{at}: the names of the columns again, as where two files were joined; remove the row")]
    HeaderAgain {
        /// Where.
        at: Place,
    },
    /// A blank line where rows have to keep their step.
    #[error("{at}: a blank line between rows; remove it")]
    BlankLine {
        /// Where.
        at: Place,
    },
    /// Two columns of one name.
    #[error("{}: two columns are named {column:?}; {}", path.display(), self.said())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// A line of JSON Lines that is not one JSON object.
    #[error(
        "{at}: not a JSON object: {message}; every line must be one object such as {{\"sentence1\": \"...\", \"sentence2\": \"...\", \"score\": 4.5}}"
    )]
    BadJson {
        /// Where.
        at: Place,
        /// What the parser said.
        message: String,
    },
    /// A Parquet file that is damaged.
    #[error("{at}: not readable as Parquet: {message}; copy or fetch the file again")]
    BadParquet {
        /// Where, as far as it is known.
        at: Place,
        /// What the reader said.
        message: String,
    },
    /// Parquet that does not come from a file: it is read from its end.
    #[error("{}: Parquet is read from a file, not from a pipe; save it and name the file", path.display())]
    NotFromPipe {
        /// What was read.
        path: PathBuf,
    },
    /// A file without a single pair.
    #[error("{}: holds no pairs", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Files to learn from without a single text, or too few.
    #[error("{}: holds no texts to learn from; at least two are needed, one a line", path.display())]
    NoTexts {
        /// The first file.
        path: PathBuf,
    },
    /// Files with too few different texts.
    #[error("{}: at least {least} different texts are needed, and it has {found}", path.display())]
    TooFewTexts {
        /// The first file.
        path: PathBuf,
        /// How many there are.
        found: usize,
        /// How many there must be.
        least: usize,
    },
    /// A column beyond those that rows have.
    #[error("{at}: no {column}: the row has {}, counted from 0; {}", columns(*found), self.said())]
    MissingColumn {
        /// Where.
        at: Place,
        /// The column that was looked for.
        column: String,
        /// How many columns the row has.
        found: usize,
    },
    /// A JSON object that lacks a key, or holds another type there.
    #[error("{at}: {key:?} is {problem}; it must be {expected}")]
    BadKey {
        /// Where.
        at: Place,
        /// The key.
        key: String,
        /// `"missing"`, or what stands there instead.
        problem: &'static str,
        /// What must stand there.
        expected: &'static str,
    },
    /// A row with more or fewer columns than the others, so that text may have
    /// slipped into the wrong one.
    #[error("{at}: {} where the first row has {}; {}", columns(*found), range(*least, *most), self.said())]
    RowWidth {
        /// Where.
        at: Place,
        /// How many columns the row has.
        found: usize,
        /// How many it should have at least.
        least: usize,
        /// How many it should have at most.
        most: usize,
        /// What to do.
        remedies: Vec<Remedy>,
    },
    /// A column that the header does not name.
    #[error("{}: no column {column:?}{}; it has: {}", path.display(), hint(suggestion), known.join(", "))]
    UnknownColumn {
        /// The file.
        path: PathBuf,
        /// The column that was asked for.
        column: String,
        /// The nearest name that exists.
        suggestion: Option<String>,
        /// The names that exist.
        known: Vec<String>,
    },
    /// It is not plain which columns hold the pair.
    #[error("{}: cannot tell which column is the {role}: {reason}; {}", path.display(), self.said())]
    UnclearColumns {
        /// The file.
        path: PathBuf,
        /// `"sentence pair"`, `"label"`, `"negative"`, `"text"`, `"list"` or `"id"`.
        role: &'static str,
        /// Why.
        reason: String,
        /// What to do.
        remedies: Vec<Remedy>,
    },
    /// A sentence without a visible character.
    #[error("{at}: the sentence in {column} is empty; fill it in or remove the row")]
    EmptySentence {
        /// Where.
        at: Place,
        /// The column.
        column: String,
    },
    /// An id that was there before.
    #[error("{at}: the id {id:?} is there twice; give each row its own")]
    DuplicateId {
        /// Where it is again.
        at: Place,
        /// The id.
        id: String,
    },
    /// A line that is not a relevance judgment.
    #[error(
        "{at}: not a relevance judgment: {problem}; every line must be query, document and a whole number with tabs between them, or the four columns of TREC"
    )]
    BadJudgment {
        /// Where.
        at: Place,
        /// What is wrong.
        problem: String,
    },
    /// Judgments of a query that is not there.
    #[error("{}: no query {id:?}, which {} judges; add it, or remove its judgments", path.display(), qrels.display())]
    NoQuery {
        /// The file of queries.
        path: PathBuf,
        /// The query's id.
        id: String,
        /// The judgments.
        qrels: PathBuf,
    },
    /// A list without documents.
    #[error("{at}: {column} is an empty list; give it documents or remove the row")]
    EmptyList {
        /// Where.
        at: Place,
        /// The column.
        column: String,
    },
    /// A list with more or fewer labels than documents.
    #[error(
        "{at}: {column} has {labels} numbers for {documents} documents; give each document one, in the same order"
    )]
    ListLength {
        /// Where.
        at: Place,
        /// The column of the labels.
        column: String,
        /// How many labels there are.
        labels: usize,
        /// How many documents there are.
        documents: usize,
    },
    /// A label, weight or tolerance that is not a number, or not a usable one.
    #[error("{at}: {column} is {text:?}; it must be {expected}: {}", self.said())]
    BadNumber {
        /// Where.
        at: Place,
        /// The column.
        column: Box<str>,
        /// What stands there.
        text: String,
        /// What must stand there.
        expected: &'static str,
        /// What to do.
        remedies: Box<[Remedy]>,
    },
    /// A label outside the scale that the source declares.
    #[error("{at}: the label {label} is outside {low}..{high}; {}", self.said())]
    LabelOutOfRange {
        /// Where.
        at: Place,
        /// The label.
        label: f64,
        /// The scale's lower end.
        low: f64,
        /// The scale's upper end.
        high: f64,
    },
    /// A class that the label map does not name.
    #[error("{at}: unknown class {class:?}{}; known: {}; {}", hint(suggestion), known.join(", "), self.said())]
    UnknownClass {
        /// Where.
        at: Place,
        /// The class.
        class: String,
        /// The nearest known class.
        suggestion: Option<String>,
        /// The known classes.
        known: Vec<String>,
    },
    /// A row of a split that has no such name.
    #[error(
        "{at}: {column} is {split:?}; it must be train, dev or test (trial and validation are dev); correct it, or remove the row"
    )]
    UnknownSplit {
        /// Where.
        at: Place,
        /// The column.
        column: String,
        /// What stands there.
        split: String,
    },
    /// A source description that contradicts itself or lacks something.
    #[error("data source {source_name}: {problem}; {}", self.said())]
    BadSource {
        /// The source's path or data set.
        source_name: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedies: Vec<Remedy>,
    },
    /// A data set name that is not known.
    #[error("unknown data set {name:?}{}; known: {}; for a file give its path with its extension", hint(suggestion), known.join(", "))]
    UnknownDataset {
        /// The name.
        name: String,
        /// The nearest known name.
        suggestion: Option<String>,
        /// The known names.
        known: Vec<String>,
    },
    /// A split that a data set does not have.
    #[error("data set {dataset} has no split {split:?}; it has: {}", known.join(", "))]
    NoSuchSplit {
        /// The data set.
        dataset: &'static str,
        /// The split asked for; empty where one must be named.
        split: String,
        /// The splits it has.
        known: Vec<&'static str>,
    },
    /// A known data set that is not where it should be.
    #[error("data set {dataset} ({detail}) is not under {} ({origin}); looked for {}; {remedy}", root.display(), join_paths(looked))]
    MissingDataset {
        /// The data set.
        dataset: &'static str,
        /// Split and text variant.
        detail: Box<str>,
        /// The data root.
        root: PathBuf,
        /// How the data root was chosen.
        origin: &'static str,
        /// The files looked for, relative to the root.
        looked: Vec<PathBuf>,
        /// What to do.
        remedy: Box<str>,
    },
}

impl DataError {
    /// What to do about it, as far as front ends say it differently.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::UnclosedQuote { .. } => vec!["close it".into(), Remedy::Quoting(false)],
            Self::TextAfterQuote { found, .. } if ";\t|,".contains(*found) => {
                vec![Remedy::Delimiter(*found), Remedy::Quoting(false)]
            }
            Self::TextAfterQuote { .. } => {
                let double = "double the quotes inside a quoted cell";
                vec![double.into(), Remedy::Quoting(false)]
            }
            Self::SpaceBeforeQuote { .. } => {
                vec!["remove the space".into(), Remedy::Quoting(false)]
            }
            Self::UnclearQuotes { .. } => vec![Remedy::Quoting(true), Remedy::Quoting(false)],
            Self::UnclearHeader { .. } => vec![
                "write a row of names above it".into(),
                Remedy::Header(true),
                Remedy::Header(false),
            ],
            Self::DuplicateColumn { .. } => vec!["rename one".into(), Remedy::Columns],
            Self::MissingColumn { .. } => vec!["correct the row".into(), Remedy::Columns],
            Self::LabelOutOfRange { .. } => vec!["correct it".into(), Remedy::Range],
            Self::UnknownClass { class, .. } => {
                let skip = Remedy::Skip(class.clone());
                vec!["correct it".into(), Remedy::Classes, skip]
            }
            Self::RowWidth { remedies, .. }
            | Self::UnclearColumns { remedies, .. }
            | Self::BadSource { remedies, .. } => remedies.clone(),
            Self::BadNumber { remedies, .. } => remedies.to_vec(),
            _ => Vec::new(),
        }
    }

    /// The remedies as recipes say them.
    fn said(&self) -> String {
        sentence(&self.remedies(), &|remedy| Some(remedy.as_key()))
    }

    /// A message that holds this error's, with the remedies as another front
    /// end says them: `say` has no words for what does not exist there.
    pub fn reworded(&self, message: &str, say: &dyn Fn(&Remedy) -> Option<String>) -> String {
        let usual = self.said();
        if usual.is_empty() {
            return message.to_string();
        }
        let remedies = self.remedies();
        let said = match sentence(&remedies, say) {
            none if none.is_empty() => sentence(&remedies, &Remedy::without_option),
            said => said,
        };
        match said.is_empty() {
            false => message.replace(&usual, &said),
            true => message.replace(&format!("; {usual}"), ""),
        }
    }
}

fn columns(count: usize) -> String {
    match count {
        1 => "1 column".into(),
        n => format!("{n} columns"),
    }
}

fn range(least: usize, most: usize) -> String {
    match least == most {
        true => least.to_string(),
        false => format!("{least} to {most}"),
    }
}

/// The command that makes a file UTF-8, as far as can be told.
fn iconv(at: &Place, packing: Packing) -> String {
    let (from, to) = (quoted(&at.path), beside(&at.path, "utf8.txt"));
    let convert = "iconv -f WINDOWS-1252 -t UTF-8";
    let command = match packing {
        Packing::None => format!("{convert} {from} > {to}"),
        Packing::Gzip => format!("gzip -dc < {from} | {convert} > {to}"),
        Packing::Zstd => format!("zstd -dc < {from} | {convert} > {to}"),
    };
    format!(
        "convert it: `{command}` if it is Western text of Windows (`iconv -l` lists other encodings)"
    )
}

fn hint(suggestion: &Option<String>) -> String {
    match suggestion {
        Some(name) => format!(" (did you mean {name:?}?)"),
        None => String::new(),
    }
}

fn join_paths(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
    names.join(" or ")
}

/// The candidate nearest to `word` by edit distance, if it is near enough to
/// be what was meant: at most a third of its letters differ (but one may).
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::osa_distance(&word, &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= (c.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_only_when_near() {
        let classes = ["contradiction", "neutral", "entailment"];
        assert_eq!(nearest("entailement", classes), Some("entailment".into()));
        assert_eq!(nearest("NEUTRAL", classes), Some("neutral".into()));
        assert_eq!(nearest("hidden", classes), None);
        assert_eq!(nearest("-", classes), None);
    }
}
