//! How to read files of pairs and of texts, as options of several commands.

use crate::args::one_of;
use crate::exit::Failure;
use clap::Args;
use gradus::data::{Column, Columns, Decimal, Format, LabelMap, Lines, PairFile, Quoting};
use gradus::data::{Source, Split, TextFile};
use std::collections::BTreeMap;
use std::path::Path;

const FORMATS: &[(&str, Format)] = &[
    ("tsv", Format::Tsv),
    ("csv", Format::Csv),
    ("jsonl", Format::Jsonl),
    ("json", Format::Jsonl),
    ("parquet", Format::Parquet),
];
const QUOTINGS: &[(&str, bool)] = &[("on", true), ("off", false)];
const DECIMALS: &[(&str, Decimal)] = &[("point", Decimal::Point), ("comma", Decimal::Comma)];
const SPLITS: &[(&str, Split)] = &[
    ("train", Split::Train),
    ("dev", Split::Dev),
    ("test", Split::Test),
];

/// What a file's rows look like.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How to read files")]
pub struct FormOptions {
    /// The form of the file; by default by its extension (.tsv, .csv, .jsonl,
    /// .json, .parquet). What gzip or zstd packed is unpacked
    #[arg(long, value_name = "FORM", value_parser = one_of(FORMATS))]
    pub pairs_format: Option<Format>,
    /// The first row holds the columns' names (so by default in .csv, and where
    /// it holds usual names)
    #[arg(long, conflicts_with = "no_header")]
    pub header: bool,
    /// The first row is data
    #[arg(long)]
    pub no_header: bool,
    /// What stands between cells: one character, or tab, comma, semicolon, pipe;
    /// by default a tab, in .csv a comma
    #[arg(long, value_name = "CHAR", value_parser = parse_delimiter)]
    pub delimiter: Option<char>,
    /// Whether double quotes enclose cells, or are text; by default on in .csv,
    /// and elsewhere as the rows show
    #[arg(long, value_name = "on|off", value_parser = one_of(QUOTINGS))]
    pub quoting: Option<bool>,
}

/// Where the pair stands in its file, and how.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How to read files")]
pub struct PairOptions {
    /// The columns of the pair, and of its label: names, or places counted from
    /// 0. By default they are found by usual names (sentence1, sentence2,
    /// score, ...)
    #[arg(long, value_name = "FIRST,SECOND[,LABEL]", value_parser = parse_columns)]
    pub columns: Option<Columns>,
    /// What the rows look like
    #[command(flatten)]
    pub form: FormOptions,
    /// How numbers are written: 3.5 or 3,5
    #[arg(long, value_name = "KIND", value_parser = one_of(DECIMALS))]
    pub decimal: Option<Decimal>,
    /// Only rows of this split, in a file whose rows name it (AllNLI)
    #[arg(long, value_name = "SPLIT", value_parser = one_of(SPLITS))]
    pub split: Option<Split>,
}

/// How labels become numbers.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How to read files")]
pub struct LabelOptions {
    /// Labels that are words, with their numbers
    #[arg(long, value_name = "NAME=NUMBER,...", value_parser = parse_classes)]
    pub classes: Option<BTreeMap<String, f64>>,
    /// Leave out pairs with this label; can be repeated
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    pub skip_label: Vec<String>,
}

/// Where texts stand in their file.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How to read files")]
pub struct TextOptions {
    /// The column of the texts: a name, or a place counted from 0; by default
    /// the only column, or the one with a usual name (text, sentence, ...)
    #[arg(long, value_name = "NAME|INDEX", value_parser = column, alias = "field")]
    pub column: Option<Column>,
}

impl FormOptions {
    /// Whether the first row holds names, as far as that was said.
    fn header(&self) -> Option<bool> {
        (self.header || self.no_header).then_some(self.header)
    }

