//! Recipes by which cross-encoders are trained, and recipes of either kind.

use super::checks::StagePace;
use super::overrides::parse;
use super::{
    EvaluationSettings, NextFrom, Recipe, default_checkpoint_seconds, default_log_every,
    default_seed, parse_recipe,
};
use crate::Precision;
use crate::data::Source;
use crate::losses::{ScoreLossSettings, ScoreTrainingSet};
use crate::training::{AdamW, ScheduleKind, TrainError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::{Table, Value};

/// What a recipe for cross-encoders says its task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CrossEncoderTask {
    /// `task = "cross-encoder"`.
    #[default]
    #[serde(rename = "cross-encoder")]
    CrossEncoder,
}

/// A whole run that trains a cross-encoder: model, stages, evaluation.
///
/// ```
/// use gradus::data::Source;
/// use gradus::losses::BceSettings;
/// use gradus::recipe::{AnyRecipe, CrossEncoderRecipe, CrossEncoderStage};
///
/// let stage = CrossEncoderStage::new("grades", BceSettings::default(), [Source::file("pairs.tsv")]);
/// let recipe = CrossEncoderRecipe::new("all-MiniLM-L6-v2").stage(stage);
/// recipe.validate()?;
/// let written = r#"
///     task = "cross-encoder"
///     model = "all-MiniLM-L6-v2"
///     [[stage]]
///     name = "grades"
///     objective = { loss = "bce" }
///     train = [{ path = "pairs.tsv" }]
///     epochs = 1
///     learning_rate = 2e-5
/// "#;
/// let read = AnyRecipe::parse("recipe.toml".as_ref(), written, &[])?;
/// assert_eq!(read, AnyRecipe::CrossEncoder(Box::new(recipe)));
/// # Ok::<(), gradus::training::TrainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossEncoderRecipe {
    /// `cross-encoder`.
    pub task: CrossEncoderTask,
    /// A folder, or a name that `gradus pull` knows: a cross-encoder, or any encoder,
    /// which gets a head.
    pub model: String,
    /// What this run is, for its model card.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Everything random is drawn from this.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Where the run goes; `--output` overrides it. Default: `runs/<recipe's file
    /// name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Pairs are cut to this many tokens, the longer text first; default: the model's
    /// limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
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
    /// Whether all sources are read without the pairs of the seven test sets and of
    /// the dev set.
    #[serde(default)]
    pub exclude_overlap: bool,
    /// How checkpoints are chosen: by Spearman of the scores.
    #[serde(default)]
    pub evaluation: EvaluationSettings,
    /// What happens, in order.
    #[serde(rename = "stage")]
    pub stages: Vec<CrossEncoderStage>,
}

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
    #[serde(default, skip_serializing_if = "is_false")]
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
    #[serde(default = "one")]
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

fn default_batch() -> usize {
    32
}
fn one() -> usize {
    1
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

impl CrossEncoderRecipe {
    /// A recipe without stages for a model. All else is as in a file that does not
    /// say.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            task: CrossEncoderTask::CrossEncoder,
            model: model.into(),
            description: String::new(),
            seed: default_seed(),
            output: None,
            max_tokens: None,
            precision: Precision::default(),
            log_every: default_log_every(),
            checkpoint_seconds: default_checkpoint_seconds(),
            checkpoint_steps: None,
            exclude_overlap: false,
            evaluation: EvaluationSettings::default(),
            stages: vec![],
        }
    }

    /// Adds a stage after those that it has.
    pub fn stage(mut self, stage: CrossEncoderStage) -> Self {
        self.stages.push(stage);
        self
    }

    /// Sets the pairs that the best model is chosen by.
    pub fn dev(mut self, dev: Source) -> Self {
        self.evaluation.dev = Some(dev);
        self
    }

    /// Checks the settings; files and models are not looked at.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] or [`TrainError::Stage`], naming the setting and its
    /// bounds.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.validate_at(Path::new("recipe"))
    }

    fn validate_at(&self, path: &Path) -> Result<(), TrainError> {
        let fail = |message: String| {
            let path = path.to_path_buf();
            Err(TrainError::Recipe { path, message })
        };
        if self.stages.is_empty() {
            return fail("there is no [[stage]]".into());
        }
        for (i, stage) in self.stages.iter().enumerate() {
            if self.stages[..i].iter().any(|s| s.name == stage.name) {
                return fail(format!("two stages are called `{}`", stage.name));
            }
            stage.check().map_err(|message| TrainError::Stage {
                stage: stage.name.clone(),
                message,
            })?;
        }
        Ok(())
    }
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
            accumulate: one(),
            learning_rate: 2e-5,
            schedule: ScheduleKind::default(),
            warmup: 0.0,
            weight_decay: default_weight_decay(),
            layer_decay: one_f64(),
            clip: None,
            dropout: None,
            shuffle: yes(),
            next_from: NextFrom::default(),
            adamw: AdamW::default(),
        }
    }

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

    fn check(&self) -> Result<(), String> {
        self.pace().check()?;
        if self.train.is_empty() {
            return Err("`train` names no source".into());
        }
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

impl From<Recipe> for AnyRecipe {
    fn from(recipe: Recipe) -> Self {
        Self::Similarity(Box::new(recipe))
    }
}

impl From<CrossEncoderRecipe> for AnyRecipe {
    fn from(recipe: CrossEncoderRecipe) -> Self {
        Self::CrossEncoder(Box::new(recipe))
    }
}

/// Parses a file of some task, with overrides as [`parse_recipe`] takes them.
///
/// # Errors
/// [`TrainError::Recipe`], also where the file is of another task.
pub(crate) fn parse_of_task<T: DeserializeOwned>(
    task: &str,
    path: &Path,
    text: &str,
    overrides: &[String],
) -> Result<T, TrainError> {
    let table = toml::from_str::<Table>(text).ok();
    let found = table.as_ref().map(|table| table.get("task"));
    if let Some(found) = found
        && found.and_then(Value::as_str) != Some(task)
    {
        let found = found.map_or("no task".to_owned(), |found| format!("`task = {found}`"));
        return Err(TrainError::Recipe {
            path: path.to_path_buf(),
            message: format!(
                "it has {found}, and `task = \"{task}\"` is expected; `gradus train` takes other recipes"
            ),
        });
    }
    parse(path, text, overrides)
}

/// A recipe by which something is trained.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyRecipe {
    /// A sentence encoder: without `task`.
    Similarity(Box<Recipe>),
    /// A cross-encoder: `task = "cross-encoder"`.
    CrossEncoder(Box<CrossEncoderRecipe>),
}

