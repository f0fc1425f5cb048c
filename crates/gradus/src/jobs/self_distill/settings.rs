//! The file that describes a self distillation.

use crate::data::Source;
use crate::jobs::pairing::PairSettings;
use crate::losses::{BceSettings, CosineSettings, MseSettings, OutOfRange, RegressionSettings};
use crate::output::RunKind;
use crate::recipe::{
    CrossEncoderRecipe, CrossEncoderStage, EvaluationSettings, Recipe, SelectionMetric, Stage,
    parse_of_task,
};
use crate::training::{ScheduleKind, TrainError};
use crate::util::atomic::write_bytes;
use crate::{Device, Error, Precision, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What such a file says its task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelfDistillTask {
    /// `task = "self-distillation"`.
    #[default]
    #[serde(rename = "self-distillation")]
    SelfDistillation,
}

/// Self distillation (Trans-Encoder; Liu et al. 2022): a bi-encoder's cosines teach a
/// cross-encoder, whose scores teach a bi-encoder, cycle by cycle; with two models,
/// mutual distillation, by the means of both models' scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfDistillSettings {
    /// `self-distillation`.
    pub task: SelfDistillTask,
    /// What this run is, for its models' cards.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// One model, or two for the mutual form.
    #[serde(rename = "model")]
    pub models: Vec<ModelPair>,
    /// How often the two forms teach each other.
    #[serde(default = "cycles")]
    pub cycles: usize,
    /// Everything random is drawn from this.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Where the run goes; `--output` overrides it. Default: `runs/<recipe's file
    /// name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What models are multiplied in.
    #[serde(default)]
    pub precision: Precision,
    /// What models run on; `--device` overrides it.
    #[serde(default)]
    pub device: Device,
    /// Seconds between checkpoints.
    #[serde(default = "checkpoint_seconds")]
    pub checkpoint_seconds: u64,
    /// Optimizer steps between checkpoints, in addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_steps: Option<u64>,
    /// The pairs that are labelled.
    pub pairs: PairSettings,
    /// How the best model of each form is chosen.
    pub evaluation: EvaluationSettings,
    /// The training of cross-encoders.
    #[serde(default = "FormSettings::cross_encoder")]
    pub cross_encoder: FormSettings,
    /// The training of bi-encoders.
    #[serde(default = "FormSettings::bi_encoder")]
    pub bi_encoder: FormSettings,
}

/// The two models that a pair of forms begins with, anew in every cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPair {
    /// The bi-encoder: a folder, or a name that `gradus pull` knows.
    pub bi_encoder: String,
    /// What the cross-encoder is made of: the plain pre-trained model. Default: the
    /// bi-encoder's own transformer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_encoder: Option<String>,
}

impl ModelPair {
    /// What the cross-encoder is made of.
    pub fn plain(&self) -> &str {
        self.cross_encoder.as_ref().unwrap_or(&self.bi_encoder)
    }
}

/// How one form is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FormSettings {
    /// Passes over the pairs; give this or `steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Optimizer steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Pairs per optimizer step.
    pub batch: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of the steps that warm up.
    pub warmup: f64,
    /// How the rate moves after that.
    pub schedule: ScheduleKind,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Inputs are cut to so many tokens.
    pub max_tokens: usize,
    /// The most tokens of a forward and backward pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_tokens: Option<usize>,
}

impl Default for FormSettings {
    fn default() -> Self {
        Self::bi_encoder()
    }
}

impl FormSettings {
    /// Trans-Encoder's for cross-encoders.
    pub fn cross_encoder() -> Self {
        Self {
            epochs: Some(1.0),
            batch: 32,
            learning_rate: 2e-5,
            warmup: 0.1,
            max_tokens: 64,
            ..Self::bi_encoder()
        }
    }

    /// Trans-Encoder's for bi-encoders.
    pub fn bi_encoder() -> Self {
        Self {
            epochs: Some(10.0),
            steps: None,
            batch: 128,
            learning_rate: 5e-5,
            warmup: 0.0,
            schedule: ScheduleKind::default(),
            weight_decay: 0.01,
            max_tokens: 32,
            chunk_tokens: None,
        }
    }

    /// The length: steps where both are there, as a file's `steps` stands beside the
    /// default of epochs.
    fn length(&self) -> (Option<f64>, Option<u64>) {
        match self.steps {
            Some(steps) => (None, Some(steps)),
            None => (self.epochs, None),
        }
    }
}

fn cycles() -> usize {
    3
}
fn seed() -> u64 {
    2021
}
fn checkpoint_seconds() -> u64 {
    120
}
/// More cycles teach nothing.
const MOST_CYCLES: usize = 100;

