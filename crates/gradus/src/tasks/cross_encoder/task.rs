//! Cross-encoders as the engine trains them.

use super::dev::CrossDevSet;
use super::gradients;
use super::stage::Prepared;
use crate::Result;
use crate::calibration::Calibration;
use crate::format::{Provenance, Selection, TrainingRun};
use crate::models::CrossEncoder;
use crate::recipe::CrossEncoderRecipe;
use crate::tasks::similarity::{TrainingPlan, keep_overlap};
use crate::training::{
    self, Details, ENCODER, Evaluation, Identity, Moment, Network, Networks, Pace, ParamSet,
    ParamSets, RunDescription, RunFolder, RunInputs, StageOutline, State, StepLoss, Summary, Task,
    TrainingObserver, seconds_per_step,
};
use crate::util::Observer;
use crate::util::machine::free_memory;
use gradus_kernels::Backend;
use std::sync::Arc;

/// A cross-encoder and the recipe that it is trained by, made ready.
pub struct CrossEncoding<B: Backend> {
    pub(super) recipe: CrossEncoderRecipe,
    pub(super) model: CrossEncoder<B>,
    pub(super) stages: Vec<Prepared>,
    pub(super) outlines: Vec<StageOutline>,
    pub(super) dev: Option<CrossDevSet>,
    pub(super) plan: TrainingPlan,
    pub(super) fingerprint: String,
    /// What else its numbers depend on.
    pub(super) inputs: RunInputs,
    /// Whether the model is calibrated on the dev set in the end.
    pub(super) calibrated: bool,
    /// The training runs behind the model that this one begins with.
    pub(super) earlier: Provenance,
    /// The order of the epoch under way.
    pub(super) order: Option<(u64, Vec<u32>)>,
}

impl<B: Backend> CrossEncoding<B> {
    /// What the run will do.
    pub fn plan(&self) -> &TrainingPlan {
        &self.plan
    }

    /// The model in its current state.
    pub fn model(&self) -> &CrossEncoder<B> {
        &self.model
    }

    /// Leaves no calibration with the model.
    pub fn uncalibrated(&mut self) {
        self.calibrated = false;
    }

    /// Carries the run out, from its latest checkpoint if there is one.
    ///
    /// # Errors
    /// As [`train`](training::train).
    pub fn execute(
        &mut self,
        folder: &RunFolder,
        observer: &mut dyn TrainingObserver,
    ) -> Result<Summary> {
        keep_overlap(&mut self.plan, folder)?;
        observer.note(self.plan.describe().trim_end());
        training::train(self, folder, observer)
    }

    /// Puts into the plan how long the stages take.
    ///
    /// # Errors
    /// As [`seconds_per_step`].
    pub fn estimate(&mut self) -> Result<()> {
        for s in 0..self.stages.len() {
            if self.plan.stages[s].memory_bytes > free_memory().unwrap_or(u64::MAX) {
                continue;
            }
            let a_step = seconds_per_step(self, s)?;
            let plan = &mut self.plan.stages[s];
            plan.seconds = Some(a_step * plan.steps as f64);
        }
        Ok(())
    }

