//! The training of one student.

use super::{DistillSettings, Distillation};
use crate::Result;
use crate::jobs::environment::JobBackend;
use crate::jobs::recipes::{check_compute, prepare};
use crate::jobs::run_folders::take;
use crate::models::{StudentShape, write_student};
use crate::output::{Claim, Held, RunKind};
use crate::recipe::Recipe;
use crate::tasks::similarity::Similarity;
use crate::training::{RunFolder, TrainingObserver};
use crate::util::Observer;
use std::path::{Path, PathBuf};

type Prepared = (Similarity<JobBackend>, RunFolder);

impl Distillation {
    /// Trains a student, or goes on where that stopped.
    pub(super) fn train(
        &self,
        student: &StudentShape,
        root: &Path,
        held: &Held,
        observer: &mut dyn TrainingObserver,
    ) -> Result<()> {
        observer.note(&format!("student {}", student.label()));
        let (mut task, folder) = match RunFolder::is_taken(root) {
            true => self.reopen(root, observer)?,
            false => self.begin(student, root, held, observer)?,
        };
        // Without graded pairs a calibration's scale would be the teacher's cosine.
        if self.settings.dev.is_none() {
            task.uncalibrated();
        }
        task.execute(&folder, observer)?;
        Ok(())
    }

    fn reopen(&self, root: &Path, observer: &mut dyn Observer) -> Result<Prepared> {
        let (folder, recipe) = Recipe::open_run(root)?;
        check_compute(
            "a student",
            (recipe.precision, recipe.device),
            &self.environment,
            observer,
        )?;
        let (task, _) = prepare(recipe, root, &self.environment, observer)?;
        Ok((task, folder))
    }

    /// Writes the untrained student and its recipe.
    fn begin(
        &self,
        student: &StudentShape,
        root: &Path,
        held: &Held,
        observer: &mut dyn Observer,
    ) -> Result<Prepared> {
        let (settings, environment) = (&self.settings, &self.environment);
        let claim = Claim::check_within(held, root, RunKind::Train)?;
        let folder = RunFolder::new(take(claim, environment, observer)?);
        let start = root.join(DistillSettings::START);
        let same_width = settings.objective.needs_same_width();
        write_student(&start, &self.teacher, student, same_width, settings.seed)?;
        let mut recipe = settings.recipe(student, &self.named_teacher())?;
        let (mut task, mut resolved) = prepare(recipe.clone(), root, environment, observer)?;
        if let (None, Some(minutes)) = (settings.steps, settings.minutes) {
            observer.note("measuring the speed");
            task.estimate_steps()?;
            let stage = &task.plan().stages[0];
            let a_step = stage.seconds.unwrap_or(1.0) / stage.steps as f64;
            let steps = (60.0 * minutes / a_step.max(1e-6)) as u64;
            recipe.stages[0].steps = Some(steps.max(1));
            recipe.stages[0].epochs = None;
            (task, resolved) = prepare(recipe, root, environment, observer)?;
        }
        Ok((task, resolved.begin_in(folder, root)?))
    }

    /// The teacher by its name on the hub, where it has one, for the students'
    /// recipes and cards; else its folder.
    fn named_teacher(&self) -> PathBuf {
        let name = PathBuf::from(&self.settings.teacher);
        let is_folder = self.settings.base_dir.join(&name).is_dir() || name.is_dir();
        match is_folder {
            true => self.teacher.clone(),
            false => name,
        }
    }
}
