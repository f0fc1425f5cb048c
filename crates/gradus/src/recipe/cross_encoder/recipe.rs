use super::CrossEncoderStage;
use crate::data::Source;
use crate::recipe::stages::{own_name, some_stages};
use crate::recipe::{EvaluationSettings, defaults};
use crate::training::TrainError;
use crate::{Device, Precision};
use serde::{Deserialize, Serialize};
use std::path::Path;

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
    #[serde(default = "defaults::seed")]
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
    /// Whether all sources are read without the pairs of the seven test sets and of
    /// the dev set.
    #[serde(default)]
    pub exclude_overlap: bool,
    /// How checkpoints are chosen: by Spearman of the scores, or by NDCG@10 where the
    /// dev set holds lists.
    #[serde(default)]
    pub evaluation: EvaluationSettings,
    /// What happens, in order.
    #[serde(rename = "stage")]
    pub stages: Vec<CrossEncoderStage>,
}

impl CrossEncoderRecipe {
    /// A recipe without stages for a model. All else is as in a file that does not
    /// say.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            task: CrossEncoderTask::CrossEncoder,
            model: model.into(),
            description: String::new(),
            seed: defaults::seed(),
            output: None,
            max_tokens: None,
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
    pub fn stage(mut self, stage: CrossEncoderStage) -> Self {
        self.stages.push(stage);
        self
    }

    /// Sets the pairs, or lists, that the best model is chosen by.
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

    /// The same of the recipe in a file.
    pub(crate) fn validate_at(&self, path: &Path) -> Result<(), TrainError> {
        some_stages(path, &self.stages)?;
        for (i, stage) in self.stages.iter().enumerate() {
            let before = self.stages[..i].iter().map(|s| &*s.name);
            own_name(path, before, &stage.name)?;
            stage.check().map_err(|message| TrainError::Stage {
                stage: stage.name.clone(),
                message,
            })?;
        }
        Ok(())
    }
}
