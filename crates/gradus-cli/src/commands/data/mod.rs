//! `gradus data`: what is in data sets.

pub mod overlap;

use crate::context::Context;
use crate::exit::Failure;

/// What is to be done with data.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Find the test pairs and test sentences that a training set holds
    Overlap(overlap::Args),
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    match args.command {
        Command::Overlap(args) => overlap::run(args, context),
    }
}
