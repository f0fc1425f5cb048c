//! Training a model by a recipe.

use super::Environment;
use super::recipes::{AnyTask, base_of, check_compute, prepare_any, read};
use super::run_folders::{existing, inputs_of, take};
use crate::Result;
use crate::losses::Objective;
use crate::output::{Claim, Inputs, RunKind};
use crate::recipe::{AnyRecipe, SelectionMetric};
use crate::tasks::similarity::TrainingPlan;
use crate::training::{RunFolder, Summary, TrainingObserver};
use crate::util::Observer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Objectives of the caller's own, by the names of the stages that they are for.
pub type Objectives = BTreeMap<String, Box<dyn Objective>>;

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

/// A run that is to begin: a recipe, where it goes, and what a recipe cannot hold.
///
/// ```no_run
/// use gradus::data::Source;
/// use gradus::jobs::{Environment, train::Run};
/// use gradus::losses::CosentSettings;
/// use gradus::recipe::{Recipe, Stage};
/// use gradus::training::Silent;
///
/// # fn main() -> gradus::Result<()> {
/// let stage = Stage::new("tune", CosentSettings::default(), [Source::file("pairs.tsv")]);
/// let recipe = Recipe::new("all-MiniLM-L6-v2").stage(stage.epochs(2.0));
/// let run = Run::new(recipe, ".", "runs/mine");
/// let trained = run.train(&Environment::default(), &mut Silent)?;
/// println!("{}", trained.summary.model.display());
/// # Ok(())
/// # }
/// ```
pub struct Run {
    recipe: AnyRecipe,
    base: PathBuf,
    root: PathBuf,
    inputs: Inputs,
    overwrite: bool,
    objectives: Objectives,
}

impl Run {
    /// A recipe made in code, whose relative paths start in `base`; the run goes to the
    /// folder `root`.
    pub fn new(
        recipe: impl Into<AnyRecipe>,
        base: impl Into<PathBuf>,
        root: impl Into<PathBuf>,
    ) -> Self {
        Self {
            recipe: recipe.into(),
            base: base.into(),
            root: root.into(),
            inputs: Inputs::new(),
            overwrite: false,
            objectives: Objectives::new(),
        }
    }

    /// The recipe of a file.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn of_file(settings: &TrainSettings) -> Result<Self> {
        let recipe = settings.read()?;
        let root = settings.root(&recipe);
        Ok(Self {
            inputs: Inputs::new().with("the recipe", &settings.recipe),
            overwrite: settings.overwrite,
            ..Self::new(recipe, base_of(&settings.recipe), root)
        })
    }

    /// Sets whether a run that is in the folder is begun anew: what it wrote is removed.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Puts objectives of the caller's own in the place of those that the recipe has for
    /// their stages; see
    /// [`Similarity::replace_objective`](crate::tasks::similarity::Similarity::replace_objective).
    pub fn objectives(mut self, objectives: Objectives) -> Self {
        self.objectives = objectives;
        self
    }

    /// The run's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What it would do; how long it takes where `timed`, for which a few batches are
    /// tried. Nothing is written.
    ///
    /// # Errors
    /// Anything wrong with the recipe, its data or its model.
    pub fn plan(
        self,
        timed: bool,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<TrainingPlan> {
        let (mut task, _) = prepare_any(self.recipe, &self.base, environment, observer)?;
        task.replace_objectives(self.objectives)?;
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
    /// is in the run's folder: before any work. Then as
    /// [`train`](crate::training::train).
    pub fn train(
        mut self,
        environment: &Environment,
        observer: &mut dyn TrainingObserver,
    ) -> Result<Trained> {
        let (base, root) = (&*self.base, &*self.root);
        self.inputs
            .extend(inputs_of(&self.recipe, base, environment));
        // Before the long work of preparing.
        let existing = existing(self.overwrite);
        let claim = Claim::check(root, RunKind::Train, existing, &self.inputs)?;
        let (mut task, recipe) = prepare_any(self.recipe, base, environment, observer)?;
        task.replace_objectives(self.objectives)?;
        let held = take(claim, environment, observer)?;
        let folder = recipe.begin_in(RunFolder::new(held), base)?;
        observer.resumable(root);
        task.estimate_encoding()?;
        execute(&mut task, &folder, observer)
    }
}

/// What a run by a recipe's file would do; as [`Run::plan`].
///
/// # Errors
/// As [`Run::plan`].
pub fn plan(
    settings: &TrainSettings,
    timed: bool,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<TrainingPlan> {
    Run::of_file(settings)?.plan(timed, environment, observer)
}

/// Trains by a recipe's file; as [`Run::train`].
///
/// # Errors
/// As [`Run::train`].
pub fn train(
    settings: &TrainSettings,
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<Trained> {
    Run::of_file(settings)?.train(environment, observer)
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
    resume_with(root, Objectives::new(), environment, observer)
}

/// The same with objectives of the caller's own: those that the run began with.
///
/// # Errors
/// As [`resume`], and as [`Run::objectives`].
pub fn resume_with(
    root: &Path,
    objectives: Objectives,
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<Trained> {
    let (folder, recipe) = AnyRecipe::open_run(root)?;
    observer.resumable(root);
    let environment = environment.continuing(folder.marker());
    let base = folder.base_dir()?;
    check_compute(
        "a run",
        (recipe.precision(), recipe.device()),
        &environment,
        observer,
    )?;
    let (mut task, _) = prepare_any(recipe, &base, &environment, observer)?;
    task.replace_objectives(objectives)?;
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
