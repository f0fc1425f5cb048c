//! `gradus eval`: how well models follow people's grades.

use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{LabelOptions, PairOptions};
use crate::prompt_options::PromptOptions;
use gradus::data::{Known, Split, TextVariant};
use gradus::eval::{Aggregation, Metric, View};
use gradus::format::PromptChoice;
use gradus::jobs::eval::{EvalSettings, ModelEvaluation};
use gradus::jobs::retrieval::{Retrieval, RetrievalSettings};
use std::path::PathBuf;

const EXAMPLES: &str = "\
The seven tasks are STS12 to STS16, the STS Benchmark and SICK-R; `gradus pull \
sts` fetches them. Published tables show Spearman's correlation over all pairs \
of a task, which is the default here.

With --beir models are scored on retrieval in place of the tasks: every document of \
the corpus is compared with every query by cosine, and the ranking is held against \
the judgments as trec_eval does it. A folder holds corpus.jsonl, queries.jsonl and \
qrels/SPLIT.tsv, as BEIR's do.

Examples:
  gradus eval all-MiniLM-L6-v2
  gradus eval all-MiniLM-L6-v2 --tasks STS12,STS-B
  gradus eval ./before ./after --format markdown --output scores.md
  gradus eval all-MiniLM-L6-v2 --per-subset --aggregation mean
  gradus eval ./model --only-pairs --pairs reviews.csv --columns review,product,stars
  gradus eval all-MiniLM-L6-v2 --beir ./scifact --format json
  gradus eval all-MiniLM-L6-v2 --beir ./scifact --rerank ./cross-encoder --top 50";

/// The options of the seven tasks and of pairs, which mean nothing beside --beir.
const OF_PAIRS: [&str; 9] = [
    "text",
    "aggregation",
    "metric",
    "per_subset",
    "pairs",
    "tasks",
    "only_pairs",
    "prompt",
    "prompt_text",
];

pub(super) const TEXTS: &[(&str, TextVariant)] = &[
    ("original", TextVariant::Original),
    ("senteval", TextVariant::SentEval),
];
const AGGREGATIONS: &[(&str, Aggregation)] = &[
    ("all", Aggregation::All),
    ("mean", Aggregation::Mean),
    ("weighted-mean", Aggregation::WeightedMean),
];
const METRICS: &[(&str, Metric)] = &[("spearman", Metric::Spearman), ("pearson", Metric::Pearson)];
const FORMATS: &[(&str, Format)] = &[
    ("table", Format::Table),
    ("json", Format::Json),
    ("markdown", Format::Markdown),
];

/// The form of the report.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// Aligned text.
    Table,
    /// Everything, unrounded.
    Json,
    /// For documents.
    Markdown,
}

