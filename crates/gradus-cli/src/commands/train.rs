//! `gradus train`: carry out a recipe.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::prompt_options::PromptOptions;
use crate::reporter::ProgressReporter;
use crate::runs::{existing, inputs, take};
use crate::stop;
use gradus::Error;
use gradus::output::{Claim, RunKind};
use gradus::recipe::{Recipe, parse_recipe};
use gradus::tasks::similarity::{RunOptions, Similarity};
use gradus::training::RunFolder;
use gradus_kernels::cpu::Cpu;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    let mut reporter = ProgressReporter::new(context.manner);
    if let Some(root) = &args.resume {
        let (folder, recipe) = Recipe::open_run(root)?;
        stop::goes_on_with("train", root);
        let context = &context.resuming(folder.marker());
        let base = folder.base_dir()?;
        if context.precision.is_some_and(|p| p != recipe.precision) {
            return Err(Failure::Usage(
                "a run goes on in the precision it began in; leave --precision out".into(),
            ));
        }
        let (mut run, _) = prepare(recipe, &base, context, &mut reporter)?;
        return finish(&mut run, &folder, &mut reporter);
    }
    let path = args.recipe.as_deref().unwrap_or(Path::new(""));
    let text = read_recipe(path)?;
    let mut set = args.set.clone();
    set.extend(args.prompt.recipe_keys());
    let recipe = parse_recipe(path, &text, &set).map_err(Error::from)?;
    let base = base_of(path);
    if args.dry_run {
        let (mut run, _) = prepare(recipe, base, context, &mut reporter)?;
        if !args.untimed {
            reporter.say("timing a few batches");
            run.estimate()?;
        }
        let mut output = Output::open(None)?;
        let text = match args.json {
            true => {
                let json = serde_json::to_string_pretty(run.plan());
                json.map_err(|e| Failure::Usage(e.to_string()))? + "\n"
            }
            false => run.plan().describe(),
        };
        output.bytes(text.as_bytes())?;
        return output.finish();
    }
    let root = args.output.unwrap_or_else(|| {
        let stem = path.file_stem().unwrap_or_default();
        recipe
            .output
            .as_ref()
            .map_or_else(|| Path::new("runs").join(stem), PathBuf::from)
    });
    // Before the long work of preparing.
    let (existing, inputs) = (existing(args.overwrite), inputs(path, &recipe, context));
    let claim = Claim::check(&root, RunKind::Train, existing, &inputs)?;
    let (mut run, recipe) = prepare(recipe, base, context, &mut reporter)?;
    let folder = recipe.begin_in(RunFolder::new(take(claim, context)?), base)?;
    stop::goes_on_with("train", &root);
    if run.encodes_many() {
        run.estimate_encoding()?;
    }
    finish(&mut run, &folder, &mut reporter)
}

/// A recipe's text.
pub(super) fn read_recipe(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(Error::io(path))
        .map_err(Failure::Input)
}

/// Where the relative paths of a recipe start.
pub(crate) fn base_of(recipe: &Path) -> &Path {
    match recipe.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The folder of a model that a recipe in `base` names: one beside the recipe is
/// meant before one beside the caller.
pub(super) fn find_model(base: &Path, name: &str, context: &Context) -> Result<PathBuf, Failure> {
    match base.join(name) {
        beside if beside.is_dir() => Ok(beside),
        _ => context.find(name),
    }
}

/// The run, and its recipe with the precision it got.
pub(super) fn prepare(
    mut recipe: Recipe,
    base: &Path,
    context: &Context,
    reporter: &mut ProgressReporter,
) -> Result<(Similarity<Cpu>, Recipe), Failure> {
    let find = |name: &str| find_model(base, name, context);
    let model = find(&recipe.model)?;
    let mut teachers = BTreeMap::new();
    for name in recipe.stages.iter().flat_map(|s| s.auxiliary_models()) {
        teachers.insert(name.to_owned(), find(name)?);
    }
    let options = RunOptions {
        base_dir: base.to_path_buf(),
        data_root: context.data.clone(),
        teachers,
    };
    let backend = context.backend(recipe.precision)?;
    recipe.precision = backend.precision().into();
    let run = Similarity::prepare(recipe.clone(), &model, backend, &options, reporter)?;
    Ok((run, recipe))
}

fn finish(
    run: &mut Similarity<Cpu>,
    folder: &RunFolder,
    reporter: &mut ProgressReporter,
) -> Result<(), Failure> {
    let summary = run.execute(folder, reporter)?;
    if let (Some(best), Some(dev)) = (summary.best, &run.plan().dev) {
        let before = summary.initial.map_or(String::new(), |i| {
            format!(", before training {:.2}", 100.0 * i)
        });
        let what = match summary.initial.is_some_and(|initial| best < initial) {
            true => "highest after training on",
            false => "best on",
        };
        reporter.say(&format!(
            "{what} {dev}: {:.2} (Spearman x 100 of the cosine) at step {}{before}",
            100.0 * best,
            summary.best_step
        ));
    }
    let mut output = Output::open(None)?;
    output.line(&summary.model.display().to_string())?;
    output.finish()
}
