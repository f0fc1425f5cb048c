//! `gradus index add`.

use crate::context::Context;
use crate::corpus_options::{InputOptions, ReportOptions, texts};
use crate::exit::Failure;
use crate::stop;
use gradus_index::jobs::{AddSettings, COMMIT, add};
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Texts are read as by `gradus index build`, and encoded by the index's own model, \
behind its prompt. Who searches meanwhile finds what was there before.

Examples:
  gradus index add texts.index more.txt
  gradus index add corpus.index new.jsonl --column body --id key";

/// What is added.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index
    pub index: PathBuf,
    /// The file of the texts
    #[arg(value_name = "TEXTS")]
    pub file: PathBuf,
    /// The model, where it is no longer where it was; it must be the same
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Rows between commits
    #[arg(long, value_name = "N", default_value_t = COMMIT as u32)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub commit: u32,
    /// Where texts, ids and other columns stand.
    #[command(flatten)]
    input: InputOptions,
    /// The report.
    #[command(flatten)]
    report: ReportOptions,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let settings = AddSettings {
        texts: args.input.file(&args.file)?,
        commit: args.commit as usize,
    };
    let environment = &context.environment;
    let named = args.model.as_deref();
    let model = named.map(|name| environment.find(name, &mut console));
    let model = model.transpose()?;
    stop::goes_on_as_typed();
    let added = add(
        &args.index,
        model.as_ref(),
        &settings,
        environment,
        &mut console,
    )?;
    let index = args.index.display().to_string();
    let text = format!("{} added to {index}", texts(added.texts));
    let json = json!({"index": index, "texts": added.texts, "done_before": added.done_before, "truncated": added.truncated});
    args.report.print(&text, &json)
}
