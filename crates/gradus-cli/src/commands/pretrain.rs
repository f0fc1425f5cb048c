//! `gradus pretrain`: a small BERT from plain text.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{PairOptions, TextOptions};
use crate::reporter::ProgressReporter;
use crate::run_length_args::RunLengthArgs;
use gradus::data::{Format, RowKind, Source};
use gradus::jobs::pretrain::{self, PretrainSettings, VocabularySource};
use gradus::models::FreshModel;
use gradus::tasks::masked_lm::PretrainingSettings;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
A share of the tokens of each text is masked, and the model learns to predict \
them. DIR gets the settings, metrics.jsonl, checkpoints, and in the end model/, \
which `gradus train`, `gradus eval`, transformers and sentence-transformers load \
as it is. A run that was stopped or killed goes on where it was, to the same bits.

TEXT is a file with a text a line; .gz is unpacked. A .tsv, .csv or .jsonl file \
holds pairs, of which both texts are taken.

Examples:
  gradus pretrain sentences.txt --minutes 30 --output runs/mini
  gradus pretrain sentences.txt nli.tsv --columns 1,2 --minutes 60 --output runs/mini
  gradus pretrain reviews.txt.gz --from all-MiniLM-L6-v2 --epochs 3 --output runs/reviews
  gradus pretrain --resume runs/mini";

/// What a model is to be made from, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The texts
    #[arg(value_name = "TEXT", required_unless_present = "resume")]
    pub texts: Vec<PathBuf>,
    /// The run's folder
    #[arg(long, short, value_name = "DIR", required_unless_present = "resume")]
    pub output: Option<PathBuf>,
    /// Go on with the run in DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["texts", "output", "from", "Sizes", "batch_tokens", "learning_rate", "weight_decay", "max_tokens", "mask_rate", "whole_words", "dropout", "epochs", "evaluate_every", "RunLengthArgs", "columns", "decimal", "split", "FormOptions", "TextOptions"])]
    pub resume: Option<PathBuf>,
    /// Begin a run that is in DIR anew: what it wrote is removed
    #[arg(long, conflicts_with = "resume")]
    pub overwrite: bool,
    /// Go on from a model; without it a fresh one is made
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["layers", "hidden", "heads", "intermediate", "tokenizer", "vocab"])]
    pub from: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// The sizes of a fresh model
    #[command(flatten)]
    pub sizes: Sizes,
    /// How it is trained
    #[command(flatten)]
    pub training: Training,
    /// How files of pairs are read
    #[command(flatten)]
    pub pairs: PairOptions,
    /// Where texts are that come alone
    #[command(flatten)]
    pub column: TextOptions,
}

/// A fresh model.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "A fresh model")]
pub struct Sizes {
    /// Transformer layers
    #[arg(long, value_name = "N", default_value = "6")]
    pub layers: usize,
    /// Width of the token vectors
    #[arg(long, value_name = "N", default_value = "256")]
    pub hidden: usize,
    /// Attention heads per layer, a divisor of the width
    #[arg(long, value_name = "N", default_value = "4")]
    pub heads: usize,
    /// Width within the feed-forward part
    #[arg(long, value_name = "N", default_value = "1024")]
    pub intermediate: usize,
    /// Take the tokenizer of a model; without it one is learned from the texts
    #[arg(long, value_name = "MODEL", conflicts_with = "vocab")]
    pub tokenizer: Option<String>,
    /// Tokens of a vocabulary that is learned; few make a small model much
    /// faster
    #[arg(long, value_name = "N", default_value = "8192")]
    pub vocab: usize,
}

