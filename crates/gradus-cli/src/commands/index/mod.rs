//! `gradus index`: texts and their vectors in a folder, to be searched.

mod add;
mod build;
mod info;
mod merge;
mod remove;
mod verify;

use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{FormOptions, TextOptions, column};
use gradus::data::{Column, IdColumn, TextFile};
use serde::Serialize;
use std::path::Path;

/// What is to be done with an index.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Encode the texts of a file and make an index of them
    Build(Box<build::Args>),
    /// Add the texts of a file to an index
    Add(Box<add::Args>),
    /// Remove texts by their ids
    Remove(remove::Args),
    /// Describe an index
    Info(info::Args),
    /// Read all of an index and compare it with what was written
    Verify(verify::Args),
    /// Put indexes of one model together
    Merge(merge::Args),
}

impl Command {
    /// The words that call it.
    pub fn path(&self) -> &'static [&'static str] {
        match self {
            Self::Build(_) => &["index", "build"],
            Self::Add(_) => &["index", "add"],
            Self::Remove(_) => &["index", "remove"],
            Self::Info(_) => &["index", "info"],
            Self::Verify(_) => &["index", "verify"],
            Self::Merge(_) => &["index", "merge"],
        }
    }
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    match args.command {
        Command::Build(args) => build::run(*args, context),
        Command::Add(args) => add::run(*args, context),
        Command::Remove(args) => remove::run(args),
        Command::Info(args) => info::run(args),
        Command::Verify(args) => verify::run(args, context),
        Command::Merge(args) => merge::run(args, context),
    }
}

const FORMATS: &[(&str, Format)] = &[("text", Format::Text), ("json", Format::Json)];

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

/// The form of a report, as an option.
#[derive(Debug, clap::Args)]
struct ReportOptions {
    /// The form of the report
    #[arg(long, default_value = "text", value_parser = one_of(FORMATS))]
    format: Format,
}

impl ReportOptions {
    /// Prints a report in the form that was asked for.
    fn print(&self, text: &str, json: &impl Serialize) -> Result<(), Failure> {
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
struct InputOptions {
    /// Where the texts are.
    #[command(flatten)]
    column: TextOptions,
    /// The column of the ids: a name, or a place counted from 0; by default one of a
    /// usual name (id, _id, doc_id, docid, ...), and without such a column rows are
    /// called by their number, counted from 1
    #[arg(long = "id", value_name = "NAME|INDEX", value_parser = column)]
    #[arg(help_heading = "How to read files")]
    id: Option<Column>,
    /// What the rows look like.
    #[command(flatten)]
    form: FormOptions,
}

impl InputOptions {
    fn file(&self, path: &Path) -> Result<TextFile, Failure> {
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
fn texts(count: usize) -> String {
    let number = gradus::util::words::thousands(count);
    match count {
        1 => "1 text".into(),
        _ => format!("{number} texts"),
    }
}
