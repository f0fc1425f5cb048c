//! Rows of sentences with positives and negatives, as files hold them.

use super::super::Format;
use crate::{Error, Result};
use serde_json::{Map, Value};
use std::io::Write;
use std::path::Path;

/// A sentence, one that means the same, and some that do not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NegativeRow {
    /// The sentence.
    pub sentence: String,
    /// One that means the same; it may be the sentence itself.
    pub positive: String,
    /// Those that mean something else, the best first.
    pub negatives: Vec<String>,
    /// What made them: a language model's name, or `rules`.
    pub model: String,
    /// The prompt's id; empty for rules.
    pub prompt: String,
    /// What each negative's rule did; empty for a language model.
    pub rules: Vec<String>,
    /// A teacher's cosine of sentence and positive, and of sentence and each
    /// negative.
    pub cosines: Option<(f64, Vec<f64>)>,
}

/// How negatives lie in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// All of a sentence in one row: `negative_1`, `negative_2` and so on.
    #[default]
    Wide,
    /// One a row, under `negative`.
    Long,
}

/// The form of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowForm {
    /// [`Format::Tsv`] or [`Format::Jsonl`].
    pub format: Format,
    /// How negatives lie in it.
    pub layout: Layout,
    /// The most negatives of a sentence.
    pub negatives: usize,
    /// Whether there are a teacher's cosines.
    pub cosines: bool,
}

impl RowForm {
    /// The format of a file by its name; `None` for one that rows are not written in.
    pub fn format_of(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (_, extension) = name.rsplit_once('.')?;
        match extension {
            "tsv" => Some(Format::Tsv),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            _ => None,
        }
    }

    fn negative_name(&self, i: usize) -> String {
        match self.layout {
            Layout::Wide => format!("negative_{}", i + 1),
            Layout::Long => "negative".into(),
        }
    }

    fn width(&self) -> usize {
        match self.layout {
            Layout::Wide => self.negatives,
            Layout::Long => 1,
        }
    }

    /// The columns' names.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = vec!["sentence".into(), "positive".into()];
        names.extend((0..self.width()).map(|i| self.negative_name(i)));
        names.extend(["model", "prompt", "rule"].map(String::from));
        if self.cosines {
            names.push("positive_cosine".into());
            names.extend((0..self.width()).map(|i| self.negative_name(i) + "_cosine"));
        }
        names
    }

    /// The values of some negatives in the order of the names. What there is less of
    /// is null.
    fn values(&self, row: &NegativeRow, of: &[usize]) -> Vec<Value> {
        let width = self.width();
        let padded = |mut values: Vec<Value>| {
            values.resize(width, Value::Null);
            values
        };
        let text = |text: &str| Value::from(text);
        let mut values = vec![text(&row.sentence), text(&row.positive)];
        let negatives = of.iter().map(|i| text(&row.negatives[*i]));
        values.extend(padded(negatives.collect()));
        let rules: Vec<&str> = of
            .iter()
            .filter_map(|i| row.rules.get(*i).map(String::as_str))
            .collect();
        values.extend([
            text(&row.model),
            text(&row.prompt),
            text(&rules.join(" | ")),
        ]);
        if self.cosines {
            let number = |value: f64| Value::from((value * 1e4).round() / 1e4);
            let (positive, negatives) = match &row.cosines {
                Some((positive, all)) => {
                    let all = of.iter().filter_map(|i| all.get(*i));
                    (number(*positive), all.map(|c| number(*c)).collect())
                }
                None => (Value::Null, vec![]),
            };
            values.push(positive);
            values.extend(padded(negatives));
        }
        values
    }
}

/// Writes rows to `out`.
pub struct RowWriter<'a> {
    form: RowForm,
    names: Vec<String>,
    path: &'a Path,
    out: &'a mut dyn Write,
}

impl<'a> RowWriter<'a> {
    /// Begins a file with the columns' names, where its format has them. `path` is
    /// for errors.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(form: RowForm, path: &'a Path, out: &'a mut dyn Write) -> Result<Self> {
        let names = form.names();
        let mut writer = Self {
            form,
            names,
            path,
            out,
        };
        if form.format == Format::Tsv {
            let header = writer.names.join("\t");
            writer.line(&header)?;
        }
        Ok(writer)
    }

    fn line(&mut self, text: &str) -> Result<()> {
        let written = writeln!(self.out, "{text}");
        written.map_err(Error::io(self.path))
    }

    /// Writes a row, in the long layout one for each negative. Tabs and line ends
    /// within a cell become spaces in tab-separated files.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&mut self, row: &NegativeRow) -> Result<()> {
        let all: Vec<usize> = (0..row.negatives.len().min(self.form.negatives)).collect();
        let parts: Vec<&[usize]> = match self.form.layout {
            Layout::Wide => vec![&all],
            Layout::Long => all.chunks(1).collect(),
        };
        for part in parts {
            let values = self.form.values(row, part);
            let line = match self.form.format {
                Format::Tsv => {
                    let cells: Vec<String> = values.iter().map(cell).collect();
                    cells.join("\t")
                }
                _ => {
                    let entries = self.names.iter().cloned().zip(values);
                    Value::Object(entries.collect::<Map<_, _>>()).to_string()
                }
            };
            self.line(&line)?;
        }
        Ok(())
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace(['\t', '\n', '\r'], " "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataRoot, PairIndex, RowKind, Source};

    fn rows() -> [NegativeRow; 2] {
        let row = |sentence: &str, negatives: &[&str]| NegativeRow {
            sentence: sentence.into(),
            positive: format!("{sentence} indeed"),
            negatives: negatives.iter().map(|n| n.to_string()).collect(),
            model: "rules".into(),
            rules: vec!["number: 1 -> 2".into(); negatives.len()],
            cosines: Some((0.5, vec![0.25; negatives.len()])),
            ..NegativeRow::default()
        };
        [
            row("one\t\"dog\" ran", &["no dog", "2 dogs"]),
            row("a cat", &["no cat"]),
        ]
    }

    fn read(name: &str, layout: Layout) -> Vec<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let form = RowForm {
            format: RowForm::format_of(&path).unwrap(),
            layout,
            negatives: 2,
            cosines: true,
        };
        let mut out = Vec::new();
        let mut writer = RowWriter::new(form, &path, &mut out).unwrap();
        rows().iter().for_each(|row| writer.write(row).unwrap());
        std::fs::write(&path, out).unwrap();
        let root = DataRoot::resolve(Some(folder.path()));
        let source = Source {
            rows: Some(RowKind::Triplets),
            ..Source::file(name)
        };
        let found = source.unlabelled(&PairIndex::default(), folder.path(), &root);
        found.unwrap().rows
    }

    #[test]
    fn a_source_reads_rows_as_triplets() {
        let wide = [
            ["one \"dog\" ran", "one \"dog\" ran indeed", "no dog"],
            ["a cat", "a cat indeed", "no cat"],
        ];
        assert_eq!(read("a.tsv", Layout::Wide), wide);
        let json = read("a.jsonl", Layout::Wide);
        assert_eq!(json[0][0], "one\t\"dog\" ran");
        assert_eq!(json[1], wide[1]);
        let long = read("a.tsv", Layout::Long);
        let negatives: Vec<&str> = long.iter().map(|row| row[2].as_str()).collect();
        assert_eq!(negatives, ["no dog", "2 dogs", "no cat"]);
        assert_eq!(read("a.jsonl", Layout::Long).len(), 3);
    }
}
