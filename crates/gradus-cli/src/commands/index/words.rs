//! `gradus index words`.

use crate::context::Context;
use crate::corpus_options::{ReportOptions, texts};
use crate::exit::Failure;
use gradus_index::jobs::keep_words;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
`gradus search --hybrid` looks for the words of a query as well as for its meaning. \
This makes an index keep the words of its texts, those that are there and those that \
will be added.

Words are what stands between spaces and punctuation, in lower case, without stemming; \
those of more than 40 bytes are left out.

Examples:
  gradus index words corpus.index
  gradus search corpus.index --hybrid \"ISO 9001\"";

/// What is kept.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index
    pub index: PathBuf,
    /// The report.
    #[command(flatten)]
    report: ReportOptions,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let new = keep_words(&args.index, &mut console)?;
    let line = match new {
        0 => "the words of all texts were there".into(),
        new => format!("the words of {}", texts(new)),
    };
    args.report.print(&line, &json!({"texts": new}))
}