/// What is to be scored, and how it is shown.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The models, one row each
    #[arg(required = true, value_name = "MODEL")]
    pub models: Vec<String>,
    /// The text of STS12-16: as released, or as the SentEval toolkit tokenised
    /// it
    #[arg(long, default_value = "original", value_parser = one_of(TEXTS))]
    pub text: TextVariant,
    /// How a task's subsets are put together: one correlation over all pairs,
    /// or a mean of the subsets' correlations
    #[arg(long, default_value = "all", value_parser = one_of(AGGREGATIONS))]
    pub aggregation: Aggregation,
    /// Which correlation
    #[arg(long, default_value = "spearman", value_parser = one_of(METRICS))]
    pub metric: Metric,
    /// Also a table of the subsets
    #[arg(long)]
    pub per_subset: bool,
    /// The form of the report; json holds everything, unrounded
    #[arg(long, default_value = "table", value_parser = one_of(FORMATS))]
    pub format: Format,
    /// Also score on the graded pairs in FILE; can be repeated
    #[arg(long, value_name = "FILE")]
    pub pairs: Vec<PathBuf>,
    /// Only these of the seven tasks, such as STS12,STS-B; the average is over
    /// them
    #[arg(long, value_name = "TASK,...", value_delimiter = ',', value_parser = parse_task)]
    #[arg(conflicts_with = "only_pairs")]
    pub tasks: Vec<Known>,
    /// Leave out the seven tasks
    #[arg(long, requires = "pairs")]
    pub only_pairs: bool,
    /// How to read pairs.
    #[command(flatten)]
    pub reading: PairOptions,
    /// How labels become numbers.
    #[command(flatten)]
    pub labels: LabelOptions,
    /// Which prompt.
    #[command(flatten)]
    pub prompt: PromptOptions,
    /// Score retrieval from the folder FOLDER of BEIR's form, by the judgments of
    /// --split, or of test; can be repeated
    #[arg(long, value_name = "FOLDER", conflicts_with_all = OF_PAIRS)]
    pub beir: Vec<PathBuf>,
    /// With --beir: how many documents are ranked for a query
    #[arg(long, value_name = "N", default_value_t = 100, requires = "beir")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub top: u32,
    /// With --beir: put the model's prompt NAME before queries; by default its
    /// prompt `query`, where it has one
    #[arg(long, value_name = "NAME", requires = "beir")]
    pub query_prompt: Option<String>,
    /// With --beir: put the model's prompt NAME before documents; by default its
    /// prompt `document`, where it has one
    #[arg(long, value_name = "NAME", requires = "beir")]
    pub document_prompt: Option<String>,
    /// With --beir: rank the documents that a model found again by the scores of the
    /// cross-encoder MODEL, in a row of its own; can be repeated
    #[arg(long, value_name = "MODEL", requires = "beir")]
    pub rerank: Vec<String>,
    /// Write the report to FILE
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long, requires = "output")]
    pub overwrite: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    if !args.beir.is_empty() {
        return run_retrieval(args, context);
    }
    let mut console = context.console();
    let pairs = args.pairs.iter();
    let pairs = pairs.map(|path| args.reading.graded(path, &args.labels));
    let settings = EvalSettings {
        text: args.text,
        tasks: match args.only_pairs {
            true => vec![],
            false => wanted(&args.tasks).to_vec(),
        },
        pairs: pairs.collect::<Result<_, _>>()?,
        prompt: args.prompt.choice(),
        ..EvalSettings::new(args.models)
    };
    let evaluation = ModelEvaluation::prepare(&settings, &context.environment, &mut console)?;
    let inputs = evaluation.inputs();
    let mut output = Output::create(args.output.as_deref(), "--output", &inputs, args.overwrite)?;
    let report = evaluation.run(&context.environment, &mut console)?;
    let view = View {
        per_subset: args.per_subset,
        aggregation: args.aggregation,
        metric: args.metric,
    };
    let text = match args.format {
        Format::Table => report.text(view),
        Format::Json => report.json() + "\n",
        Format::Markdown => report.markdown(view),
    };
    output.bytes(text.as_bytes())?;
    output.finish()
}

fn run_retrieval(args: Args, context: &Context) -> Result<(), Failure> {
    let mut console = context.console();
    let usual = RetrievalSettings::new(args.models, args.beir);
    let settings = RetrievalSettings {
        split: args.reading.split.unwrap_or(Split::Test).name().into(),
        top: args.top as usize,
        query_prompt: args
            .query_prompt
            .map_or(usual.query_prompt, PromptChoice::Named),
        document_prompt: args
            .document_prompt
            .map_or(usual.document_prompt, PromptChoice::Named),
        rerank: args.rerank,
        ..usual
    };
    let retrieval = Retrieval::prepare(&settings, &context.environment, &mut console)?;
    let inputs = retrieval.inputs();
    let mut output = Output::create(args.output.as_deref(), "--output", &inputs, args.overwrite)?;
    let report = retrieval.run(&context.environment, &mut console)?;
    let text = match args.format {
        Format::Table => report.text(),
        Format::Json => report.json() + "\n",
        Format::Markdown => report.markdown(),
    };
    output.bytes(text.as_bytes())?;
    output.finish()
}

/// One of the seven tasks, by name.
pub(super) fn parse_task(name: &str) -> Result<Known, String> {
    let known = Known::parse(name.trim()).ok();
    let of_suite = known.filter(|k| Known::SUITE.contains(k));
    of_suite.ok_or_else(|| {
        let titles = Known::SUITE.map(Known::title).join(", ");
        format!("no such task; there are {titles}")
    })
}

/// The tasks named, or all.
fn wanted(tasks: &[Known]) -> &[Known] {
    match tasks {
        [] => &Known::SUITE,
        some => some,
    }
}
