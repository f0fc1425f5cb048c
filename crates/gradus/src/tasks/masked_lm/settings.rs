use crate::data::Source;
use crate::models::FreshModel;
use crate::output::RunKind;
use crate::training::{AdamW, RunFolder, ScheduleKind, TrainError};
use crate::{Device, Precision};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file in a run's folder that holds its [`PretrainingSettings`].
pub const SETTINGS: &str = "pretrain.toml";

/// The folder, in a run's folder, of the untrained model.
const START: &str = RunFolder::START;

/// A whole pretraining.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainingSettings {
    /// The model to go on from, a folder or a name; without it the run's
    /// folder holds an untrained one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Passes over the texts, where `steps` are not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Optimizer steps. The file in a run's folder always has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Minutes that the run may take on this machine, where neither is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// Tokens per optimizer step, about.
    pub batch_tokens: usize,
    /// The peak rate.
    pub learning_rate: f64,
    /// How the rate moves after warm-up.
    pub schedule: ScheduleKind,
    /// The share of the steps in which the rate rises.
    pub warmup: f64,
    /// Decoupled weight decay; spares biases and layer norms.
    pub weight_decay: f64,
    /// The largest norm of all gradients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Dropout, where not the model's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
    /// The share of the tokens that are masked and predicted.
    pub mask_rate: f64,
    /// Whether the pieces of a word are masked together.
    pub whole_words: bool,
    /// Texts are cut to so many tokens.
    pub max_tokens: usize,
    /// Everything random is drawn from it.
    pub seed: u64,
    /// What the model is multiplied in.
    pub precision: Precision,
    /// What it runs on.
    #[serde(default)]
    pub device: Device,
    /// Steps between lines in `metrics.jsonl`.
    pub log_every: u64,
    /// Steps between evaluations; by default a tenth of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_every: Option<u64>,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: u64,
    /// Steps between checkpoints, in addition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_steps: Option<u64>,
    /// The optimizer's constants.
    pub adamw: AdamW,
    /// The sizes of an untrained model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh: Option<FreshModel>,
    /// Where the texts are: files of lines or of pairs.
    pub texts: Vec<Source>,
}

impl Default for PretrainingSettings {
    fn default() -> Self {
        Self {
            from: None,
            epochs: None,
            steps: None,
            minutes: None,
            batch_tokens: 4096,
            learning_rate: 1e-3,
            schedule: ScheduleKind::Linear,
            warmup: 0.1,
            weight_decay: 0.01,
            clip: Some(1.0),
            dropout: None,
            mask_rate: 0.15,
            whole_words: false,
            max_tokens: 64,
            seed: 777,
            precision: Precision::Auto,
            device: Device::Auto,
            log_every: 10,
            evaluate_every: None,
            checkpoint_seconds: 120,
            checkpoint_steps: None,
            // Of RoBERTa (Liu et al. 2019): a second moment that forgets sooner.
            adamw: AdamW {
                beta1: 0.9,
                beta2: 0.98,
                eps: 1e-6,
            },
            fresh: None,
            texts: vec![],
        }
    }
}