/// How a model is trained.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Training")]
pub struct Training {
    /// Tokens per optimizer step
    #[arg(long, value_name = "N", default_value = "4096")]
    pub batch_tokens: usize,
    /// The peak rate; by default 1e-3, and 1e-4 with --from
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Decoupled weight decay
    #[arg(long, value_name = "DECAY", default_value = "0.01")]
    pub weight_decay: f64,
    /// Cut texts to so many tokens; a fresh model never takes more
    #[arg(long, value_name = "N", default_value = "64")]
    pub max_tokens: usize,
    /// The share of the tokens that are masked and predicted
    #[arg(long, value_name = "SHARE", default_value = "0.15")]
    pub mask_rate: f64,
    /// Mask all tokens of a word together
    #[arg(long)]
    pub whole_words: bool,
    /// Dropout; by default the model's own, 0.1 for a fresh one
    #[arg(long, value_name = "P")]
    pub dropout: Option<f32>,
    /// Passes over the texts; 1 if neither steps nor minutes are given
    #[arg(long, value_name = "N", group = "length")]
    pub epochs: Option<f64>,
    /// Steps between scorings of the texts held out; by default a tenth of all
    #[arg(long, value_name = "N")]
    pub evaluate_every: Option<u64>,
    /// How long
    #[command(flatten)]
    pub length: RunLengthArgs,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut reporter = ProgressReporter::new(context.mode, "pretrain");
    let environment = &context.environment;
    let summary = match &args.resume {
        Some(root) => pretrain::resume(root, environment, &mut reporter)?,
        None => {
            let settings = PretrainSettings {
                training: training(&args)?,
                vocabulary: match args.sizes.tokenizer {
                    Some(model) => VocabularySource::Of(model),
                    None => VocabularySource::Learned(args.sizes.vocab),
                },
                root: args.output.unwrap_or_default(),
                overwrite: args.overwrite,
            };
            pretrain::pretrain(&settings, environment, &mut reporter)?
        }
    };
    let mut output = Output::open(None)?;
    match args.json {
        true => output.json_line(&summary)?,
        false => output.line(&summary.model.display().to_string())?,
    }
    output.finish()
}

fn training(args: &Args) -> Result<PretrainingSettings, Failure> {
    let (sizes, training) = (&args.sizes, &args.training);
    let length = &training.length;
    let usual = PretrainingSettings::default();
    let sources = args
        .texts
        .iter()
        .map(|path| source(path, &args.pairs, &args.column));
    let fresh = args.from.is_none().then(|| FreshModel {
        layers: sizes.layers,
        hidden: sizes.hidden,
        heads: sizes.heads,
        intermediate: sizes.intermediate,
        max_tokens: training.max_tokens,
        dropout: training.dropout.unwrap_or(0.1),
    });
    let rate = if fresh.is_some() {
        usual.learning_rate
    } else {
        1e-4
    };
    Ok(PretrainingSettings {
        from: args.from.clone(),
        epochs: training.epochs,
        steps: length.steps,
        minutes: length.minutes,
        batch_tokens: training.batch_tokens,
        learning_rate: training.learning_rate.unwrap_or(rate),
        warmup: length.warmup,
        weight_decay: training.weight_decay,
        dropout: training.dropout,
        mask_rate: training.mask_rate,
        whole_words: training.whole_words,
        max_tokens: training.max_tokens,
        seed: length.seed,
        evaluate_every: training.evaluate_every,
        checkpoint_seconds: length.checkpoint_seconds,
        checkpoint_steps: length.checkpoint_steps,
        fresh,
        texts: sources.collect::<Result<_, _>>()?,
        ..usual
    })
}

/// A file of pairs or of a column by its name, or by an option where that says
/// nothing; else of lines.
pub(super) fn source(
    path: &Path,
    pairs: &PairOptions,
    column: &TextOptions,
) -> Result<Source, Failure> {
    let plain = Source::file(path);
    let by_option = Format::of(path).is_none() && pairs.form.pairs_format.is_some();
    match plain.is_of_pairs() || by_option {
        true if column.column.is_some() && pairs.columns.is_some() => Err(Failure::Usage(
            "--column names the one text of a row, and --columns two; give one of them".into(),
        )),
        true if column.column.is_some() => Ok(Source {
            rows: Some(RowKind::Texts),
            text: column.column.clone(),
            ..pairs.source(path)?
        }),
        true => pairs.source(path),
        false => Ok(plain),
    }
}
