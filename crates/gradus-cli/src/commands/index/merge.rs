//! `gradus index merge`.

use crate::context::Context;
use crate::corpus_options::{ReportOptions, texts};
use crate::exit::Failure;
use gradus_index::jobs::COMMIT;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Indexes of one model, such as the parts that `gradus index build` makes with \
--shard, become a new one. What was removed is left out, so that merging a single index \
makes it smaller.

Examples:
  gradus index merge part-1.index part-2.index --output corpus.index";

/// What is put together.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The indexes
    #[arg(value_name = "INDEX", required = true)]
    pub indexes: Vec<PathBuf>,
    /// The folder of the new index
    #[arg(long, short, value_name = "INDEX")]
    pub output: PathBuf,
    /// The report.
    #[command(flatten)]
    report: ReportOptions,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let merged = gradus_index::jobs::merge(&args.indexes, &args.output, COMMIT, &mut console)?;
    let index = args.output.display().to_string();
    let text = format!(
        "{} of {} indexes in {index}",
        texts(merged.texts),
        merged.indexes
    );
    let json = json!({"index": index, "indexes": merged.indexes, "texts": merged.texts});
    args.report.print(&text, &json)
}
