use serde::Serialize;

/// What a run will do, worked out before it begins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The model it goes on from; `None` for a fresh one.
    pub from: Option<String>,
    /// All parameters, those of the head that tells masked tokens included.
    pub parameters: usize,
    /// Pieces of the vocabulary.
    pub vocabulary: usize,
    /// Whether that head begins anew.
    pub fresh_head: bool,
    /// What it runs on.
    pub backend: String,
    /// Texts to train on.
    pub texts: usize,
    /// Texts held out.
    pub held_out: usize,
    /// Texts that were cut.
    pub shortened: usize,
    /// Texts that are mostly unknown to the vocabulary.
    pub unknown: usize,
    /// Tokens of an epoch.
    pub tokens: usize,
    /// Optimizer steps per epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps in all.
    pub steps: u64,
    /// Of which these warm up.
    pub warmup_steps: u64,
    /// The highest learning rate.
    pub peak_rate: f64,
    /// The share of the tokens to be told.
    pub mask_rate: f64,
    /// Whether words are masked as a whole.
    pub whole_words: bool,
    /// Steps between evaluations.
    pub evaluate_every: u64,
    /// Seconds that the run will take, where that was measured.
    pub seconds: Option<f64>,
}

/// One optimizer step, as it is reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// The step, from 1.
    pub step: u64,
    /// Steps in all.
    #[serde(skip)]
    pub steps: u64,
    /// The mean cross-entropy of the step's masked tokens, before its update.
    pub loss: f64,
    /// The share of them that were told right.
    pub masked_accuracy: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// The norm of all gradients before clipping.
    pub gradient_norm: f64,
    /// Tokens per second since this process began or went on.
    pub tokens_per_second: f64,
    /// Seconds that are left at this speed.
    #[serde(skip)]
    pub seconds_left: f64,
}

/// How well masked tokens of texts held out are told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldOut {
    /// Optimizer steps done.
    pub step: u64,
    /// The mean cross-entropy in nats.
    pub loss: f64,
    /// The share of masked tokens told right.
    pub masked_accuracy: f64,
    /// How many were masked: the same ones every time.
    pub masked: usize,
}

/// Is told what a run does. Every method does nothing by default.
pub trait Observer {
    /// The run begins, or goes on at a step.
    fn begin(&mut self, _plan: &Plan, _step: u64) {}
    /// Something is under way that takes a while.
    fn note(&mut self, _message: &str) {}
    /// Something is amiss, but the run goes on.
    fn warn(&mut self, _message: &str) {}
    /// A step was taken.
    fn step(&mut self, _report: &StepReport) {}
    /// The texts held out were scored.
    fn evaluated(&mut self, _held_out: &HeldOut) {}
    /// The run is over.
    fn end(&mut self) {}
    /// Whether the run is to stop. It is asked after every step, which is then
    /// followed by a checkpoint; the run ends with
    /// [`TrainError::Stopped`](crate::training::TrainError::Stopped).
    fn cancelled(&self) -> bool {
        false
    }
}

/// Tells nobody.
pub struct Silent;

impl Observer for Silent {}
