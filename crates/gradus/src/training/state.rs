use super::{Identity, RunInputs};
use serde::{Deserialize, Serialize};

/// A run's counters at a checkpoint. Orders, dropout masks and rates are
/// functions of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct State {
    /// The stage under way.
    pub stage: usize,
    /// Optimizer steps done in it.
    pub step: u64,
    /// The best dev score (Spearman, or NDCG@10 of lists) in this stage so far.
    pub best: Option<f64>,
    /// The step it was reached at.
    pub best_step: u64,
    /// Evaluations since.
    pub stale: u32,
    /// The dev score before the first stage.
    pub initial: Option<f64>,
    /// The dev score before the stage under way.
    #[serde(default)]
    pub stage_initial: Option<f64>,
    /// Steps of it whose gradient was exactly zero.
    #[serde(default)]
    pub zero_steps: u64,
    /// Length of `metrics.jsonl`.
    pub metrics_len: u64,
    /// Length of the events for TensorBoard; 0 where none were written.
    #[serde(default)]
    pub events_len: u64,
    /// Ties the checkpoint to the recipe's data.
    pub fingerprint: String,
    /// Ties it to all else that the run reads.
    #[serde(default)]
    pub inputs: RunInputs,
}

impl State {
    /// Before the first step.
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            fingerprint: identity.fingerprint,
            inputs: identity.inputs,
            ..Self::default()
        }
    }

    /// At the beginning of the stage behind this one.
    pub(crate) fn next_stage(&self) -> Self {
        Self {
            stage: self.stage + 1,
            initial: self.initial,
            fingerprint: self.fingerprint.clone(),
            inputs: self.inputs.clone(),
            ..Self::default()
        }
    }
}
