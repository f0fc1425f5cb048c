use super::{BufferSettings, DifferenceSettings, SelfDistillationSettings, defaults};
use crate::data::Source;
use crate::losses::{ObjectiveConfig, Projection};
use crate::training::{AdamW, ScheduleKind};
use serde::{Deserialize, Serialize};

/// What a stage leaves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    /// Nothing.
    #[default]
    None,
    /// The encoder and everything before the head; its vectors are computed
    /// once, without dropout.
    Encoder,
}

/// Which model a stage hands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum NextFrom {
    /// The best by the dev set.
    #[default]
    Best,
    /// The last.
    Last,
}

/// A frozen model that a stage learns from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teacher {
    /// A folder, or a name that `gradus pull` knows.
    pub model: String,
    /// How much its similarities count among those of other teachers.
    #[serde(default = "defaults::one_f64")]
    pub weight: f64,
}

/// One stage of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its name in logs.
    pub name: String,
    /// Where its pairs come from.
    pub train: Vec<Source>,
    /// What it minimises.
    pub objective: ObjectiveConfig,
    /// What else it minimises, added to `objective` by weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ObjectiveConfig>,
    /// Layers between the vectors and the objectives, which are trained with the
    /// stage and left out of the saved model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection: Option<Projection>,
    /// Whether the projection, an `mlp`, stays in the model as a Dense module:
    /// the first stage adds it, later ones train it on.
    #[serde(default, skip_serializing_if = "defaults::is_false")]
    pub keep_projection: bool,
    /// The template of all texts of an example but the first, in place of the
    /// model's; the two views of a text then differ in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_template: Option<String>,
    /// Whether templates' own biases are subtracted from the stage's vectors;
    /// default: as the model does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denoise: Option<bool>,
    /// How many vectors a text alone is given: 2, which differ by dropout, or 1,
    /// which suffices to learn from teachers and takes half the time.
    #[serde(default = "two", skip_serializing_if = "is_two")]
    pub views: usize,
    /// Frozen models that it learns from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teachers: Vec<Teacher>,
    /// A text alone is read again as its second view with some of its tokens twice:
    /// up to this share of them (sub-word repetition; ESimCSE, Wu et al. 2022).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition: Option<f64>,
    /// Recent vectors from which anchors get further negatives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer: Option<BufferSettings>,
    /// Difference prediction, added to the objectives by its weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<DifferenceSettings>,
    /// A cross-encoder's scores as targets of lists, added by its weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_distillation: Option<SelfDistillationSettings>,
    /// What it leaves alone.
    #[serde(default)]
    pub freeze: Freeze,
    /// Passes over the data; give this or `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Optimizer steps; give this or `epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Pairs per forward and backward pass.
    #[serde(default = "default_batch")]
    pub batch: usize,
    /// The most tokens of a forward and backward pass. A batch of more is
    /// encoded in chunks, twice, so that memory does not grow with it; default:
    /// no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_tokens: Option<usize>,
    /// Batches whose gradients are averaged for one optimizer step.
    #[serde(default = "defaults::one")]
    pub accumulate: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// The head's own peak rate; default: the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_learning_rate: Option<f64>,
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
    16
}
fn two() -> usize {
    2
}
fn is_two(views: &usize) -> bool {
    *views == 2
}

impl Stage {
    /// A stage of one epoch at a learning rate of 2e-5. All else is as in a file that
    /// does not say.
    pub fn new(
        name: impl Into<String>,
        objective: impl Into<ObjectiveConfig>,
        train: impl IntoIterator<Item = Source>,
    ) -> Self {
        Self {
            name: name.into(),
            train: train.into_iter().collect(),
            objective: objective.into(),
            also: vec![],
            projection: None,
            keep_projection: false,
            second_template: None,
            denoise: None,
            views: two(),
            teachers: vec![],
            repetition: None,
            buffer: None,
            difference: None,
            self_distillation: None,
            freeze: Freeze::default(),
            epochs: Some(1.0),
            steps: None,
            batch: default_batch(),
            chunk_tokens: None,
            accumulate: defaults::one(),
            learning_rate: 2e-5,
            head_learning_rate: None,
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

    /// Adds another objective, by its weight.
    pub fn also(mut self, objective: impl Into<ObjectiveConfig>) -> Self {
        self.also.push(objective.into());
        self
    }

    /// Adds a frozen model to learn from, of weight 1.
    pub fn teacher(mut self, model: impl Into<String>) -> Self {
        let (model, weight) = (model.into(), defaults::one_f64());
        self.teachers.push(Teacher { model, weight });
        self
    }

    /// Gives it a buffer of negatives.
    pub fn buffer(mut self, buffer: BufferSettings) -> Self {
        self.buffer = Some(buffer);
        self
    }

    /// Sets its length in passes over the data.
    pub fn epochs(mut self, epochs: f64) -> Self {
        (self.epochs, self.steps) = (Some(epochs), None);
        self
    }

    /// Sets its length in optimizer steps.
    pub fn steps(mut self, steps: u64) -> Self {
        (self.epochs, self.steps) = (None, Some(steps));
        self
    }

    /// Sets how many pairs go through a forward and backward pass.
    pub fn batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Sets the peak learning rate.
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = rate;
        self
    }

    /// The models that it needs in addition to the one it trains: teachers, then the
    /// generator of difference prediction, then the cross-encoder of self
    /// distillation.
    pub fn auxiliary_models(&self) -> impl Iterator<Item = &str> {
        let generator = self.difference.iter().map(|d| d.generator.as_str());
        let scorer = self.self_distillation.iter();
        let scorer = scorer.map(|s| s.cross_encoder.as_str());
        let teachers = self.teachers.iter().map(|t| t.model.as_str());
        teachers.chain(generator).chain(scorer)
    }

    /// All that it minimises.
    pub(crate) fn objectives(&self) -> impl Iterator<Item = &ObjectiveConfig> {
        std::iter::once(&self.objective).chain(&self.also)
    }
}
