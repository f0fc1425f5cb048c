//! `gradus index remove`.

use crate::corpus_options::{ReportOptions, texts};
use crate::exit::Failure;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
All of the ids are removed, or none where one is not there.

Examples:
  gradus index remove texts.index 17 42
  gradus index remove corpus.index --ids gone.txt";

/// What is removed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index
    pub index: PathBuf,
    /// The ids of the texts
    #[arg(value_name = "ID", required_unless_present = "ids")]
    pub named: Vec<String>,
    /// Read ids from FILE, one a line
    #[arg(long, value_name = "FILE")]
    pub ids: Option<PathBuf>,
    /// The report.
    #[command(flatten)]
    report: ReportOptions,
}

/// Runs the command.
pub fn run(args: Args) -> Result<(), Failure> {
    let mut ids = args.named;
    if let Some(path) = &args.ids {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|e| Failure::Usage(format!("--ids {}: {e}", path.display())))?;
        ids.extend(text.lines().filter(|l| !l.is_empty()).map(str::to_owned));
    }
    let removed = gradus_index::jobs::remove(&args.index, &ids)?;
    let index = args.index.display().to_string();
    let text = format!("{} removed from {index}", texts(removed));
    let json = json!({"index": index, "removed": removed});
    args.report.print(&text, &json)
}
