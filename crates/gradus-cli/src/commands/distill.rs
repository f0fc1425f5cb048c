//! `gradus distill`: small, fast students of a model, from texts alone.

use super::pretrain::source;
use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{Output, print_table};
use crate::pair_options::{LabelOptions, PairOptions, TextOptions};
use crate::reporter::ProgressReporter;
use crate::run_length_args::RunLengthArgs;
use gradus::data::Source;
use gradus::jobs::distill::{
    DistillSettings, Distillation, FreshLayers, Imitation, Layers, Plan, StudentState, Students,
};
use gradus::util::words::{duration, thousands};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
No labels are needed: a student learns to give the teacher's vectors. It is made \
of some of the teacher's layers (--layers), or has few narrow layers of its own \
over the teacher's vocabulary (--fresh). Some texts are held out; how well a \
student ranks pairs of them as the teacher does is its agreement. DIR gets the \
texts, a folder for each student with its recipe and model/, and the table of \
score against speed and size.

TEXT is a file with a text a line, a file of pairs (.tsv, .csv, .jsonl), of which \
both texts are taken, or a known data set such as nli or stsb/train. --layers N \
takes N layers, evenly spaced, --layers 0,3 those two, --layers 3, that one. What \
was stopped or killed goes on when the same command is given again; one with other \
--layers adds students.

Examples:
  gradus distill all-MiniLM-L6-v2 sentences.txt
  gradus distill all-MiniLM-L6-v2 sentences.txt nli --layers 1 --layers 2 --layers 3 --output runs/small
  gradus distill ./model reviews.csv --columns review,reply --layers 0,5 --intermediate 512 --minutes 20
  gradus distill ./model sentences.txt --fresh --layers 2 --hidden 192 --epochs 4
  gradus distill --resume runs/small";

const IMITATIONS: &[(&str, Imitation)] = &[
    ("mse", Imitation::Mse),
    ("rank", Imitation::Rank),
    ("both", Imitation::Both),
];

/// What is to be made, from what.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The teacher
    #[arg(value_name = "TEACHER", required_unless_present = "resume")]
    pub teacher: Option<String>,
    /// The texts
    #[arg(value_name = "TEXT", required_unless_present = "resume")]
    pub texts: Vec<String>,
    /// The folder for all that is made
    #[arg(long, short, value_name = "DIR", default_value = "runs/distill")]
    pub output: PathBuf,
    /// Go on with what was begun in DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["teacher", "texts", "output", "dev", "dry_run", "Shape", "objective", "batch", "learning_rate", "max_tokens", "epochs", "evaluate_every", "RunLengthArgs", "columns", "decimal", "split", "FormOptions", "TextOptions", "LabelOptions"])]
    pub resume: Option<PathBuf>,
    /// Begin what is in DIR anew: what was written there is removed
    #[arg(long, conflicts_with_all = ["resume", "dry_run"])]
    pub overwrite: bool,
    /// Graded pairs to choose each model by: a file, or a known data set's split
    /// such as stsb/dev. By default the agreement with the teacher chooses
    #[arg(long, value_name = "PAIRS")]
    pub dev: Option<String>,
    /// Leave out the seven STS tasks, also where they are at hand
    #[arg(long)]
    pub no_tests: bool,
    /// Only say what would be made
    #[arg(long)]
    pub dry_run: bool,
    /// The table as JSON, unrounded
    #[arg(long)]
    pub json: bool,
    /// What the students are like
    #[command(flatten)]
    pub shape: Shape,
    /// How they are trained
    #[command(flatten)]
    pub training: Training,
    /// How files of pairs are read
    #[command(flatten)]
    pub pairs: PairOptions,
    /// Where texts are that come alone
    #[command(flatten)]
    pub column: TextOptions,
    /// How the labels of --dev become numbers
    #[command(flatten)]
    pub labels: LabelOptions,
}

/// What students are like.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The student")]
pub struct Shape {
    /// How many of the teacher's layers, or which, counted from 0; by default a
    /// third of them. Can be repeated, for several students
    #[arg(long, value_name = "N|A,B,...")]
    pub layers: Vec<String>,
    /// Make layers of its own instead
    #[arg(long)]
    pub fresh: bool,
    /// Width of a fresh student's token vectors; by default half the teacher's
    #[arg(long, value_name = "N", requires = "fresh")]
    pub hidden: Option<usize>,
    /// A fresh student's attention heads per layer; by default one for 32 values
    #[arg(long, value_name = "N", requires = "fresh")]
    pub heads: Option<usize>,
    /// Width within the feed-forward parts; by default the teacher's, and four
    /// times the width of a fresh student
    #[arg(long, value_name = "N")]
    pub intermediate: Option<usize>,
}