    /// Refuses what means nothing for files without cells.
    fn check(&self, format: Option<Format>, path: &Path) -> Result<(), Failure> {
        let said = [
            (self.header, "--header"),
            (self.no_header, "--no-header"),
            (self.delimiter.is_some(), "--delimiter"),
            (self.quoting.is_some(), "--quoting"),
        ];
        let unfit = said.iter().find(|(said, _)| *said);
        match (unfit, format) {
            (None, _) => Ok(()),
            (_, Some(format)) if format.has_cells() => Ok(()),
            (Some((_, option)), _) => {
                let form = format.map_or("lines", Format::name);
                let path = path.display();
                let message = format!(
                    "{option} is for files of cells, and {path} is read as {form}; \
                     leave it out, or add --pairs-format tsv or csv"
                );
                Err(Failure::Usage(message))
            }
        }
    }

    fn quoting(&self) -> Option<Quoting> {
        let kind = |on| if on { Quoting::On } else { Quoting::Off };
        self.quoting.map(kind)
    }
}

impl PairOptions {
    /// The file at `path`; `usual` is its form where neither the options nor
    /// its name tell.
    pub fn file(&self, path: &Path, usual: Option<Format>) -> Result<PairFile, Failure> {
        let format = self.format(path, usual)?;
        let mut file = PairFile::new(path, format);
        file.header = self.header_of(format);
        file.columns = self.columns.clone().unwrap_or_default();
        let dialect = &mut file.dialect;
        dialect.delimiter = self.form.delimiter.unwrap_or(dialect.delimiter);
        dialect.quoting = self.form.quoting().unwrap_or(dialect.quoting);
        file.decimal = self.decimal.unwrap_or_default();
        file.split = self.split;
        Ok(file)
    }

    /// The file at `path` as a source of pairs.
    pub fn source(&self, path: &Path) -> Result<Source, Failure> {
        let format = self.format(path, None)?;
        Ok(Source {
            path: Some(path.to_path_buf()),
            format: Some(format),
            header: self.header_of(format),
            ..self.template()
        })
    }

    /// What the options say of files, for one that is not named yet.
    pub fn template(&self) -> Source {
        let columns = self.columns.clone().unwrap_or_default();
        Source {
            format: self.form.pairs_format,
            header: self.form.header(),
            quoting: self.form.quoting,
            delimiter: self.form.delimiter,
            decimal: self.decimal,
            split: self.split,
            first: columns.first,
            second: columns.second,
            label: columns.label,
            ..Source::default()
        }
    }

    /// The same with labels read as `labels` says.
    pub fn graded(&self, path: &Path, labels: &LabelOptions) -> Result<Source, Failure> {
        Ok(Source {
            labels: labels.map(),
            ..self.source(path)?
        })
    }

    fn format(&self, path: &Path, usual: Option<Format>) -> Result<Format, Failure> {
        let named = self.form.pairs_format;
        let found = named.or_else(|| Format::of(path)).or(usual);
        if found.is_none() {
            // What is no text at all is named for what it is.
            Lines::open(path).map_err(Failure::Input)?;
        }
        let format = found.ok_or_else(|| {
            Failure::Usage(format!(
                "{}: the extension does not tell the form; add --pairs-format tsv, csv, jsonl or \
                 parquet",
                path.display()
            ))
        })?;
        self.form.check(Some(format), path)?;
        Ok(format)
    }

    /// Names can only come from a header.
    fn header_of(&self, format: Format) -> Option<bool> {
        let named = |c: &Columns| matches!(c.first, Some(Column::Name(_)));
        if !format.has_cells() {
            return None;
        }
        let by_name = self.columns.as_ref().is_some_and(named);
        self.form.header().or(by_name.then_some(true))
    }
}

impl LabelOptions {
    /// As a label map.
    pub fn map(&self) -> LabelMap {
        LabelMap {
            classes: self.classes.clone(),
            skip: self.skip_label.clone(),
            ..LabelMap::default()
        }
    }
}

