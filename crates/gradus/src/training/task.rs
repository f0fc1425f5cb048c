//! What can be trained, as the loop sees it.

use super::{
    Details, Evaluation, Networks, ParamSets, RunFolder, RunInputs, Schedule, StageRecord, State,
};
use crate::Result;
use crate::util::Observer;
use gradus_kernels::Backend;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A point of a run: steps are counted from 0 in each stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The stage's place.
    pub stage: usize,
    /// Steps done in it.
    pub step: u64,
}

/// The loss of a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepLoss {
    /// The mean over the step's examples.
    pub loss: f64,
    /// How many units the step had, such as pairs or tokens.
    pub units: usize,
    /// What else was measured.
    pub details: Details,
}

/// How long a stage is and how it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct StageOutline {
    /// Its name.
    pub name: String,
    /// Optimizer steps.
    pub steps: u64,
    /// Steps of a pass over its examples.
    pub steps_per_epoch: u64,
    /// The factor on all rates, step by step.
    pub schedule: Schedule,
    /// Steps between evaluations; `None` for one at its end.
    pub evaluate_every: Option<u64>,
    /// What its best model is chosen by; `None` where its last is taken.
    pub selected_by: Option<String>,
    /// Whether the next stage begins with its best model rather than its last.
    pub next_from_best: bool,
    /// What speed is counted in.
    pub unit: &'static str,
}

/// How often the loop writes, and when it ends early.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Steps between lines in `metrics.jsonl`.
    pub log_every: u64,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: u64,
    /// Steps between checkpoints, in addition.
    pub checkpoint_steps: Option<u64>,
    /// Evaluations without a new best after which a stage ends.
    pub patience: Option<u32>,
}

/// What a run's numbers depend on. A checkpoint is for one identity alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// A hash of the training data.
    pub fingerprint: String,
    /// What an error says where it is another: `the training data changed since this
    /// run began; restore it`.
    pub changed: &'static str,
    /// What else is read.
    pub inputs: RunInputs,
}

/// What `run.json` says of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDescription {
    /// What it runs on.
    pub backend: String,
    /// How many parameters the model has.
    pub parameters: usize,
    /// The stages.
    pub stages: Vec<StageRecord>,
}

/// Named values that a task adds to checkpoints.
pub type Tensors = BTreeMap<String, Vec<f32>>;

/// Something to be trained, stage by stage. The loop ([`train`](super::train)) does
/// all that tasks share: steps, rates, log, evaluation, selection, checkpoints.
///
/// All that is random must be a function of seed and [`Moment`], so that a run that
/// goes on from a checkpoint has the bits of one that was never stopped.
pub trait Task<B: Backend>: Networks<B> {
    /// What it runs on.
    fn backend(&self) -> Arc<B>;

    /// The stages, in order.
    fn stages(&self) -> &[StageOutline];

    /// How often the loop writes.
    fn pace(&self) -> Pace;

    /// What the run's numbers depend on.
    fn identity(&self) -> Identity;

    /// What the run is.
    fn describe(&self) -> RunDescription;

    /// The sets of a stage with fresh moments; of the stage behind the last one,
    /// those of the trained model.
    ///
    /// # Errors
    /// Where a network cannot be loaded.
    fn param_sets(&mut self, stage: usize) -> Result<ParamSets<B>>;

    /// Does what comes once before the steps of a stage that begins or goes on.
    ///
    /// # Errors
    /// The task's own.
    fn begin_stage(&mut self, _stage: usize, _observer: &mut dyn Observer) -> Result<()> {
        Ok(())
    }

    /// The loss of a step. Adds its gradients to those of `sets`, which are zero.
    ///
    /// # Errors
    /// The task's own.
    fn gradients(&mut self, at: Moment, sets: &mut ParamSets<B>) -> Result<StepLoss>;

    /// Is called behind each update, as for moving averages.
    ///
    /// # Errors
    /// The task's own.
    fn after_step(&mut self, _at: Moment, _sets: &mut ParamSets<B>) -> Result<()> {
        Ok(())
    }

    /// What steps depend on beyond sets of parameters and counters, such as a store of
    /// earlier steps' vectors. Checkpoints hold it.
    fn tensors(&self) -> Tensors {
        Tensors::new()
    }

    /// Takes it back from a checkpoint of a moment, when the sets of the stage have
    /// their values, before the stage goes on. `false` where it does not fit.
    fn restore(&mut self, _at: Moment, tensors: Tensors) -> bool {
        tensors.is_empty()
    }

    /// Scores the model; `None` where there is nothing to score it by.
    ///
    /// # Errors
    /// The task's own.
    fn evaluate(&mut self, at: Moment, sets: &ParamSets<B>) -> Result<Option<Evaluation>>;

    /// Writes the model of this moment into the run's folder.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    fn save(
        &mut self,
        sets: &ParamSets<B>,
        state: &State,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<()>;

    /// Takes the saved model's values back, for the stage that follows.
    ///
    /// # Errors
    /// As loading a model.
    fn reload(&mut self, _sets: &mut ParamSets<B>, _folder: &RunFolder) -> Result<()> {
        Ok(())
    }

    /// Is called once all stages are over, also where a run that was over before is
    /// resumed.
    ///
    /// # Errors
    /// The task's own.
    fn finish(&mut self, _folder: &RunFolder, _observer: &mut dyn Observer) -> Result<()> {
        Ok(())
    }

    /// Why gradients may be exactly zero, and what to do.
    fn zero_gradient_advice(&self) -> &'static str;
}
