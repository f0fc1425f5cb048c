//! `gradus self-distill`: bi-encoder and cross-encoder teach each other.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::{Output, print_table};
use crate::reporter::ProgressReporter;
use gradus::jobs::TestSets;
use gradus::jobs::self_distill::SelfDistillation;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
No labels are needed but those of a dev set. A bi-encoder labels pairs by its \
cosines; a cross-encoder, made anew from the plain model, learns them and labels the \
pairs again; a bi-encoder, made anew from the given model, learns those; and so on \
for some cycles. With two models the labels are the means of both models'. DIR gets \
the pairs and all labels, a folder in runs/ for each training, the best model of \
each form in bi-encoder/ and cross-encoder/, and a table.

The pairs come from files, or are made from texts: each text with its neighbours of \
several ranks by the bi-encoder's vectors, and with others at random. What was \
stopped or killed goes on when the same command is given again, to the same bits.

A recipe:
  task = \"self-distillation\"
  evaluation = { dev = { dataset = \"stsb\", split = \"dev\" }, every = 200 }
  [[model]]
  bi_encoder = \"princeton-nlp/unsup-simcse-bert-base-uncased\"
  cross_encoder = \"bert-base-uncased\"
  [pairs]
  corpus = [{ path = \"sentences.txt\" }]

Examples:
  gradus self-distill recipes/self-distillation/bert.toml
  gradus self-distill recipe.toml --set cycles=2 --set seed=1 --output runs/two
  gradus self-distill recipe.toml --dry-run
  gradus self-distill --resume runs/two";

/// What is to be done.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The recipe
    #[arg(value_name = "RECIPE", required_unless_present = "resume")]
    pub recipe: Option<PathBuf>,
    /// Change a value of the recipe; list entries are counted from 0. Can be
    /// repeated
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// The folder for all that is made; by default the recipe's `output`, else
    /// runs/NAME
    #[arg(long, short, value_name = "DIR", conflicts_with = "resume")]
    pub output: Option<PathBuf>,
    /// Go on with what was begun in DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["recipe", "dry_run"])]
    pub resume: Option<PathBuf>,
    /// Begin what is in its folder anew: what was written there is removed
    #[arg(long, conflicts_with_all = ["resume", "dry_run"])]
    pub overwrite: bool,
    /// Leave out the seven STS tasks, also where they are at hand
    #[arg(long)]
    pub no_tests: bool,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// The table as JSON, unrounded
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut reporter = ProgressReporter::new(context.mode, "self-distill");
    let environment = &context.environment;
    let tests = match args.no_tests {
        true => TestSets::None,
        false => TestSets::All,
    };
    let job = match &args.resume {
        Some(root) => SelfDistillation::resume(root, tests, environment, &mut reporter)?,
        None => {
            let recipe = args.recipe.as_deref().unwrap_or(Path::new(""));
            let (set, root) = (&args.set, args.output.clone());
            SelfDistillation::prepare(recipe, set, root, tests, environment, &mut reporter)?
        }
    };
    if args.dry_run {
        let mut output = Output::open(None)?;
        for line in job.plan(&mut reporter)? {
            output.line(&line)?;
        }
        return output.finish();
    }
    let table = job.run(args.overwrite, &mut reporter)?;
    print_table(&table, &table.text(), args.json)
}
