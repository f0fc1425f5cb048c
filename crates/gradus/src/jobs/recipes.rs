//! Recipe files, and their tasks on this machine.

use super::environment::JobBackend;
use super::train::Objectives;
use super::{Environment, JobError};
use crate::recipe::{AnyRecipe, Recipe};
use crate::tasks::cross_encoder::CrossEncoding;
use crate::tasks::similarity::{RunOptions, Similarity, TrainingPlan};
use crate::training::{RunFolder, Summary, TrainingObserver};
use crate::util::Observer;
use crate::{Device, Error, Precision, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A recipe's text.
pub(super) fn read(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path));
    text.map_err(JobError::input)
}

/// Where the relative paths of a recipe start: in its folder.
pub(super) fn base_of(recipe: &Path) -> &Path {
    match recipe.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The task of a recipe of some kind.
pub(super) enum AnyTask {
    Similarity(Box<Similarity<JobBackend>>),
    CrossEncoding(Box<CrossEncoding<JobBackend>>),
}

impl AnyTask {
    pub fn plan(&self) -> &TrainingPlan {
        match self {
            Self::Similarity(task) => task.plan(),
            Self::CrossEncoding(task) => task.plan(),
        }
    }

    /// Puts into the plan how long the stages take.
    pub fn estimate(&mut self) -> Result<()> {
        match self {
            Self::Similarity(task) => task.estimate(),
            Self::CrossEncoding(task) => task.estimate(),
        }
    }

    /// The same of what is encoded once, where that is much.
    pub fn estimate_encoding(&mut self) -> Result<()> {
        match self {
            Self::Similarity(task) if task.encodes_many() => task.estimate_encoding(),
            _ => Ok(()),
        }
    }

    /// Puts the caller's own objectives in the place of the recipe's.
    pub fn replace_objectives(&mut self, objectives: Objectives) -> Result<()> {
        for (stage, objective) in objectives {
            match self {
                Self::Similarity(task) => task.replace_objective(&stage, objective)?,
                Self::CrossEncoding(_) => {
                    let why = "an objective of vectors is for recipes of sentence encoders, and this one trains a cross-encoder; leave it out";
                    return Err(JobError::Settings(format!("stage `{stage}`: {why}")).into());
                }
            }
        }
        Ok(())
    }

    pub fn execute(
        &mut self,
        folder: &RunFolder,
        observer: &mut dyn TrainingObserver,
    ) -> Result<Summary> {
        match self {
            Self::Similarity(task) => task.execute(folder, observer),
            Self::CrossEncoding(task) => task.execute(folder, observer),
        }
    }
}

/// The task of a recipe of either kind; as [`prepare`].
pub(super) fn prepare_any(
    recipe: AnyRecipe,
    base: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<(AnyTask, AnyRecipe)> {
    match recipe {
        AnyRecipe::Similarity(recipe) => {
            let (task, recipe) = prepare(*recipe, base, environment, observer)?;
            Ok((AnyTask::Similarity(Box::new(task)), recipe.into()))
        }
        AnyRecipe::CrossEncoder(mut recipe) => {
            let model = environment.find_from(base, &recipe.model, observer)?;
            let options = RunOptions {
                base_dir: base.to_path_buf(),
                data_root: environment.data.clone(),
                teachers: BTreeMap::new(),
            };
            let backend = environment
                .training_backend((&mut recipe.precision, &mut recipe.device), observer)?;
            let task =
                CrossEncoding::prepare((*recipe).clone(), &model, backend, &options, observer)?;
            let task = AnyTask::CrossEncoding(Box::new(task));
            Ok((task, AnyRecipe::CrossEncoder(recipe)))
        }
    }
}

/// The task of a recipe whose relative paths start in `base`, and the recipe with
/// the precision that it got.
pub(super) fn prepare(
    recipe: Recipe,
    base: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<(Similarity<JobBackend>, Recipe)> {
    let model = environment.find_from(base, &recipe.model, observer)?;
    prepare_on(recipe, &model, base, environment, observer)
}

/// The same on a model that was found.
pub(super) fn prepare_on(
    mut recipe: Recipe,
    model: &Path,
    base: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<(Similarity<JobBackend>, Recipe)> {
    let mut teachers: BTreeMap<String, PathBuf> = BTreeMap::new();
    for name in recipe.stages.iter().flat_map(|s| s.auxiliary_models()) {
        let folder = environment.find_from(base, name, observer)?;
        teachers.insert(name.to_owned(), folder);
    }
    let options = RunOptions {
        base_dir: base.to_path_buf(),
        data_root: environment.data.clone(),
        teachers,
    };
    let backend =
        environment.training_backend((&mut recipe.precision, &mut recipe.device), observer)?;
    let task = Similarity::prepare(recipe.clone(), model, backend, &options, observer)?;
    Ok((task, recipe))
}

/// Refuses to go on with a run in another precision than it began in; notes where it goes
/// on on another device.
pub(super) fn check_compute(
    what: &'static str,
    (precision, device): (Precision, Device),
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<()> {
    if environment.precision.is_some_and(|own| own != precision) {
        return Err(JobError::OtherPrecision(what).into());
    }
    let own = environment.device;
    if own != Device::Auto && device != Device::Auto && own != device {
        observer.note(&format!(
            "note: this began on {device} and goes on on {own}; from here on its bits are those of {own}"
        ));
    }
    Ok(())
}
