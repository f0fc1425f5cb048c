//! `gradus distill`: small, fast students of a model, from texts alone.

mod asked;
mod carried_out;

use crate::args::one_of;
use crate::context::Context;
use crate::course_options::CourseOptions;
use crate::exit::Failure;
use crate::pair_options::{LabelOptions, PairOptions, TextOptions};
use crate::stop;
use asked::settings;
use carried_out::{Distillation, Place};
use gradus::Error;
use gradus::jobs::distill::{Imitation, Settings};
use gradus::models::{ModelFolder, check_student};
use gradus::output::{Claim, Existing, Held, Inputs, RunKind};
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
    #[arg(long, value_name = "DIR", conflicts_with_all = ["teacher", "texts", "output", "dev", "dry_run", "Shape", "objective", "batch", "learning_rate", "max_tokens", "epochs", "evaluate_every", "CourseOptions", "columns", "decimal", "split", "FormOptions", "TextOptions", "LabelOptions"])]
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
    pub course: CourseOptions,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let resumed = match &args.resume {
        Some(root) => {
            let held = Held::open(root, &[RunKind::Distill])?;
            stop::goes_on_with("distill", root);
            Some((root.clone(), held))
        }
        None => None,
    };
    let context = &resumed.as_ref().map_or_else(
        || context.clone(),
        |(_, held)| context.resuming(held.marker()),
    );
    let (root, settings) = match &resumed {
        Some((root, held)) => {
            let settings = Settings::read(held.root())?;
            let gone = || Error::Internal("a distillation without settings".into());
            (root.clone(), settings.ok_or_else(gone)?)
        }
        None => (args.output.clone(), settings(&args, context)?),
    };
    let teacher = find(&settings, context)?;
    let described = ModelFolder::open(&teacher).map_err(Failure::Model)?;
    for student in &settings.students {
        check_student(&described, student).map_err(|e| Failure::Usage(e.to_string()))?;
        // Settings out of their bounds show before anything is written.
        settings.recipe(student, &teacher)?;
    }
    let place = match resumed {
        _ if args.dry_run => Place::Nowhere,
        Some((_, held)) => Place::Held(held),
        None => {
            let existing = match args.overwrite {
                true => Existing::Overwrite,
                false => Existing::GoOn,
            };
            let mut inputs = deciding(&settings, &teacher, context);
            for source in &settings.texts {
                inputs.add_source("a text file", source, &settings.base_dir, &context.data);
            }
            let claim = Claim::check(&root, RunKind::Distill, existing, &inputs)?;
            Place::Claimed(claim)
        }
    };
    let distillation = Distillation {
        args: &args,
        context,
        root,
        teacher,
        settings,
        place,
    };
    match args.dry_run {
        true => distillation.tell(&described),
        false => distillation.carry_out(),
    }
}

/// What the numbers of a distillation depend on besides its texts, of which it
/// keeps a copy.
fn deciding(settings: &Settings, teacher: &Path, context: &Context) -> Inputs {
    let mut inputs = Inputs::new().with("the teacher", teacher);
    if let Some(dev) = &settings.dev {
        inputs.add_source("the dev set", dev, &settings.base_dir, &context.data);
    }
    inputs
}

fn find(settings: &Settings, context: &Context) -> Result<PathBuf, Failure> {
    let found = match settings.base_dir.join(&settings.teacher) {
        folder if folder.is_dir() => folder,
        _ => context.find(&settings.teacher)?,
    };
    Ok(std::path::absolute(&found).map_err(Error::io(&found))?)
}
