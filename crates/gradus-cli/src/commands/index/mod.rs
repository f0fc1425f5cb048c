//! `gradus index`: texts and their vectors in a folder, to be searched.

mod add;
mod build;
mod graph;
mod info;
mod merge;
mod remove;
mod verify;
mod words;

use crate::context::Context;
use crate::exit::Failure;

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
    /// Make a graph of an index's texts, for approximate search
    Graph(graph::Args),
    /// Keep the words of an index's texts, for search by words
    Words(words::Args),
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
            Self::Graph(_) => &["index", "graph"],
            Self::Words(_) => &["index", "words"],
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
        Command::Graph(args) => graph::run(args, context),
        Command::Words(args) => words::run(args, context),
        Command::Remove(args) => remove::run(args),
        Command::Info(args) => info::run(args),
        Command::Verify(args) => verify::run(args, context),
        Command::Merge(args) => merge::run(args, context),
    }
}
