//! `gradus index build`.

use crate::context::Context;
use crate::corpus_options::{InputOptions, ReportOptions, texts};
use crate::exit::Failure;
use crate::prompt_options::PromptOptions;
use crate::stop;
use gradus::jobs::encode::Shard;
use gradus::util::Observer;
use gradus_index::jobs::{BuildSettings, COMMIT, build};
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Texts are the lines of a file, or a column of a .csv, .tsv, .jsonl, .json or \
.parquet file, whose other columns are kept to be filtered by. Each has an id.

What was encoded is committed again and again: a build that was stopped or \
killed goes on when the same command is given again.

Several machines share a large file: each builds one of N parts with --shard, \
and `gradus index merge` puts them together.

Examples:
  gradus index build texts.txt --model all-MiniLM-L6-v2 --output texts.index
  gradus index build corpus.jsonl --model ./model --column body --id key --output corpus.index
  gradus index build corpus.parquet --model ./model --shard 1/4 --output part-1.index";

/// What is indexed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The file of the texts
    #[arg(value_name = "TEXTS")]
    pub file: PathBuf,
    /// The model that makes the vectors
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// The folder of the index, new or empty
    #[arg(long, short, value_name = "INDEX")]
    pub output: PathBuf,
    /// Take the I-th of N parts of the rows
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Rows between commits
    #[arg(long, value_name = "N", default_value_t = COMMIT as u32)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub commit: u32,
    /// Where texts, ids and other columns stand.
    #[command(flatten)]
    input: InputOptions,
    /// Which prompt.
    #[command(flatten)]
    pub prompt: PromptOptions,
    /// The report.
    #[command(flatten)]
    report: ReportOptions,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let settings = BuildSettings {
        texts: args.input.file(&args.file)?,
        prompt: args.prompt.choice(),
        shard: args.shard,
        commit: args.commit as usize,
    };
    let environment = &context.environment;
    let model = environment.find(&args.model, &mut console)?;
    stop::goes_on_as_typed();
    let added = build(&model, &settings, &args.output, environment, &mut console)?;
    if added.done_before > 0 {
        console.note(&format!(
            "{} rows were done before",
            gradus::util::words::thousands(added.done_before as usize)
        ));
    }
    if added.truncated > 0 {
        console.note(&format!(
            "{} cut to the model's length",
            texts(added.truncated)
        ));
    }
    let index = args.output.display().to_string();
    let text = format!("{} in {index}", texts(added.texts));
    let json = json!({"index": index, "texts": added.texts, "done_before": added.done_before, "truncated": added.truncated});
    args.report.print(&text, &json)
}
