//! `gradus quantize`: a model at a quarter of its size.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use gradus::Error;
use gradus::jobs::quantize::{QuantizeSettings, quantize};
use gradus::util::Observer;
use std::path::PathBuf;

const EXAMPLES: &str = "\
The weights of the model's layers and its table of words become bytes, with a scale \
for each row. Every command runs such a model in int8 unless --precision names \
another; `gradus eval` says what that costs. Any model runs in int8 with --precision \
int8, which needs no copy. Other libraries refuse the folder, as they do not know its \
weights. A model is trained before it is quantized, not after.

Examples:
  gradus quantize all-MiniLM-L6-v2 --output minilm-int8
  gradus eval minilm-int8 all-MiniLM-L6-v2 --pairs dev.tsv
  gradus encode all-MiniLM-L6-v2 texts.txt --precision int8 --output vectors.npy";

/// What is to be made smaller.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model: one that makes vectors, or a cross-encoder
    pub model: String,
    /// Write to DIR, which does not exist yet
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// Print sizes as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let settings = QuantizeSettings {
        model: args.model,
        output: args.output,
    };
    let done = quantize(&settings, &context.environment, &mut console)?;
    let mut output = Output::open(None)?;
    if args.json {
        let json = serde_json::json!({
            "tensors": done.tensors,
            "bytes_before": done.bytes_before,
            "bytes": done.bytes,
        });
        let text = serde_json::to_string_pretty(&json);
        output.line(&text.map_err(|e| Error::Internal(e.to_string()))?)?;
    } else {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        output.line(&format!(
            "{} weights in int8: {:.1} MB, {:.1} MB in f32",
            done.tensors,
            megabytes(done.bytes),
            megabytes(done.bytes_before),
        ))?;
    }
    output.finish()?;
    console.note(&format!("wrote {}", settings.output.display()));
    Ok(())
}
