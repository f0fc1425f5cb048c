//! How a stage steps, whatever is trained.

use super::bounds::within;
use super::{CrossEncoderStage, Stage};
use crate::training::{AdamW, Schedule, ScheduleKind};

/// Reads the pace off types that have its keys. Each has them itself: a type into which
/// another is flattened cannot refuse unknown keys.
macro_rules! paced {
    ($($stage:ty),+) => {$(
        impl $stage {
            /// How it steps.
            pub(crate) fn pace(&self) -> StagePace<'_> {
                StagePace {
                    epochs: self.epochs,
                    steps: self.steps,
                    batch: self.batch,
                    accumulate: self.accumulate,
                    chunk_tokens: self.chunk_tokens,
                    learning_rate: self.learning_rate,
                    schedule: self.schedule,
                    warmup: self.warmup,
                    weight_decay: self.weight_decay,
                    layer_decay: self.layer_decay,
                    clip: self.clip,
                    dropout: self.dropout,
                    adamw: &self.adamw,
                }
            }
        }
    )+};
}

paced!(Stage, CrossEncoderStage);

/// The settings of a stage that say how it steps, whatever is trained.
pub(crate) struct StagePace<'a> {
    pub epochs: Option<f64>,
    pub steps: Option<u64>,
    pub batch: usize,
    pub accumulate: usize,
    pub chunk_tokens: Option<usize>,
    pub learning_rate: f64,
    pub schedule: ScheduleKind,
    pub warmup: f64,
    pub weight_decay: f64,
    pub layer_decay: f64,
    pub clip: Option<f64>,
    pub dropout: Option<f32>,
    pub adamw: &'a AdamW,
}

/// How many steps a stage has.
pub(crate) struct StageSteps {
    pub per_epoch: u64,
    pub steps: u64,
    pub warmup: u64,
    pub schedule: Schedule,
}

impl StagePace<'_> {
    pub fn check(&self) -> Result<(), String> {
        within("learning_rate", self.learning_rate, f64::MIN_POSITIVE, 10.0)?;
        within("warmup", self.warmup, 0.0, 1.0)?;
        within("weight_decay", self.weight_decay, 0.0, 1.0)?;
        within("layer_decay", self.layer_decay, 0.01, 1.0)?;
        within("clip", self.clip.unwrap_or(1.0), f64::MIN_POSITIVE, 1e9)?;
        within("dropout", f64::from(self.dropout.unwrap_or(0.0)), 0.0, 0.99)?;
        within("batch", self.batch as f64, 1.0, 65536.0)?;
        let chunk = self.chunk_tokens.unwrap_or(1);
        within("chunk_tokens", chunk as f64, 1.0, 1e12)?;
        within("accumulate", self.accumulate as f64, 1.0, 65536.0)?;
        within("adamw.beta1", self.adamw.beta1, 0.0, 0.999_999)?;
        within("adamw.beta2", self.adamw.beta2, 0.0, 0.999_999_9)?;
        within("adamw.eps", self.adamw.eps, 0.0, 1.0)?;
        match (self.epochs, self.steps) {
            (Some(_), Some(_)) => Err("give `epochs` or `steps`, not both".into()),
            (None, None) => Err("give `epochs` or `steps`".into()),
            (Some(epochs), None) => within("epochs", epochs, 1e-6, 1e6),
            (None, Some(steps)) => within("steps", steps as f64, 1.0, 1e12),
        }
    }

    /// The steps over so many examples.
    pub fn steps_over(&self, examples: usize) -> StageSteps {
        let per_epoch = examples.div_ceil(self.batch * self.accumulate) as u64;
        let of_epochs = |epochs: f64| (epochs * per_epoch as f64).ceil().max(1.0) as u64;
        let steps = self
            .steps
            .unwrap_or_else(|| of_epochs(self.epochs.unwrap_or(1.0)));
        let warmup = (self.warmup * steps as f64).round() as u64;
        StageSteps {
            per_epoch,
            steps,
            warmup,
            schedule: Schedule::new(self.schedule, warmup, steps),
        }
    }
}
