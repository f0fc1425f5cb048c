//! Training a model by a recipe.

use super::Environment;
use super::recipes::{AnyTask, base_of, check_precision, prepare_any, read};
use super::run_folders::{existing, inputs_of, take};
use crate::Result;
use crate::output::{Claim, Inputs, RunKind};
use crate::recipe::{AnyRecipe, SelectionMetric};
use crate::tasks::similarity::TrainingPlan;
use crate::training::{RunFolder, Summary, TrainingObserver};
use crate::util::Observer;
use std::path::{Path, PathBuf};

/// What is trained.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrainSettings {
    /// The recipe's file; its relative paths start in its folder.
    pub recipe: PathBuf,
    /// Changes of the recipe, `key=value`; list entries are counted from 0.
    pub set: Vec<String>,
    /// The run's folder; by default what the recipe says, else `runs/` and the
    /// recipe's name.
    pub output: Option<PathBuf>,
    /// Whether a run that is in the folder is begun anew: what it wrote is removed.
    pub overwrite: bool,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// How it ended.
    pub summary: Summary,
    /// The dev set that chose the model, where there was one.
    pub dev: Option<String>,
    /// Of what the metric chose it: `cosine` or `score`.
    pub selected_by: String,
    /// By what it was chosen.
    pub metric: SelectionMetric,
}

impl TrainSettings {
    /// A recipe as it is.
    pub fn new(recipe: impl Into<PathBuf>) -> Self {
        Self {
            recipe: recipe.into(),
            ..Self::default()
        }
    }

    /// The recipe with its changes.
    fn read(&self) -> Result<AnyRecipe> {
        let text = read(&self.recipe)?;
        Ok(AnyRecipe::parse(&self.recipe, &text, &self.set)?)
    }

    fn root(&self, recipe: &AnyRecipe) -> PathBuf {
        let stem = || self.recipe.file_stem().unwrap_or_default();
        let own = self
            .output
            .clone()
            .or_else(|| recipe.output().map(PathBuf::from));
        own.unwrap_or_else(|| Path::new("runs").join(stem()))
    }
}

/// What a run would do; how long it takes where `timed`, for which a few batches
/// are tried. Nothing is written.
///
/// # Errors
/// Anything wrong with the recipe, its data or its model.
pub fn plan(
    settings: &TrainSettings,
    timed: bool,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<TrainingPlan> {
    let (recipe, base) = (settings.read()?, base_of(&settings.recipe));
    let (mut task, _) = prepare_any(recipe, base, environment, observer)?;
    if timed {
        observer.note("timing a few batches");
        task.estimate()?;
    }
    Ok(task.plan().clone())
}

/// Trains.
///
/// # Errors
/// Anything wrong with the recipe, its data or its model, and where something else
/// is in the run's folder: before any work. Then as [`train`](crate::training::train).
pub fn train(
    settings: &TrainSettings,
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<Trained> {
    let (recipe, path) = (settings.read()?, &settings.recipe);
    let (base, root) = (base_of(path), settings.root(&recipe));
    let mut inputs = Inputs::new().with("the recipe", path);
    inputs.extend(inputs_of(&recipe, base, environment));
    let claim = (inputs, settings.overwrite);
    train_claimed(recipe, base, &root, claim, environment, observer)
}

/// The same by a recipe made in code, in the folder `root`. The recipe's relative
/// paths start in `base`.
///
/// ```no_run
/// use gradus::data::Source;
/// use gradus::jobs::{Environment, train};
/// use gradus::losses::CosentSettings;
/// use gradus::recipe::{Recipe, Stage};
/// use gradus::training::Silent;
/// use std::path::Path;
///
/// # fn main() -> gradus::Result<()> {
/// let stage = Stage::new("tune", CosentSettings::default(), [Source::file("pairs.tsv")]);
/// let recipe = Recipe::new("all-MiniLM-L6-v2").stage(stage.epochs(2.0));
/// let (here, run) = (Path::new("."), Path::new("runs/mine"));
/// let environment = Environment::default();
/// let trained = train::train_recipe(recipe, here, run, &environment, &mut Silent)?;
/// println!("{}", trained.summary.model.display());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`train`].
pub fn train_recipe(
    recipe: impl Into<AnyRecipe>,
    base: &Path,
    root: &Path,
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<Trained> {
    let recipe = recipe.into();
    let inputs = inputs_of(&recipe, base, environment);
    train_claimed(recipe, base, root, (inputs, false), environment, observer)
}

/// Trains in a folder that is none of the `inputs`.
fn train_claimed(
    recipe: AnyRecipe,
    base: &Path,
    root: &Path,
    (inputs, overwrite): (Inputs, bool),
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<Trained> {
    // Before the long work of preparing.
    let claim = Claim::check(root, RunKind::Train, existing(overwrite), &inputs)?;
    let (mut task, recipe) = prepare_any(recipe, base, environment, observer)?;
    let held = take(claim, environment, observer)?;
    let folder = recipe.begin_in(RunFolder::new(held), base)?;
    observer.resumable(root);
    task.estimate_encoding()?;
    execute(&mut task, &folder, observer)
}

/// Goes on with the run in `root`, to the bits of one that was never stopped.
///
/// # Errors
/// Where there is no run, what it reads has changed, or the environment has another
/// precision; as [`train`](crate::training::train).
pub fn resume(
    root: &Path,
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<Trained> {
    let (folder, recipe) = AnyRecipe::open_run(root)?;
    observer.resumable(root);
    let environment = environment.continuing(folder.marker());
    let base = folder.base_dir()?;
    check_precision("a run", recipe.precision(), &environment)?;
    let (mut task, _) = prepare_any(recipe, &base, &environment, observer)?;
    execute(&mut task, &folder, observer)
}

fn execute(
    task: &mut AnyTask,
    folder: &RunFolder,
    observer: &mut dyn TrainingObserver,
) -> Result<Trained> {
    Ok(Trained {
        summary: task.execute(folder, observer)?,
        dev: task.plan().dev.clone(),
        selected_by: task.plan().selected_by.clone(),
        metric: task.plan().metric,
    })
}