impl TextOptions {
    /// The file at `path`: lines, unless the options or its name tell of
    /// columns.
    pub fn file(&self, path: &Path, form: &FormOptions) -> Result<TextFile, Failure> {
        let cells = form.delimiter.map(|_| Format::Tsv);
        let format = form.pairs_format.or_else(|| TextFile::format_of(path));
        let format = format.or(cells);
        form.check(format, path)?;
        if let (None, Some(column)) = (format, &self.column) {
            return Err(Failure::Usage(format!(
                "--column {column} is for files with columns, and {} is read as lines; leave it \
                 out, or add --pairs-format tsv, csv, jsonl or parquet",
                path.display()
            )));
        }
        let mut file = TextFile::new(path, format);
        file.column.clone_from(&self.column);
        file.header = form.header();
        file.dialect.delimiter = form.delimiter.unwrap_or(file.dialect.delimiter);
        file.dialect.quoting = form.quoting().unwrap_or(file.dialect.quoting);
        Ok(file)
    }
}

/// A column by name or place.
pub fn column(word: &str) -> Result<Column, String> {
    match word.parse() {
        _ if word.is_empty() => Err("a column's name is empty".into()),
        Ok(place) => Ok(Column::Index(place)),
        Err(_) => Ok(Column::Name(word.to_owned())),
    }
}

fn parse_columns(text: &str) -> Result<Columns, String> {
    let words: Vec<&str> = text.split(',').collect();
    let (first, second, label) = match words[..] {
        [first, second] => (first, second, None),
        [first, second, label] => (first, second, Some(label)),
        _ => return Err("give two columns, or three with the label".into()),
    };
    if first == second {
        return Err("the two texts cannot stand in the same column".into());
    }
    Ok(Columns {
        first: Some(column(first)?),
        second: Some(column(second)?),
        label: label.map(column).transpose()?,
        ..Columns::default()
    })
}

fn parse_delimiter(text: &str) -> Result<char, String> {
    let mut chars = text.chars();
    match (text, chars.next(), chars.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        ("comma", ..) => Ok(','),
        ("semicolon", ..) => Ok(';'),
        ("pipe", ..) => Ok('|'),
        (_, Some('"' | '\n' | '\r'), None) => Err("a quote or a line end cannot be it".into()),
        (_, Some(c), None) => Ok(c),
        _ => Err("give one character, or tab, comma, semicolon or pipe".into()),
    }
}

fn parse_classes(text: &str) -> Result<BTreeMap<String, f64>, String> {
    let mut classes = BTreeMap::new();
    for class in text.split(',') {
        let (name, number) = class.rsplit_once('=').unwrap_or((class, ""));
        let number = number.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        let Some(number) = number else {
            return Err(format!("{class:?} is not NAME=NUMBER, such as neutral=1"));
        };
        if classes.insert(name.trim().to_owned(), number).is_some() {
            return Err(format!("{name:?} is there twice"));
        }
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_places_or_names() {
        let columns = parse_columns("5,6,4").unwrap();
        assert_eq!(columns, Columns::at(5, 6, 4));
        let columns = parse_columns("review,product").unwrap();
        assert_eq!(columns.second, Some(Column::Name("product".into())));
        assert_eq!(columns.label, None);
        for bad in ["", "a", "a,", "a,a", "a,b,c,d"] {
            assert!(parse_columns(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn delimiters_and_classes_are_written_as_people_write_them() {
        for (text, c) in [
            (";", ';'),
            ("tab", '\t'),
            ("\\t", '\t'),
            ("\t", '\t'),
            ("|", '|'),
        ] {
            assert_eq!(parse_delimiter(text), Ok(c));
        }
        for bad in ["", "\"", "\n", ";;", "tabs"] {
            assert!(parse_delimiter(bad).is_err(), "{bad:?}");
        }
        let classes = parse_classes("no=0, in doubt = 0.5,a=b=1").unwrap();
        assert_eq!(classes["in doubt"], 0.5);
        assert_eq!(classes["a=b"], 1.0);
        for bad in ["", "a", "a=", "a=x", "a=nan", "a=1,a=2"] {
            assert!(parse_classes(bad).is_err(), "{bad:?}");
        }
    }
}
