//! What commands that work on many texts have in common: where texts come from, the form
//! of a report.

use crate::args::one_of;
use crate::console::Console;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{FormOptions, TextOptions, column};
use crate::prompt_options::PromptOptions;
use gradus::data::{Column, IdColumn, TextFile};
use gradus_index::jobs::Input;
use serde::Serialize;
use std::path::{Path, PathBuf};

const FORMATS: &[(&str, Format)] = &[("text", Format::Text), ("json", Format::Json)];

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// An object.
    Json,
}

/// The form of a report, as an option.
#[derive(Debug, clap::Args)]
pub struct ReportOptions {
    /// The form of the report
    #[arg(long, default_value = "text", value_parser = one_of(FORMATS))]
    pub format: Format,
}

impl ReportOptions {
    /// Prints a report in the form that was asked for.
    pub fn print(&self, text: &str, json: &impl Serialize) -> Result<(), Failure> {
        let mut output = Output::open(None)?;
        match self.format {
            Format::Text => output.line(text)?,
            Format::Json => output.json_line(json)?,
        }
        output.finish()
    }
}

/// Where texts, ids and other columns stand.
#[derive(Debug, clap::Args)]
pub struct InputOptions {
    /// Where the texts are.
    #[command(flatten)]
    pub column: TextOptions,
    /// The column of the ids: a name, or a place counted from 0; by default one of a
    /// usual name (id, _id, doc_id, docid, ...), and without such a column rows are
    /// called by their number, counted from 1
    #[arg(long = "id", value_name = "NAME|INDEX", value_parser = column)]
    #[arg(help_heading = "How to read files")]
    pub id: Option<Column>,
    /// What the rows look like.
    #[command(flatten)]
    pub form: FormOptions,
}

impl InputOptions {
    /// The file with all of its columns.
    pub fn file(&self, path: &Path) -> Result<TextFile, Failure> {
        let mut file = self.column.file(path, &self.form)?;
        file.id = match &self.id {
            Some(column) => IdColumn::Given(column.clone()),
            None => IdColumn::Usual,
        };
        file.others = true;
        Ok(file)
    }
}

/// Texts in words.
pub fn texts(count: usize) -> String {
    let number = gradus::util::words::thousands(count);
    match count {
        1 => "1 text".into(),
        _ => format!("{number} texts"),
    }
}

/// The texts of an index, or of a file with a model.
#[derive(Debug, clap::Args)]
pub struct CorpusOptions {
    /// An index, or a file of texts: its lines, or a column of a .csv, .tsv, .jsonl,
    /// .json or .parquet file
    #[arg(value_name = "INDEX|TEXTS")]
    pub input: PathBuf,
    /// The model that makes the vectors of a file's texts; an index has its own, which
    /// this finds where it has moved
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Keep the vectors of a file's texts in this index, and take them from there the
    /// next time
    #[arg(long, value_name = "INDEX")]
    pub vectors: Option<PathBuf>,
    /// Where texts, ids and other columns stand.
    #[command(flatten)]
    pub files: InputOptions,
    /// Which prompt.
    #[command(flatten)]
    pub prompt: PromptOptions,
}

impl CorpusOptions {
    /// Where texts and vectors come from; those of a file are kept in `kept` unless
    /// another place was named.
    pub fn input(
        &self,
        kept: &Path,
        context: &Context,
        console: &mut Console,
    ) -> Result<Input, Failure> {
        if self.input.is_dir() {
            return Ok(Input::Index(self.input.clone()));
        }
        let texts = self.files.file(&self.input)?;
        // What is wrong with the file shows before a model is fetched.
        texts.rows()?;
        let Some(model) = &self.model else {
            return Err(Failure::Usage(format!(
                "{}: texts of a file need a model to compare them; add --model MODEL, such as --model all-MiniLM-L6-v2",
                self.input.display()
            )));
        };
        Ok(Input::File {
            texts: Box::new(texts),
            model: context.environment.find(model, console)?,
            prompt: self.prompt.choice(),
            kept: self.vectors.clone().unwrap_or_else(|| kept.to_path_buf()),
        })
    }
}

/// A cosine as it is typed.
pub fn cosine(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(cosine) if (-1.0..=1.0).contains(&cosine) => Ok(cosine),
        _ => Err("expected a number from -1 to 1".into()),
    }
}

/// A share as it is typed.
pub fn share(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("expected a number above 0, at most 1".into()),
    }
}