impl PretrainingSettings {
    /// Makes sure that every value makes sense.
    ///
    /// # Errors
    /// [`TrainError::Stage`], which names the value.
    pub fn validate(&self) -> Result<()> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let beyond = |x: f64, most: f64| x > 0.0 && x <= most;
        let problem = if self.texts.is_empty() {
            "there are no texts; name at least one file".into()
        } else if self.from.is_some() == self.fresh.is_some() {
            "either a model to go on from or the sizes of a fresh one are needed".into()
        } else if self.steps == Some(0) {
            "`steps` is 0".into()
        } else if !self.epochs.is_none_or(|e| beyond(e, 1e6)) {
            "`epochs` must lie above 0 and not above a million".into()
        } else if !self.minutes.is_none_or(|m| beyond(m, 1e6)) {
            "`minutes` must lie above 0 and not above a million".into()
        } else if !beyond(self.learning_rate, 10.0) {
            format!(
                "`learning_rate` is {}, it must lie above 0 and not above 10",
                self.learning_rate
            )
        } else if !share(self.warmup) {
            format!("`warmup` is {}, it is a share from 0 to 1", self.warmup)
        } else if !share(self.weight_decay) {
            format!(
                "`weight_decay` is {}, it must lie in [0, 1]",
                self.weight_decay
            )
        } else if !beyond(self.mask_rate, 0.9) {
            format!(
                "`mask_rate` is {}, it must lie above 0 and not above 0.9",
                self.mask_rate
            )
        } else if self.dropout.is_some_and(|p| !(0.0..1.0).contains(&p)) {
            "`dropout` must lie in [0, 1)".into()
        } else if !self.clip.is_none_or(|c| c > 0.0) {
            "`clip` must lie above 0".into()
        } else if self.batch_tokens < 2 * self.max_tokens {
            // Then every step has a text.
            format!(
                "`batch_tokens` is {}; give at least {}, two texts of `max_tokens`",
                self.batch_tokens,
                2 * self.max_tokens
            )
        } else {
            return Ok(());
        };
        Err(TrainError::Stage {
            stage: super::task::STAGE.into(),
            message: problem,
        }
        .into())
    }

    /// Writes them into the folder that was taken for the run: it has begun.
    /// Relative paths of the texts start at `base_dir`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn begin_in(&self, folder: RunFolder, base_dir: &Path) -> Result<RunFolder> {
        let text = toml::to_string(self).map_err(|e| Error::Internal(format!("settings: {e}")))?;
        folder.with_description(SETTINGS, &text, base_dir)
    }

    /// Opens the folder of a run that was begun.
    ///
    /// # Errors
    /// [`OutputError::NoRun`](crate::output::OutputError), and its `Busy`;
    /// [`TrainError::Recipe`].
    pub fn open_folder(root: &Path) -> Result<(RunFolder, Self)> {
        let (folder, path, text) = RunFolder::open_with(root, &[RunKind::Pretrain])?;
        let settings: Self = toml::from_str(&text).map_err(|e| TrainError::Recipe {
            path,
            message: e.to_string(),
        })?;
        settings.validate()?;
        Ok((folder, settings))
    }

    /// The untrained model of the run in `root`.
    pub fn start(root: &Path) -> PathBuf {
        root.join(START)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Claim, Existing, Inputs};

    fn settings() -> PretrainingSettings {
        PretrainingSettings {
            from: Some("model".into()),
            texts: vec![Source::file("a.txt")],
            minutes: Some(2.5),
            ..PretrainingSettings::default()
        }
    }

    #[test]
    fn settings_survive_their_file() {
        let place = tempfile::tempdir().unwrap();
        let claim = || {
            let refuse = Existing::Refuse;
            Claim::check(place.path(), RunKind::Pretrain, refuse, &Inputs::new())
        };
        let folder = RunFolder::new(claim().unwrap().take(None).unwrap());
        let folder = settings().begin_in(folder, Path::new(".")).unwrap();
        assert!(claim().is_err());
        drop(folder);
        assert_eq!(
            PretrainingSettings::open_folder(place.path()).unwrap().1,
            settings()
        );
    }

    #[test]
    fn values_out_of_bounds_are_named() {
        let check = |change: &dyn Fn(&mut PretrainingSettings), part: &str| {
            let mut settings = settings();
            change(&mut settings);
            let error = settings.validate().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check(&|s| s.mask_rate = 0.0, "`mask_rate` is 0");
        check(&|s| s.learning_rate = f64::NAN, "`learning_rate` is NaN");
        check(&|s| s.batch_tokens = 127, "at least 128");
        check(&|s| s.texts.clear(), "no texts");
        check(&|s| s.from = None, "fresh");
        check(&|s| s.minutes = Some(-1.0), "`minutes`");
        check(&|s| s.dropout = Some(1.0), "`dropout`");
        assert!(settings().validate().is_ok());
    }
}
