//! A self distillation from its settings to its table: the walk over cycles.

use super::folder::base_of_run;
use super::pairs::transductive;
use super::{Form, SelfDistillSettings, SelfDistillTable};
use crate::jobs::recipes::{base_of, check_compute, read};
use crate::jobs::tables::publish;
use crate::jobs::{Environment, JobError, TestSets};
use crate::output::{Held, RunKind};
use crate::tasks::similarity::RunOverlap;
use crate::training::TrainingObserver;
use crate::util::Observer;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// A self distillation, made ready.
pub struct SelfDistillation {
    pub(super) settings: SelfDistillSettings,
    pub(super) environment: Environment,
    /// Where relative paths of the settings start.
    pub(super) base: PathBuf,
    pub(super) root: PathBuf,
    /// The folders of each model: bi-encoder, and what the cross-encoder is made of.
    pub(super) given: Vec<(PathBuf, PathBuf)>,
    pub(super) tests: TestSets,
    pub(super) recipe: Option<PathBuf>,
    held: Option<Held>,
}

impl SelfDistillation {
    /// Makes one ready by the file `recipe`, with changes `key=value`, in the folder
    /// `root`, by default what the file says, else `runs/` and its name. Nothing is
    /// written.
    ///
    /// # Errors
    /// What is wrong with the file, or with its models.
    pub fn prepare(
        recipe: &Path,
        set: &[String],
        root: Option<PathBuf>,
        tests: TestSets,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut settings = SelfDistillSettings::parse(recipe, &read(recipe)?, set)?;
        let stem = || recipe.file_stem().unwrap_or_default();
        let own = root.or_else(|| settings.output.as_ref().map(PathBuf::from));
        let root = own.unwrap_or_else(|| Path::new("runs").join(stem()));
        let base = std::path::absolute(base_of(recipe)).map_err(Error::io(recipe))?;
        environment.training_backend((&mut settings.precision, &mut settings.device), observer)?;
        let environment = &environment.on(settings.device);
        Self {
            recipe: Some(recipe.to_path_buf()),
            ..Self::ready(settings, base, root, tests, environment.clone(), observer)?
        }
        .checked()
    }

    /// Makes the one in the folder `root` ready to go on.
    ///
    /// # Errors
    /// Where there is none, or another process has it.
    pub fn resume(
        root: &Path,
        tests: TestSets,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let held = Held::open(root, &[RunKind::SelfDistill])?;
        observer.resumable(root);
        let settings = SelfDistillSettings::read(root)?;
        let environment = environment.continuing(held.marker());
        let environment = environment.on(settings.device);
        check_compute(
            "a self distillation",
            (settings.precision, settings.device),
            &environment,
            observer,
        )?;
        let base = base_of_run(root)?;
        let root = root.to_path_buf();
        Ok(Self {
            held: Some(held),
            ..Self::ready(settings, base, root, tests, environment, observer)?
        })
    }

    fn ready(
        settings: SelfDistillSettings,
        base: PathBuf,
        root: PathBuf,
        tests: TestSets,
        environment: Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut find = |name: &str| -> Result<PathBuf> {
            let found = environment.find_from(&base, name, observer)?;
            std::path::absolute(&found).map_err(Error::io(&found))
        };
        let given = settings
            .models
            .iter()
            .map(|pair| Ok((find(&pair.bi_encoder)?, find(pair.plain())?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            settings,
            environment,
            base,
            root,
            given,
            tests,
            recipe: None,
            held: None,
        })
    }

    /// What can be wrong with a model shows before any work.
    fn checked(self) -> Result<Self> {
        for (bi_encoder, _) in &self.given {
            crate::models::ModelFolder::open(bi_encoder).map_err(JobError::model)?;
        }
        Ok(self)
    }

    /// What is done, how.
    pub fn settings(&self) -> &SelfDistillSettings {
        &self.settings
    }

    /// The run's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Goes through the cycles, from where they are, and writes the table. What is in
    /// the folder goes on, or is begun anew with `overwrite`.
    ///
    /// # Errors
    /// Where something else is in the folder, or pairs or models cannot be used; those
    /// of training.
    pub fn run(
        mut self,
        overwrite: bool,
        observer: &mut dyn TrainingObserver,
    ) -> Result<SelfDistillTable> {
        let mut held = match self.held.take() {
            Some(held) => held,
            None => self.begin(overwrite, observer)?,
        };
        held.check_inputs(&self.inputs())?;
        observer.resumable(&self.root);
        let pairs = self.pairs(observer)?;
        let overlap = RunOverlap::read(&self.root);
        let setting = overlap.as_ref().and_then(transductive);
        if let Some(line) = &setting {
            observer.warn(line);
            self.settings.description = match self.settings.description.as_str() {
                "" => format!("Self distillation, {line}."),
                own => format!("{own} ({line})."),
            };
        }
        for cycle in 1..=self.settings.cycles {
            for form in [Form::CrossEncoder, Form::BiEncoder] {
                let labels = self.label(cycle, form, &pairs, observer)?;
                for model in 0..self.given.len() {
                    self.train(cycle, form, model, &labels, &held, observer)?;
                }
            }
        }
        let table = self.table(overlap.as_ref(), setting, &held, observer)?;
        publish(&self.root, &table, &table.markdown())?;
        Ok(table)
    }
}
