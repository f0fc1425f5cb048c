use crate::tasks::diffcse::DifferenceReport;
use crate::tasks::similarity::{DevEvaluation, Plan};

/// One optimizer step, as it is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The stage's place.
    pub stage: usize,
    /// The step in the stage, from 1.
    pub step: u64,
    /// The stage's number of steps.
    pub steps: u64,
    /// The mean loss of the step's pairs, before its update.
    pub loss: f64,
    /// The norm of all gradients before clipping.
    pub gradient_norm: f64,
    /// The base learning rate.
    pub learning_rate: f64,
    /// Pairs in this step.
    pub pairs: usize,
    /// Pairs per second since the stage began or went on.
    pub pairs_per_second: f64,
    /// What the stage's difference prediction made of the step's texts.
    pub difference: Option<DifferenceReport>,
}

/// How a dev score compares with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The stage's best so far, and no worse than before the stage and the run.
    Best,
    /// The highest of the stage's steps so far, but below the score at step 0.
    BelowStart,
    /// Neither, or nothing is selected here.
    Other,
}

/// Is told what a run does. Every method does nothing by default.
pub trait Observer {
    /// The run begins, or goes on from a checkpoint.
    fn begin(&mut self, _plan: &Plan) {}
    /// A stage begins or goes on at `step`.
    fn stage(&mut self, _index: usize, _step: u64) {}
    /// Something is under way that takes a while.
    fn note(&mut self, _message: &str) {}
    /// So much is done of something that takes a while, such as texts encoded; `0`
    /// of `total` as it begins, `total` as it ends.
    fn progress(&mut self, _what: &str, _done: u64, _total: u64) {}
    /// Something is amiss, but the run goes on.
    fn warn(&mut self, _message: &str) {}
    /// A step was taken.
    fn step(&mut self, _report: &StepReport) {}
    /// The dev set was scored.
    fn evaluated(&mut self, _evaluation: &DevEvaluation, _standing: Standing) {}
    /// The run or stage is over.
    fn end(&mut self) {}
    /// Whether the run is to stop. It is asked after every step, which is then
    /// followed by a checkpoint, and now and then in long work before the first;
    /// the run ends with [`TrainError::Stopped`](super::TrainError::Stopped).
    fn cancelled(&self) -> bool {
        false
    }
}

/// Ends what is under way, described by `what`, if that is wished for.
pub(crate) fn check_cancelled(observer: &dyn Observer, what: &str) -> crate::Result<()> {
    match observer.cancelled() {
        true => Err(super::TrainError::Stopped(format!("while {what}")).into()),
        false => Ok(()),
    }
}

/// Tells nobody.
pub struct Silent;

impl Observer for Silent {}
