use crate::data::Source;
use crate::losses::{ScoreLossSettings, ScoreTrainingSet};
use crate::recipe::stages::some_sources;
use crate::recipe::{NextFrom, defaults};
use crate::training::{AdamW, ScheduleKind};
use serde::{Deserialize, Serialize};

/// One stage of such a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossEncoderStage {
    /// Its name in logs.
    pub name: String,
    /// Where its pairs, or lists, come from.
    pub train: Vec<Source>,
    /// What it minimises.
    pub objective: ScoreLossSettings,
    /// Whether each pair is also learned with its texts swapped, as an example of its
    /// own (Trans-Encoder; Liu et al. 2022).
    #[serde(default, skip_serializing_if = "defaults::is_false")]
    pub both_orders: bool,
    /// Passes over the data; give this or `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Optimizer steps; give this or `epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Pairs, or lists, per forward and backward pass.
    #[serde(default = "default_batch")]
    pub batch: usize,
    /// The most tokens of a forward and backward pass. A batch of more is run in
    /// chunks, twice, so that memory does not grow with it; default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_tokens: Option<usize>,
    /// Batches whose gradients are averaged for one optimizer step.
    #[serde(default = "defaults::one")]
    pub accumulate: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// How the rate moves after warm-up.
    #[serde(default)]
    pub schedule: ScheduleKind,
    /// Share of the steps that warm up.
    #[serde(default)]
    pub warmup: f64,
    /// Decoupled weight decay; spares biases and layer norms.
    #[serde(default = "defaults::weight_decay")]
    pub weight_decay: f64,
    /// Each layer's rate is this times that of the layer above.
    #[serde(default = "defaults::one_f64")]
    pub layer_decay: f64,
    /// Largest norm of all gradients together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Dropout probability; default: the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
    /// Whether each epoch has an order of its own.
    #[serde(default = "defaults::yes")]
    pub shuffle: bool,
    /// Which model the next stage starts from.
    #[serde(default)]
    pub next_from: NextFrom,
    /// The optimizer's constants.
    #[serde(default)]
    pub adamw: AdamW,
}

fn default_batch() -> usize {
    32
}

impl CrossEncoderStage {
    /// A stage of one epoch in batches of 32 at a learning rate of 2e-5. All else is
    /// as in a file that does not say.
    pub fn new(
        name: impl Into<String>,
        objective: impl Into<ScoreLossSettings>,
        train: impl IntoIterator<Item = Source>,
    ) -> Self {
        Self {
            name: name.into(),
            train: train.into_iter().collect(),
            objective: objective.into(),
            both_orders: false,
            epochs: Some(1.0),
            steps: None,
            batch: default_batch(),
            chunk_tokens: None,
            accumulate: defaults::one(),
            learning_rate: 2e-5,
            schedule: ScheduleKind::default(),
            warmup: 0.0,
            weight_decay: defaults::weight_decay(),
            layer_decay: defaults::one_f64(),
            clip: None,
            dropout: None,
            shuffle: defaults::yes(),
            next_from: NextFrom::default(),
            adamw: AdamW::default(),
        }
    }

    /// Checks the settings; files and models are not looked at.
    ///
    /// # Errors
    /// Which setting is wrong, and its bounds.
    pub(super) fn check(&self) -> Result<(), String> {
        self.pace().check()?;
        some_sources(&self.train)?;
        // Its settings alone; what depends on the data shows when that is read.
        let nothing = ScoreTrainingSet {
            labels: &[],
            weights: &[],
            lists: &[0],
        };
        let built = self.objective.build(nothing);
        built.map(drop).map_err(|e| format!("objective: {e}"))
    }
}
