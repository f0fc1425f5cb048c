//! `gradus train`: train by a recipe.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::prompt_options::PromptOptions;
use crate::reporter::ProgressReporter;
use gradus::jobs::train::{self, TrainSettings, Trained};
use gradus::util::Observer;
use std::path::PathBuf;

const EXAMPLES: &str = "\
A recipe is a TOML file that holds the whole run: model, data, stages, \
evaluation. The run folder gets the resolved recipe, metrics.jsonl, checkpoints \
and the best model in model/, which `gradus score` and sentence-transformers \
load as it is. A run that was stopped or killed goes on where it was, to the \
same bits.

Examples:
  gradus train recipes/sts/cosine-filtered.toml
  gradus train recipe.toml --dry-run
  gradus train recipe.toml --set seed=1 --set stage.0.learning_rate=1e-5 --output runs/seed1
  gradus train --resume runs/seed1";

/// What is to be trained.
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
    /// Which prompt, in place of the recipe's.
    #[command(flatten)]
    pub prompt: PromptOptions,
    /// The run's folder; by default the recipe's `output`, else runs/NAME
    #[arg(long, short, value_name = "DIR", conflicts_with = "resume")]
    pub output: Option<PathBuf>,
    /// Go on with the run in DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["recipe", "PromptOptions"])]
    pub resume: Option<PathBuf>,
    /// Begin a run that is in its folder anew: what it wrote is removed
    #[arg(long, conflicts_with_all = ["resume", "dry_run"])]
    pub overwrite: bool,
    /// Only say what would be done: steps, rates, tokens, time and memory
    #[arg(long, conflicts_with = "resume")]
    pub dry_run: bool,
    /// The plan of --dry-run as JSON
    #[arg(long, requires = "dry_run")]
    pub json: bool,
    /// Leave the time out of the plan of --dry-run, for which batches are tried
    #[arg(long, requires = "dry_run")]
    pub untimed: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut reporter = ProgressReporter::new(context.mode, "train");
    let environment = &context.environment;
    if let Some(root) = &args.resume {
        let trained = train::resume(root, environment, &mut reporter)?;
        return show(&trained, &mut reporter);
    }
    let mut settings = TrainSettings {
        recipe: args.recipe.unwrap_or_default(),
        set: args.set,
        output: args.output,
        overwrite: args.overwrite,
    };
    settings.set.extend(args.prompt.recipe_keys());
    if !args.dry_run {
        let trained = train::train(&settings, environment, &mut reporter)?;
        return show(&trained, &mut reporter);
    }
    let plan = train::plan(&settings, !args.untimed, environment, &mut reporter)?;
    let mut output = Output::open(None)?;
    let text = match args.json {
        true => {
            let json = serde_json::to_string_pretty(&plan);
            json.map_err(|e| Failure::Usage(e.to_string()))? + "\n"
        }
        false => plan.describe(),
    };
    output.bytes(text.as_bytes())?;
    output.finish()
}

/// Says how a run ended.
fn show(trained: &Trained, reporter: &mut ProgressReporter) -> Result<(), Failure> {
    let summary = &trained.summary;
    if let (Some(best), Some(dev)) = (summary.best, &trained.dev) {
        let before = summary.initial.map_or(String::new(), |i| {
            format!(", before training {:.2}", 100.0 * i)
        });
        let what = match summary.initial.is_some_and(|initial| best < initial) {
            true => "highest after training on",
            false => "best on",
        };
        reporter.note(&format!(
            "{what} {dev}: {:.2} ({} x 100 of the {}) at step {}{before}",
            100.0 * best,
            trained.metric,
            trained.selected_by,
            summary.best_step
        ));
    }
    let mut output = Output::open(None)?;
    output.line(&summary.model.display().to_string())?;
    output.finish()
}
