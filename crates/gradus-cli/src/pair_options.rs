//! How to read a file of pairs, as options of several commands.

use crate::args::one_of;
use crate::exit::Failure;
use clap::Args;
use gradus::data::{Column, Columns, Format, PairFile, Source};
use std::path::Path;

const FORMATS: &[(&str, Format)] = &[
    ("tsv", Format::Tsv),
    ("csv", Format::Csv),
    ("jsonl", Format::Jsonl),
    ("parquet", Format::Parquet),
];

/// Where the pair stands in its file.
#[derive(Debug, Args)]
pub struct PairOptions {
    /// The columns of the pair, and of its label: names, or places counted from
    /// 0. By default they are found by usual names (sentence1, sentence2,
    /// score, ...)
    #[arg(long, value_name = "FIRST,SECOND[,LABEL]", value_parser = parse_columns)]
    #[arg(help_heading = "How to read pairs")]
    pub columns: Option<Columns>,
    /// The first row holds the columns' names (so by default in .csv)
    #[arg(long, conflicts_with = "no_header", help_heading = "How to read pairs")]
    pub header: bool,
    /// The first row is a pair (so by default in .tsv and .txt)
    #[arg(long, help_heading = "How to read pairs")]
    pub no_header: bool,
    /// The form of the pairs; by default by the file's extension
    #[arg(long, value_name = "FORM", value_parser = one_of(FORMATS))]
    #[arg(help_heading = "How to read pairs")]
    pub pairs_format: Option<Format>,
}

impl PairOptions {
    /// The file at `path`; `usual` is its form where neither the options nor
    /// its name tell.
    pub fn file(&self, path: &Path, usual: Option<Format>) -> Result<PairFile, Failure> {
        let format = self.format(path, usual)?;
        let mut file = PairFile::new(path, format);
        file.header = self.header_of(format);
        file.columns = self.columns.clone().unwrap_or_default();
        Ok(file)
    }

    /// The file at `path` as a source of graded pairs.
    pub fn source(&self, path: &Path) -> Result<Source, Failure> {
        let format = self.format(path, None)?;
        let columns = self.columns.clone().unwrap_or_default();
        Ok(Source {
            path: Some(path.to_path_buf()),
            format: Some(format),
            header: self.header_of(format),
            first: columns.first,
            second: columns.second,
            label: columns.label,
            ..Source::default()
        })
    }

    fn format(&self, path: &Path, usual: Option<Format>) -> Result<Format, Failure> {
        let found = self.pairs_format.or_else(|| Format::of(path)).or(usual);
        found.ok_or_else(|| {
            Failure::Usage(format!(
                "{}: the extension does not tell the form; add --pairs-format tsv, csv, jsonl or parquet",
                path.display()
            ))
        })
    }

    /// Names can only come from a header.
    fn header_of(&self, format: Format) -> Option<bool> {
        let named = |c: &Columns| matches!(c.first, Some(Column::Name(_)));
        if matches!(format, Format::Jsonl | Format::Parquet) {
            None
        } else if self.header || self.no_header {
            Some(self.header)
        } else {
            self.columns.as_ref().is_some_and(named).then_some(true)
        }
    }
}

fn parse_columns(text: &str) -> Result<Columns, String> {
    let column = |word: &str| match word.parse() {
        Ok(place) => Column::Index(place),
        Err(_) => Column::Name(word.to_owned()),
    };
    let words: Vec<&str> = text.split(',').collect();
    let (first, second, label) = match words[..] {
        [first, second] => (first, second, None),
        [first, second, label] => (first, second, Some(label)),
        _ => return Err("give two columns, or three with the label".into()),
    };
    if words.iter().any(|word| word.is_empty()) {
        return Err("a column's name is empty".into());
    }
    if first == second {
        return Err("the two texts cannot stand in the same column".into());
    }
    Ok(Columns {
        first: Some(column(first)),
        second: Some(column(second)),
        label: label.map(column),
        ..Columns::default()
    })
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
}
