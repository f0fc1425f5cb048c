//! `gradus index verify`.

use crate::context::Context;
use crate::corpus_options::{ReportOptions, texts};
use crate::exit::Failure;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  gradus index verify texts.index";

/// What is compared.
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
    let verified = gradus_index::jobs::verify(&args.index, &mut context.console())?;
    let text = format!(
        "{} in {} files, all as they were written",
        texts(verified.texts),
        verified.files
    );
    let json = json!({"files": verified.files, "texts": verified.texts});
    args.report.print(&text, &json)
}