impl AnyRecipe {
    /// Parses a recipe with overrides, as [`parse_recipe`] does.
    ///
    /// # Errors
    /// As [`parse_recipe`].
    pub fn parse(path: &Path, text: &str, overrides: &[String]) -> Result<Self, TrainError> {
        let task = toml::from_str::<Table>(text).ok();
        let task = task.and_then(|table| table.get("task").cloned());
        match task {
            None => Ok(Self::Similarity(Box::new(parse_recipe(
                path, text, overrides,
            )?))),
            Some(Value::String(task)) if task == "cross-encoder" => {
                let recipe: CrossEncoderRecipe = parse(path, text, overrides)?;
                recipe.validate_at(path)?;
                Ok(Self::CrossEncoder(Box::new(recipe)))
            }
            Some(Value::String(task)) if task == "self-distillation" => Err(TrainError::Recipe {
                path: path.to_path_buf(),
                message: format!("it is for `gradus self-distill {}`", path.display()),
            }),
            Some(other) => Err(TrainError::Recipe {
                path: path.to_path_buf(),
                message: format!(
                    "`task` is {other}; it can be \"cross-encoder\", and is left out for a sentence encoder"
                ),
            }),
        }
    }

    /// The folder that it names for the run.
    pub fn output(&self) -> Option<&str> {
        match self {
            Self::Similarity(recipe) => recipe.output.as_deref(),
            Self::CrossEncoder(recipe) => recipe.output.as_deref(),
        }
    }

    /// What the model is multiplied in.
    pub fn precision(&self) -> Precision {
        match self {
            Self::Similarity(recipe) => recipe.precision,
            Self::CrossEncoder(recipe) => recipe.precision,
        }
    }

    /// The same with the model multiplied in another precision.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        match &mut self {
            Self::Similarity(recipe) => recipe.precision = precision,
            Self::CrossEncoder(recipe) => recipe.precision = precision,
        }
        self
    }

    /// What everything random is drawn from.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Similarity(recipe) => recipe.seed,
            Self::CrossEncoder(recipe) => recipe.seed,
        }
    }

    /// The model that the run begins with.
    pub fn model(&self) -> &str {
        match self {
            Self::Similarity(recipe) => &recipe.model,
            Self::CrossEncoder(recipe) => &recipe.model,
        }
    }

    /// Teachers and other models that it needs in addition.
    pub fn auxiliary_models(&self) -> Vec<&str> {
        match self {
            Self::Similarity(recipe) => {
                let stages = recipe.stages.iter();
                stages.flat_map(|s| s.auxiliary_models()).collect()
            }
            Self::CrossEncoder(_) => vec![],
        }
    }

    /// What its stages learn from.
    pub fn sources(&self) -> Vec<&Source> {
        match self {
            Self::Similarity(recipe) => recipe.stages.iter().flat_map(|s| &s.train).collect(),
            Self::CrossEncoder(recipe) => recipe.stages.iter().flat_map(|s| &s.train).collect(),
        }
    }

    /// What its models are chosen by.
    pub fn dev(&self) -> Option<&Source> {
        match self {
            Self::Similarity(recipe) => recipe.evaluation.dev.as_ref(),
            Self::CrossEncoder(recipe) => recipe.evaluation.dev.as_ref(),
        }
    }

    /// The recipe as a file has it.
    pub(super) fn text(&self) -> Result<String, toml::ser::Error> {
        match self {
            Self::Similarity(recipe) => toml::to_string(recipe),
            Self::CrossEncoder(recipe) => toml::to_string(recipe),
        }
    }
}