/// How students are trained.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Training")]
pub struct Training {
    /// What is learned: the teacher's vectors, its rankings, or both
    #[arg(long, value_name = "KIND", default_value = "mse", value_parser = one_of(IMITATIONS))]
    pub objective: Imitation,
    /// Texts of a step
    #[arg(long, value_name = "N", default_value = "128")]
    pub batch: usize,
    /// The peak rate
    #[arg(long, value_name = "RATE", default_value = "2e-3")]
    pub learning_rate: f64,
    /// Cut texts to so many tokens in training
    #[arg(long, value_name = "N", default_value = "128")]
    pub max_tokens: usize,
    /// Passes over the texts; 3 if neither steps nor minutes are given
    #[arg(long, value_name = "N", group = "length")]
    pub epochs: Option<f64>,
    /// Steps between evaluations; by default once an epoch
    #[arg(long, value_name = "N")]
    pub evaluate_every: Option<u64>,
    /// How long
    #[command(flatten)]
    pub length: RunLengthArgs,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut reporter = ProgressReporter::new(context.mode, "distill");
    let environment = &context.environment;
    let distillation = match &args.resume {
        Some(root) => Distillation::resume(root, args.no_tests, environment, &mut reporter)?,
        None => {
            let (settings, students) = (settings(&args)?, students(&args.shape)?);
            let root = &args.output;
            Distillation::prepare(settings, &students, root, environment, &mut reporter)?
        }
    };
    if args.dry_run {
        let plan = distillation.plan(&mut reporter)?;
        return show(&plan, distillation.settings());
    }
    let table = distillation.run(args.overwrite, &mut reporter)?;
    print_table(&table, &table.text(), args.json)
}

fn settings(args: &Args) -> Result<DistillSettings, Failure> {
    let (training, length) = (&args.training, &args.training.length);
    let texts = args.texts.iter();
    let texts = texts.map(|text| named(text, &args.pairs, &args.column));
    let dev = args.dev.as_ref().map(|dev| graded(dev, args));
    Ok(DistillSettings {
        teacher: args.teacher.clone().unwrap_or_default(),
        objective: training.objective,
        epochs: training.epochs,
        steps: length.steps,
        minutes: length.minutes,
        batch: training.batch,
        learning_rate: training.learning_rate,
        warmup: length.warmup,
        max_tokens: training.max_tokens,
        seed: length.seed,
        evaluate_every: training.evaluate_every,
        checkpoint_seconds: length.checkpoint_seconds,
        checkpoint_steps: length.checkpoint_steps,
        dev: dev.transpose()?,
        no_tests: args.no_tests,
        texts: texts.collect::<Result<_, _>>()?,
        ..DistillSettings::default()
    })
}

fn students(shape: &Shape) -> Result<Students, Failure> {
    let layers = shape.layers.iter().map(|text| {
        let numbers = text.split(',').filter(|word| !word.is_empty());
        let numbers = numbers.map(|word| word.trim().parse::<usize>());
        match numbers.collect::<Result<Vec<_>, _>>() {
            Ok(numbers) => Ok(match numbers[..] {
                [count] if !text.contains(',') => Layers::Count(count),
                _ => Layers::These(numbers),
            }),
            Err(_) => Err(Failure::Usage(format!(
                "--layers {text}: give a number of layers, or their numbers, as in 0,3"
            ))),
        }
    });
    Ok(Students {
        layers: layers.collect::<Result<_, _>>()?,
        fresh: shape.fresh.then_some(FreshLayers {
            hidden: shape.hidden,
            heads: shape.heads,
        }),
        intermediate: shape.intermediate,
    })
}

/// Graded pairs: a file, or a known data set.
fn graded(name: &str, args: &Args) -> Result<Source, Failure> {
    let source = named(name, &args.pairs, &TextOptions::default())?;
    Ok(match source.path {
        Some(_) => Source {
            labels: args.labels.map(),
            ..source
        },
        None => source,
    })
}

/// A file, or a known data set where there is no such file.
fn named(name: &str, pairs: &PairOptions, column: &TextOptions) -> Result<Source, Failure> {
    match Source::known(name) {
        Some(known) => Ok(known),
        None => source(Path::new(name), pairs, column),
    }
}

/// Says what would be made.
fn show(plan: &Plan, settings: &DistillSettings) -> Result<(), Failure> {
    let mut output = Output::open(None)?;
    output.line(&format!(
        "teacher   {}, {} layers of width {}",
        settings.teacher, plan.layers, plan.hidden
    ))?;
    output.line(&format!(
        "texts     {} to learn from, {} held out",
        plan.train, plan.held_out
    ))?;
    for note in &plan.notes {
        output.line(&format!("note      {note}"))?;
    }
    let length = match (settings.steps, settings.minutes) {
        (Some(steps), _) => format!("{steps} steps"),
        (None, Some(minutes)) => format!("as many steps as fit {minutes} minutes"),
        (None, None) => format!("{} epochs", settings.epochs.unwrap_or(1.0)),
    };
    output.line(&format!(
        "training  {length} of {} texts; {} steps are a pass",
        settings.batch, plan.steps_per_epoch
    ))?;
    output.line(&format!(
        "encoding  {}{} of {} texts once by the teacher, and {} held out, about {}",
        if plan.at_most { "at most " } else { "" },
        thousands(plan.encoded),
        thousands(plan.train),
        thousands(plan.held_out),
        duration(plan.encoding_seconds)
    ))?;
    for (folder, state) in &plan.students {
        let state = match state {
            StudentState::Finished => "finished",
            StudentState::Begun => "begun",
            StudentState::ToDo => "to do",
        };
        output.line(&format!("student   {}: {state}", folder.display()))?;
    }
    output.finish()
}
