//! What a trained model's folder says of the runs behind it.

use super::{RunOverlap, Similarity, TrainingPlan};
use crate::Result;
use crate::format::{Provenance, Selection, TrainingRun};
use crate::training::{RunFolder, State};
use gradus_kernels::Backend;

/// What the best model is the best by.
const SELECTED_BY: &str = "Spearman correlation of the cosines";

impl<B: Backend> Similarity<B> {
    /// The training runs behind the model, this one first.
    pub(crate) fn provenance(&self, state: &State) -> Provenance {
        let selection = match (&self.plan.dev, state.best) {
            (Some(dev), Some(score)) => Some(Selection {
                dev: dev.clone(),
                metric: SELECTED_BY.to_string(),
                score,
                stage: self
                    .plan
                    .stages
                    .get(state.stage)
                    .map_or(String::new(), |stage| stage.name.clone()),
                step: state.best_step,
            }),
            _ => None,
        };
        let mut runs = vec![TrainingRun {
            model: self.plan.model.clone(),
            seed: self.recipe.seed,
            selection,
            overlap: self.plan.overlap.by_set(),
            not_compared: self.plan.overlap.not_compared.clone(),
        }];
        runs.extend(self.earlier.runs.iter().cloned());
        Provenance { runs }
    }
}

/// A run that goes on keeps what it found in the beginning, so that its model card
/// does not depend on the data folder of the day.
pub(crate) fn keep_overlap(plan: &mut TrainingPlan, folder: &RunFolder) -> Result<()> {
    match RunOverlap::read(folder.root()) {
        Some(overlap) => plan.overlap = overlap,
        None => plan.overlap.write(folder.root())?,
    }
    Ok(())
}