    /// The training runs behind the model, this one first.
    fn provenance(&self, state: &State) -> Provenance {
        let stage = self.plan.stages.get(state.stage);
        let selection = self.plan.dev.as_ref().zip(state.best);
        let selection = selection.map(|(dev, score)| Selection {
            dev: dev.clone(),
            metric: format!("{} of the scores", self.plan.metric.in_full()),
            score,
            stage: stage.map_or(String::new(), |stage| stage.name.clone()),
            step: state.best_step,
        });
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

impl<B: Backend> Networks<B> for CrossEncoding<B> {
    fn network(&self, name: &str) -> Option<&dyn Network<B>> {
        (name == ENCODER).then_some(&self.model)
    }

    fn network_mut(&mut self, name: &str) -> Option<&mut dyn Network<B>> {
        (name == ENCODER).then_some(&mut self.model)
    }
}

impl<B: Backend> Task<B> for CrossEncoding<B> {
    fn backend(&self) -> Arc<B> {
        self.model.shared_backend()
    }

    fn stages(&self) -> &[StageOutline] {
        &self.outlines
    }

    fn pace(&self) -> Pace {
        Pace {
            log_every: self.recipe.log_every,
            checkpoint_seconds: self.recipe.checkpoint_seconds,
            checkpoint_steps: self.recipe.checkpoint_steps,
            patience: self.recipe.evaluation.patience,
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            fingerprint: self.fingerprint.clone(),
            changed: "the training data changed since this run began; restore it",
            inputs: self.inputs.clone(),
        }
    }

    fn describe(&self) -> RunDescription {
        RunDescription {
            backend: self.plan.backend.clone(),
            parameters: self.plan.parameters,
            stages: self.plan.stages.iter().map(|s| s.record()).collect(),
        }
    }

    fn param_sets(&mut self, s: usize) -> Result<ParamSets<B>> {
        self.order = None;
        let backend = self.model.shared_backend();
        let Some(stage) = self.stages.get(s) else {
            let model = ParamSet::frozen(ENCODER, &*backend);
            return Ok(ParamSets::new(Default::default(), None, vec![model]));
        };
        let set = ParamSet::of_network(
            ENCODER,
            &*backend,
            (self.model.gradient_arena(), self.model.layout().len()),
            stage.groups.clone(),
            stage.settings.learning_rate,
        );
        let (adamw, clip) = (stage.settings.adamw, stage.settings.clip);
        Ok(ParamSets::new(adamw, clip, vec![set]))
    }

    fn begin_stage(&mut self, s: usize, _observer: &mut dyn Observer) -> Result<()> {
        match self.stages[s].settings.dropout {
            Some(p) => self.model.set_dropout(p, p),
            None => self.model.reset_dropout(),
        }
        Ok(())
    }

    fn gradients(&mut self, at: Moment, sets: &mut ParamSets<B>) -> Result<StepLoss> {
        let stage = &self.stages[at.stage];
        let (seed, order) = (self.recipe.seed, &mut self.order);
        let examples = stage.examples(seed, at.stage, at.step, order);
        let [encoder] = sets.each_mut([ENCODER]);
        let Some(grads) = encoder.and_then(|set| set.gradients_mut()) else {
            return Ok(StepLoss::default());
        };
        let loss = gradients::step(stage, &examples, &self.model, (seed, at), grads);
        let rows = |&example: &u32| {
            let example = example as usize;
            stage.lists[example + 1] - stage.lists[example]
        };
        Ok(StepLoss {
            loss,
            units: examples.iter().map(rows).sum(),
            details: Details::default(),
        })
    }

    fn evaluate(&mut self, at: Moment, _sets: &ParamSets<B>) -> Result<Option<Evaluation>> {
        let Some(dev) = &self.dev else {
            return Ok(None);
        };
        let outline = &self.outlines[at.stage];
        Ok(Some(dev.evaluate(&self.model, &outline.name, at.step)))
    }

    fn save(
        &mut self,
        _sets: &ParamSets<B>,
        state: &State,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let card = super::card::card(&self.recipe, &self.plan, state);
        let provenance = self.provenance(state);
        let warn = &mut |message: &str| observer.warn(message);
        let save = |owner: &str, target: &std::path::Path| {
            self.model.save_as(Some(owner), target, &card, &provenance)
        };
        folder.save_by(save, warn)
    }

    fn reload(&mut self, _sets: &mut ParamSets<B>, folder: &RunFolder) -> Result<()> {
        self.model.reload(&folder.model())
    }

    /// Leaves a calibration with the model, fitted on a dev set of pairs: lists say
    /// how relevant a document is among others, which is no grade.
    fn finish(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<()> {
        let model = folder.model();
        let Some(dev) = &self.dev else { return Ok(()) };
        if !self.calibrated || dev.is_of_lists() || Calibration::path(&model).exists() {
            return Ok(());
        }
        self.model.reload(&model)?;
        match dev.calibrate(&self.model) {
            Ok(calibration) => {
                calibration.save(&model)?;
                observer.note(&format!("calibrated: {}", calibration.describe()));
            }
            Err(why) => observer.warn(&format!("the model is not calibrated: {why}")),
        }
        Ok(())
    }

    fn zero_gradient_advice(&self) -> &'static str {
        "every pair already lies where its loss is 0, or no list holds documents that differ in their labels; look at the objective's settings and at the data"
    }
}