impl SelfDistillSettings {
    /// Reads a file, with changes `key=value`.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] with the line; [`TrainError::Override`].
    pub fn parse(
        path: &Path,
        text: &str,
        overrides: &[String],
    ) -> std::result::Result<Self, TrainError> {
        let settings: Self = parse_of_task("self-distillation", path, text, overrides)?;
        settings.validate(path)?;
        Ok(settings)
    }

    /// Checks the settings; files and models are not looked at.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], naming the setting and its bounds.
    pub fn validate(&self, path: &Path) -> std::result::Result<(), TrainError> {
        let fail = |message: &str| {
            Err(TrainError::Recipe {
                path: path.to_path_buf(),
                message: message.to_owned(),
            })
        };
        if !matches!(self.models.len(), 1 | 2) {
            return fail("there must be one [[model]], or two for mutual distillation");
        }
        if !(1..=MOST_CYCLES).contains(&self.cycles) {
            return fail(&format!(
                "`cycles` is {}, it must lie in [1, {MOST_CYCLES}]",
                self.cycles
            ));
        }
        if self.evaluation.dev.is_none() {
            return fail(
                "`evaluation.dev` is missing: the best cycle is chosen by graded pairs, such as `evaluation = { dev = { dataset = \"stsb\", split = \"dev\" } }`",
            );
        }
        if let Some(dev) = &self.evaluation.dev
            && SelectionMetric::of(dev) != SelectionMetric::Spearman
        {
            let dev = dev.describe();
            return Err(TrainError::DevOfLists { dev });
        }
        if let Err(message) = self.pairs.check() {
            return fail(&message);
        }
        let nothing = || Source::file("pairs.jsonl");
        self.cross_recipe(0, nothing()).validate()?;
        self.bi_recipe(0, nothing()).validate()
    }

    /// The file in a run's folder that holds them.
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        let text = toml::to_string(self).map_err(|e| Error::Internal(format!("settings: {e}")))?;
        write_bytes(&Self::path(root), text.as_bytes())
    }

    /// Those of the run in `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let path = Self::path(root);
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        Ok(Self::parse(&path, &text, &[])?)
    }

    fn path(root: &Path) -> PathBuf {
        root.join(RunKind::SelfDistill.description())
    }

    /// The recipe of a model's cross-encoder, which learns `labels`.
    pub(super) fn cross_recipe(&self, model: usize, labels: Source) -> CrossEncoderRecipe {
        let form = &self.cross_encoder;
        let loss = BceSettings {
            scale: Some([0.0, 1.0]),
            ..BceSettings::default()
        };
        let (epochs, steps) = form.length();
        let stage = CrossEncoderStage {
            both_orders: true,
            epochs,
            steps,
            batch: form.batch,
            learning_rate: form.learning_rate,
            warmup: form.warmup,
            schedule: form.schedule,
            weight_decay: form.weight_decay,
            chunk_tokens: form.chunk_tokens,
            ..CrossEncoderStage::new("cross-encoder", loss, [labels])
        };
        CrossEncoderRecipe {
            description: self.description.clone(),
            seed: self.seed,
            max_tokens: Some(form.max_tokens),
            precision: self.precision,
            device: self.device,
            checkpoint_seconds: self.checkpoint_seconds,
            checkpoint_steps: self.checkpoint_steps,
            evaluation: self.evaluation.clone(),
            ..CrossEncoderRecipe::new(self.models[model].plain()).stage(stage)
        }
    }

    /// The recipe of a model's bi-encoder, which learns `labels`.
    pub(super) fn bi_recipe(&self, model: usize, labels: Source) -> Recipe {
        let form = &self.bi_encoder;
        let cosine = CosineSettings {
            scale: Some(1.0),
            offset: Some(0.0),
            learned: false,
        };
        let loss = RegressionSettings {
            form: cosine.into(),
            out_of_range: OutOfRange::None,
            ..RegressionSettings::head(MseSettings::default())
        };
        let (epochs, steps) = form.length();
        let stage = Stage {
            epochs,
            steps,
            batch: form.batch,
            learning_rate: form.learning_rate,
            warmup: form.warmup,
            schedule: form.schedule,
            weight_decay: form.weight_decay,
            chunk_tokens: form.chunk_tokens,
            ..Stage::new("bi-encoder", loss, [labels])
        };
        Recipe {
            description: self.description.clone(),
            seed: self.seed,
            max_tokens: Some(form.max_tokens),
            precision: self.precision,
            device: self.device,
            checkpoint_seconds: self.checkpoint_seconds,
            checkpoint_steps: self.checkpoint_steps,
            evaluation: self.evaluation.clone(),
            ..Recipe::new(&self.models[model].bi_encoder).stage(stage)
        }
    }
}
