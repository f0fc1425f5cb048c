//! The `gradus` command.
//!
//! What was typed is [`args`]; what it means for a whole run is [`context`];
//! one file in [`commands`] calls the library's job for each subcommand. Results
//! go to standard output ([`output`]), everything else to standard error
//! ([`console`], [`progress`]). [`exit`] alone turns failures into
//! messages and exit codes; [`stop`] hears when somebody wants an end.

mod answer_format;
mod args;
mod commands;
mod console;
mod context;
mod corpus_options;
#[cfg(test)]
mod documentation;
mod exit;
mod output;
mod pair_options;
mod progress;
mod prompt_options;
mod remedies;
mod reporter;
mod run_length_args;
mod step_display;
mod stop;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let path = cli.command.path();
    stop::listen();
    exit::report(commands::run(cli), path)
}
