//! Recipes: a whole training run as a TOML file describes it.

mod any;
mod bounds;
mod buffer;
mod checks;
mod cross_encoder;
mod defaults;
mod difference;
mod exclusive;
pub(crate) mod foreign;
mod keys;
mod overrides;
mod pace;
mod run;
mod selection;
mod self_distillation;
mod stage;
mod stages;

pub use any::AnyRecipe;
pub(crate) use any::parse_of_task;
pub(crate) use buffer::{BufferRules, Choice, EntriesOf};
pub use buffer::{BufferSelection, BufferSettings, BufferSource};
pub(crate) use checks::{BatchSizes, check_batch_size};
pub use cross_encoder::{CrossEncoderRecipe, CrossEncoderStage, CrossEncoderTask};
pub use difference::{Average, DifferenceSettings, Fill, Filled};
pub use exclusive::exclude_each_other;
pub use keys::keys;
pub use overrides::{apply_overrides, parse_recipe};
pub(crate) use pace::StageSteps;
pub use selection::SelectionMetric;
pub use self_distillation::SelfDistillationSettings;
pub use stage::{Freeze, NextFrom, Stage, Teacher};

use crate::data::Source;
use crate::nn::PoolingMode;
use crate::{Device, Precision};
use serde::{Deserialize, Serialize};

/// A whole run: model, stages, evaluation.
///
/// ```
/// use gradus::data::Source;
/// use gradus::losses::{InfoNceSettings, RegressionSettings, SmoothK2Settings};
/// use gradus::recipe::{Recipe, Stage, parse_recipe};
///
/// let contrast = InfoNceSettings { symmetric: true, ..Default::default() };
/// let grades = SmoothK2Settings { k: 3.5, x0: 0.2, ..Default::default() };
/// let recipe = Recipe::new("all-MiniLM-L6-v2")
///     .stage(Stage::new("texts", contrast, [Source::file("texts.txt")]).steps(500))
///     .stage(
///         Stage::new("grades", RegressionSettings::head(grades), [Source::file("pairs.tsv")])
///             .epochs(2.0)
///             .learning_rate(5e-5),
///     )
///     .dev(Source::file("dev.tsv"));
/// recipe.validate()?;
///
/// let written = r#"
///     model = "all-MiniLM-L6-v2"
///     evaluation.dev = { path = "dev.tsv" }
///     [[stage]]
///     name = "texts"
///     objective = { loss = "info_nce", symmetric = true }
///     train = [{ path = "texts.txt" }]
///     steps = 500
///     learning_rate = 2e-5
///     [[stage]]
///     name = "grades"
///     objective = { loss = "smooth_k2", k = 3.5, x0 = 0.2 }
///     train = [{ path = "pairs.tsv" }]
///     epochs = 2
///     learning_rate = 5e-5
/// "#;
/// assert_eq!(recipe, parse_recipe("recipe.toml".as_ref(), written, &[])?);
/// # Ok::<(), gradus::training::TrainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// A folder, or a name that `gradus pull` knows.
    pub model: String,
    /// What this run is, for its model card.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Everything random is drawn from this.
    #[serde(default = "defaults::seed")]
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
    /// What the model runs on; `--device` overrides it. A run's own copy of its recipe has what
    /// `auto` chose.
    #[serde(default)]
    pub device: Device,
    /// Write a step to `metrics.jsonl` every so often.
    #[serde(default = "defaults::log_every")]
    pub log_every: u64,
    /// Seconds between checkpoints; they are also written at a stage's end.
    #[serde(default = "defaults::checkpoint_seconds")]
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
    pub evaluation: EvaluationSettings,
    /// What happens, in order.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
}

impl Recipe {
    /// A recipe without stages for a model: a folder, or a name that `gradus pull`
    /// knows. All else is as in a file that does not say.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            description: String::new(),
            seed: defaults::seed(),
            output: None,
            max_tokens: None,
            prompt: None,
            prompt_text: None,
            normalize: None,
            pooling: None,
            template: None,
            denoise: None,
            precision: Precision::default(),
            device: Device::default(),
            log_every: defaults::log_every(),
            checkpoint_seconds: defaults::checkpoint_seconds(),
            checkpoint_steps: None,
            exclude_overlap: false,
            evaluation: EvaluationSettings::default(),
            stages: vec![],
        }
    }

    /// Adds a stage after those that it has.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// Sets the pairs that the best model is chosen by.
    pub fn dev(mut self, dev: Source) -> Self {
        self.evaluation.dev = Some(dev);
        self
    }
}

/// Evaluation in the course of training, and what is selected by it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationSettings {
    /// The pairs to evaluate on; the best model is the one whose cosines
    /// correlate best with their grades (Spearman). Of a cross-encoder also lists,
    /// by whose mean NDCG@10 it is chosen: see [`SelectionMetric::of`]. Each stage
    /// selects anew. Absent: no selection, the last model is kept.
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
