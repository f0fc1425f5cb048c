use super::DifferenceSettings;
use crate::Precision;
use crate::data::Source;
use crate::losses::{Facts, Form, ObjectiveConfig, Projection};
use crate::nn::PoolingMode;
use crate::tasks::similarity::{learnable, prompting};
use crate::training::{AdamW, ScheduleKind};
use serde::{Deserialize, Serialize};

/// A whole run: model, stages, evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// A folder, or a name that `gradus pull` knows.
    pub model: String,
    /// What this run is, for its model card.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Everything random is drawn from this.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Where the run goes; `--output` overrides it. Default: `runs/<recipe's
    /// file name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Inputs are cut to this many tokens; default: the model's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// The model's prompt of this name goes before every text, in training and by
    /// default in the saved model; default: the model's default prompt, where it
    /// has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// This text does, in place of a prompt of the model; an empty one for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_text: Option<String>,
    /// Whether sentence vectors are divided by their length, in training and in
    /// the saved model; default: as the model does. Cosines do not depend on
    /// it, but a head does: the head form was published on vectors as pooling
    /// gives them (`false`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<bool>,
    /// How token vectors become one, in training and in the saved model;
    /// default: as the model does, mean pooling where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<PoolingMode>,
    /// What every text is put into; the vector is that of its mask, in training
    /// and in the saved model. `{}` stands for the text, `[MASK]` for the mask
    /// (PromptBERT; Jiang et al. 2022). Default: as the model does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Whether the template's own bias is subtracted from every vector, in
    /// training and in the saved model; default: as the model does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denoise: Option<bool>,
    /// What the model is multiplied in. A run's own copy of its recipe has what
    /// `auto` chose, so that it resumes to the same bits.
    #[serde(default)]
    pub precision: Precision,
    /// Write a step to `metrics.jsonl` every so often.
    #[serde(default = "default_log_every")]
    pub log_every: u64,
    /// Seconds between checkpoints; they are also written at a stage's end.
    #[serde(default = "default_checkpoint_seconds")]
    pub checkpoint_seconds: u64,
    /// Optimizer steps between checkpoints, in addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_steps: Option<u64>,
    /// Whether all sources are read without the pairs of the seven test sets
    /// and of the dev set.
    #[serde(default)]
    pub exclude_overlap: bool,
    /// How checkpoints are chosen.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// What happens, in order.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
}

/// Evaluation in the course of training, and what is selected by it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// The pairs to evaluate on; the best model is the one whose cosines
    /// correlate best with their grades (Spearman). Each stage selects anew.
    /// Absent: no selection, the last model is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<Source>,
    /// Optimizer steps between evaluations; default: once an epoch. A stage is
    /// also scored before its first and after its last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Stop a stage after so many evaluations without a new best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
}

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
    /// How much its similarities count beside those of other teachers.
    #[serde(default = "one_f64")]
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
    #[serde(default, skip_serializing_if = "is_false")]
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
    /// Difference prediction, added to the objectives by its weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<DifferenceSettings>,
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
    #[serde(default = "one")]
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
    #[serde(default = "default_weight_decay")]
    pub weight_decay: f64,
    /// Each layer's rate is this times that of the layer above.
    #[serde(default = "one_f64")]
    pub layer_decay: f64,
    /// Largest norm of all gradients together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Dropout probability; default: the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
    /// Whether each epoch has an order of its own.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Which model the next stage starts from.
    #[serde(default)]
    pub next_from: NextFrom,
    /// The optimizer's constants.
    #[serde(default)]
    pub adamw: AdamW,
}

fn default_seed() -> u64 {
    777
}
fn default_log_every() -> u64 {
    10
}
fn default_checkpoint_seconds() -> u64 {
    120
}
fn default_batch() -> usize {
    16
}
fn one() -> usize {
    1
}
fn two() -> usize {
    2
}
fn is_two(views: &usize) -> bool {
    *views == 2
}
fn one_f64() -> f64 {
    1.0
}
fn default_weight_decay() -> f64 {
    0.01
}
fn is_false(value: &bool) -> bool {
    !value
}
fn yes() -> bool {
    true
}

impl Stage {
    /// The models that it needs beside the one it trains.
    pub fn models_beside(&self) -> impl Iterator<Item = &str> {
        let generator = self.difference.iter().map(|d| d.generator.as_str());
        let teachers = self.teachers.iter().map(|t| t.model.as_str());
        teachers.chain(generator)
    }

    /// All that it minimises.
    pub(crate) fn objectives(&self) -> impl Iterator<Item = &ObjectiveConfig> {
        std::iter::once(&self.objective).chain(&self.also)
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// A message naming the setting and its bounds.
    pub(crate) fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else if low == f64::MIN_POSITIVE {
                Err(format!(
                    "`{name}` is {value}, it must lie above 0 and not above {high}"
                ))
            } else {
                Err(format!(
                    "`{name}` is {value}, it must lie in [{low}, {high}]"
                ))
            }
        };
        within("learning_rate", self.learning_rate, f64::MIN_POSITIVE, 10.0)?;
        within(
            "head_learning_rate",
            self.head_learning_rate.unwrap_or(1.0),
            f64::MIN_POSITIVE,
            10.0,
        )?;
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
            (Some(_), Some(_)) => return Err("give `epochs` or `steps`, not both".into()),
            (None, None) => return Err("give `epochs` or `steps`".into()),
            (Some(epochs), None) => within("epochs", epochs, 1e-6, 1e6)?,
            (None, Some(steps)) => within("steps", steps as f64, 1.0, 1e12)?,
        }
        within("views", self.views as f64, 1.0, 2.0)?;
        if self.train.is_empty() {
            return Err("`train` names no source".into());
        }
        prompting::check(self)?;
        match (self.keep_projection, self.projection) {
            (false, _) => {}
            (true, Some(Projection::Mlp)) if self.freeze == Freeze::None => {}
            (true, Some(Projection::Mlp)) => {
                return Err("`keep_projection` needs an encoder that is not frozen".into());
            }
            (true, Some(Projection::BatchNorm)) => {
                return Err("`keep_projection` is for `projection = \"mlp\"`: what batch norm makes of a text depends on its batch".into());
            }
            (true, None) => {
                return Err("`keep_projection` is set without `projection = \"mlp\"`".into());
            }
        }
        let alone = self.also.is_empty();
        if self.freeze == Freeze::Encoder && alone && self.objective.form == Form::Cosine {
            return Err(
                "the cosine form has no head: with `freeze = \"encoder\"` nothing is trained"
                    .into(),
            );
        }
        if let Some(difference) = &self.difference {
            difference.check()?;
            if self.freeze == Freeze::Encoder {
                return Err(
                    "`difference` trains the encoder: it does not go with `freeze = \"encoder\"`"
                        .into(),
                );
            }
        }
        for teacher in &self.teachers {
            within("teachers.weight", teacher.weight, f64::MIN_POSITIVE, 1e9)?;
        }
        // Its settings alone; what depends on the data shows when that is read.
        let weights: Vec<f64> = self.teachers.iter().map(|t| t.weight).collect();
        let facts = Facts {
            labels: &[0.0, 1.0],
            weights: &[1.0, 1.0],
            columns: self.views,
            teachers: &weights,
        };
        for objective in self.objectives() {
            let built = objective.build(facts);
            let built = built.map_err(|e| format!("objective: {e}"))?;
            learnable::check_batch_size(self, &*built)?;
        }
        Ok(())
    }
}
