use super::RunOverlap;
use serde::Serialize;

/// What a run will do, worked out before it begins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The model trained.
    pub model: String,
    /// All parameters of the encoder and the modules behind it.
    pub parameters: usize,
    /// What it runs on.
    pub backend: String,
    /// What is selected by, and how often it is scored.
    pub dev: Option<String>,
    /// What the training data shares with evaluation sets.
    pub overlap: RunOverlap,
    /// The stages.
    pub stages: Vec<StagePlan>,
}

/// What a stage will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StagePlan {
    /// Its name.
    pub name: String,
    /// What it minimises.
    pub objective: String,
    /// Whether the encoder is left alone.
    pub encoder_frozen: bool,
    /// What its examples are: pairs, texts or triplets.
    pub unit: String,
    /// Examples after filters.
    pub pairs: usize,
    /// Pairs that label maps skipped.
    pub skipped: usize,
    /// Pairs left out because evaluation sets hold them.
    pub excluded: usize,
    /// Lowest and highest training label.
    pub label_range: (f64, f64),
    /// Pairs per forward pass.
    pub batch: usize,
    /// Pairs per optimizer step.
    pub effective_batch: usize,
    /// Optimizer steps per epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps in all.
    pub steps: u64,
    /// Of which these warm up.
    pub warmup_steps: u64,
    /// The highest learning rate, of the top layer.
    pub peak_rate: f64,
    /// The head's highest learning rate.
    pub head_peak_rate: f64,
    /// The rate at the last step.
    pub final_rate: f64,
    /// Optimizer steps between evaluations.
    pub evaluate_every: Option<u64>,
    /// Tokens of both texts, averaged over pairs.
    pub tokens_per_pair: f64,
    /// Tokens that the stage will process.
    pub tokens: u64,
    /// Measured on a few batches that are not trained on, where asked for.
    pub seconds: Option<f64>,
    /// Parameters, gradients, moments and the activations of one batch.
    pub memory_bytes: u64,
}
