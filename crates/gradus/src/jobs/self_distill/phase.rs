//! One form of one model, trained in one cycle.

use super::{Form, SelfDistillation};
use crate::jobs::pairing::files;
use crate::jobs::recipes::prepare_any;
use crate::jobs::run_folders::take;
use crate::output::{Claim, Held, RunKind};
use crate::recipe::AnyRecipe;
use crate::training::{RunFolder, RunRecord, TrainingObserver};
use crate::{Error, Result};
use std::path::Path;

impl SelfDistillation {
    /// Trains a model's form, or goes on where that stopped.
    pub(super) fn train(
        &self,
        cycle: usize,
        form: Form,
        model: usize,
        labels: &Path,
        held: &Held,
        observer: &mut dyn TrainingObserver,
    ) -> Result<()> {
        let root = self.folder(cycle, form, model);
        if is_finished(&root) {
            return Ok(());
        }
        observer.note(&format!("cycle {cycle}: {}", self.numbered(form, model)));
        let (folder, recipe) = match RunFolder::is_taken(&root) {
            true => AnyRecipe::open_run(&root)?,
            false => {
                let claim = Claim::check_within(held, &root, RunKind::Train)?;
                let folder = RunFolder::new(take(claim, &self.environment, observer)?);
                let labels = std::path::absolute(labels).map_err(Error::io(labels))?;
                let labels = files::source(&labels);
                let recipe: AnyRecipe = match form {
                    Form::CrossEncoder => self.settings.cross_recipe(model, labels).into(),
                    Form::BiEncoder => self.settings.bi_recipe(model, labels).into(),
                };
                (recipe.begin_in(folder, &self.base)?, recipe)
            }
        };
        let (mut task, _) = prepare_any(recipe, &self.base, &self.environment, observer)?;
        task.execute(&folder, observer)?;
        folder.remove_checkpoints()
    }
}

/// Whether the run in `folder` came to its end.
fn is_finished(folder: &Path) -> bool {
    let record = RunRecord::read(folder).ok().flatten();
    record.is_some_and(|record| record.finished) && folder.join("model").is_dir()
}
