use crate::util::{Observer, Silent};
use serde_json::{Map, Value};

/// A stage as it begins or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageStart<'a> {
    /// Its place.
    pub index: usize,
    /// Its name.
    pub name: &'a str,
    /// Steps done in it.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
}

/// One optimizer step, as it is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The stage's place.
    pub stage: usize,
    /// The step in the stage, from 1.
    pub step: u64,
    /// The stage's number of steps.
    pub steps: u64,
    /// The mean loss of the step's examples, before its update.
    pub loss: f64,
    /// The norm of all gradients before clipping.
    pub gradient_norm: f64,
    /// The highest learning rate of all that is trained.
    pub learning_rate: f64,
    /// What speed is counted in: pairs or tokens.
    pub unit: &'static str,
    /// So many of them a second since the stage began or went on.
    pub per_second: f64,
    /// Seconds that the rest of the stage takes at this speed.
    pub seconds_left: f64,
    /// What else the task measured.
    pub details: Details,
}

/// What a task has to say beyond the numbers that all have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// In a few words; empty for nothing.
    pub words: String,
    /// For `metrics.jsonl`.
    pub fields: Map<String, Value>,
}

/// The scores of a model at one point of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The stage's name.
    pub stage: String,
    /// The optimizer step in the stage; 0 is before the first.
    pub step: u64,
    /// What models are chosen by, the higher the better; `None` where nothing is
    /// chosen or the score does not exist.
    pub score: Option<f64>,
    /// The scores in words, and all of them as fields.
    pub details: Details,
    /// What is amiss with them.
    pub warnings: Vec<String>,
}

/// How a score compares with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The stage's best so far, and no worse than before the stage and the run.
    Best,
    /// The highest of the stage's steps so far, but below the score at step 0.
    BelowStart,
    /// Neither, or nothing is selected here.
    Other,
}

/// Hears what a training run does. Every method does nothing by default.
pub trait TrainingObserver: Observer {
    /// A stage begins, or goes on.
    fn stage(&mut self, _stage: StageStart<'_>) {}
    /// A step was taken.
    fn step(&mut self, _report: &StepReport) {}
    /// The model was scored.
    fn evaluated(&mut self, _evaluation: &Evaluation, _standing: Standing) {}
    /// The run is over.
    fn end(&mut self) {}
}

impl TrainingObserver for Silent {}
