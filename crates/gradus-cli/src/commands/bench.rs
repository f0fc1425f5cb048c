//! `gradus bench`: how fast a model encodes here.

use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{FormOptions, TextOptions};
use gradus::Error;
use gradus::jobs::PairModel;
use gradus::jobs::bench::{self, BenchSettings, Measured, Rate};
use gradus::jobs::machine;
use gradus::output::Inputs;
use indicatif::{DecimalBytes, HumanCount};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Encodes a text several times and prints the median: sentences and tokens a \
second, how long a single query takes, the share of tokenising, and the peak \
memory. Loading the model is not counted, and \
what other programs do at the same time is not subtracted. Without --text it \
encodes the demonstration pairs that come with Gradus, sentences and short \
paragraphs. A cross-encoder scores pairs: each text and the one behind it.
With --machine it measures what the processor could do at best: products from \
registers, and memory.

Examples:
  gradus bench all-MiniLM-L6-v2
  gradus bench ./model --text texts.txt --sentences 10000
  gradus bench all-MiniLM-L6-v2 --threads 1 --format json | jq .tokens_per_second
  gradus bench --machine";

const FORMATS: &[(&str, Format)] = &[("table", Format::Table), ("json", Format::Json)];

/// The form of the report.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// Rounded, for people.
    Table,
    /// Everything, unrounded.
    Json,
}

/// What is to be encoded, and how often.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model
    #[arg(required_unless_present = "machine")]
    pub model: Option<String>,
    /// Measure the processor in place of a model: products and memory
    #[arg(long, conflicts_with_all = ["model", "text", "sentences", "repeat", "tokenised", "FormOptions", "TextOptions"])]
    pub machine: bool,
    /// Encode the sentences in FILE: its lines, or a column of a .csv, .tsv,
    /// .jsonl, .json or .parquet file; empty ones are skipped
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Where the texts are.
    #[command(flatten)]
    pub column: TextOptions,
    /// What the rows look like.
    #[command(flatten)]
    pub form: FormOptions,
    /// At most N sentences: the first ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub sentences: Option<u64>,
    /// Encode everything N times
    #[arg(long, value_name = "N", default_value = "3")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Take the time of the model alone: texts are tokenised before
    #[arg(long)]
    pub tokenised: bool,
    /// The form of the report; json holds everything, unrounded
    #[arg(long, default_value = "table", value_parser = one_of(FORMATS))]
    pub format: Format,
    /// Write the report to FILE
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long, requires = "output")]
    pub overwrite: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let Some(name) = &args.model else {
        return measure_machine(&args, context);
    };
    // What can be wrong shows before the model is loaded.
    let most = args.sentences.map_or(usize::MAX, |n| n as usize);
    let texts = match &args.text {
        Some(path) => bench::sentences(&args.column.file(path, &args.form)?, most)?,
        None => bench::built_in(most),
    };
    let folder = context.find(name)?;
    let mut inputs = Inputs::new().with("the model", &folder);
    if let Some(text) = &args.text {
        inputs.add("the text", text);
    }
    let mut output = Output::create(args.output.as_deref(), "--output", &inputs, args.overwrite)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut console = context.console();
    let environment = &context.environment;
    let settings = BenchSettings {
        repeat: args.repeat,
        tokenised: args.tokenised,
    };
    let measured = match environment.load_pair_model(&folder, None, &mut console)? {
        PairModel::Sentence(encoder) => {
            bench::measure(name, &encoder, &texts, settings, &mut console)?
        }
        PairModel::Cross(cross) => {
            let pairs = bench::pairs(&texts);
            bench::measure_pairs(name, &cross, &pairs, settings, &mut console)?
        }
    };
    write(args.format, &measured, &lines(&measured), &mut output)?;
    output.finish()
}

/// What the processor can do.
fn measure_machine(args: &Args, context: &Context) -> Result<(), Failure> {
    let path = args.output.as_deref();
    let mut output = Output::create(path, "--output", &Inputs::new(), args.overwrite)?;
    let measured = machine::measure(context.environment.threads)?;
    let giga = |rate: f64, unit| format!("{:.0} G{unit}/s", rate / 1e9);
    let lines = [
        (
            "runs on",
            format!(
                "{}, {} of the processor",
                measured.instructions,
                match measured.threads {
                    1 => "1 thread".to_owned(),
                    n => format!("{n} threads"),
                }
            ),
        ),
        ("f32", giga(measured.f32_operations_per_second, "FLOP")),
        (
            "bf16",
            match measured.bf16_operations_per_second {
                Some(rate) => giga(rate, "FLOP"),
                None => "no instructions for it".to_owned(),
            },
        ),
        ("read", giga(measured.read_bytes_per_second, "B")),
        (
            "update",
            format!(
                "{}, bytes read and bytes written",
                giga(measured.update_bytes_per_second, "B")
            ),
        ),
    ];
    write(args.format, &measured, &lines, &mut output)?;
    output.finish()
}

/// Writes what was measured, or the lines for people.
fn write(
    format: Format,
    measured: &impl serde::Serialize,
    lines: &[(&str, String)],
    output: &mut Output,
) -> Result<(), Failure> {
    match format {
        Format::Table => {
            for (key, value) in lines {
                output.line(&format!("{key:10}  {value}"))?;
            }
        }
        Format::Json => {
            let json = serde_json::to_string_pretty(measured);
            output.line(&json.map_err(|e| Error::Internal(e.to_string()))?)?;
        }
    }
    Ok(())
}

/// Keys and values for people.
fn lines(measured: &Measured) -> [(&'static str, String); 7] {
    let count = |n: f64| HumanCount(n.round() as u64);
    let (inputs, input, work) = match measured.rate {
        Rate::Sentences { .. } => ("sentences", "sentence", "encoding"),
        Rate::Pairs { .. } => ("pairs", "pair", "scoring"),
    };
    let passes = match measured.seconds.len() {
        1 => "one pass".to_owned(),
        n => format!("median of {n} passes"),
    };
    [
        ("model", measured.model.clone()),
        ("runs on", measured.backend.clone()),
        (
            "text",
            format!(
                "{} {inputs}, {} tokens, {:.1} a {input}",
                HumanCount(measured.rate.inputs() as u64),
                HumanCount(measured.tokens as u64),
                measured.tokens as f64 / measured.rate.inputs() as f64
            ),
        ),
        (
            work,
            format!(
                "{} {inputs}/s, {} tokens/s ({passes})",
                count(measured.rate.per_second()),
                count(measured.tokens_per_second)
            ),
        ),
        (
            "tokenising",
            match measured.tokenised {
                true => format!("{:.2} s, before that time", measured.tokenising_seconds),
                false => format!("{:.1} % of that time", 100.0 * measured.tokenising_share),
            },
        ),
        (
            "one query",
            format!(
                "{:.2} ms, 95 % within {:.2} ms ({} queries)",
                measured.latency.median_ms, measured.latency.p95_ms, measured.latency.queries
            ),
        ),
        (
            "memory",
            measured.peak_memory_bytes.map_or_else(
                || "not known on this system".to_owned(),
                |bytes| format!("{} at most", DecimalBytes(bytes)),
            ),
        ),
    ]
}
