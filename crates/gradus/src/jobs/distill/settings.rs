//! What a distillation is made of, and each student's recipe.

use super::texts::TRAIN;
use crate::data::{RowKind, Source};
use crate::losses::{EmbeddingMseSettings, ListMleSettings, ObjectiveConfig};
use crate::models::StudentShape;
use crate::recipe::{EvaluationSettings, Recipe, Stage};
use crate::training::{RunFolder, TrainError};
use crate::util::atomic::write_bytes;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file in a distillation's folder that holds its [`DistillSettings`].
pub const SETTINGS: &str = "distill.toml";

/// How a student follows its teacher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Imitation {
    /// Its vectors become the teacher's.
    Mse,
    /// Its similarities rank the texts of a batch as the teacher's do (ListMLE).
    Rank,
    /// Both, summed.
    Both,
}

impl Imitation {
    /// Whether the student's vectors must have the width of the teacher's.
    pub fn needs_same_width(self) -> bool {
        self != Self::Rank
    }
}

/// A whole distillation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillSettings {
    /// The teacher, a folder or a name.
    pub teacher: String,
    /// Where relative paths start.
    pub base_dir: PathBuf,
    /// How the student follows.
    pub objective: Imitation,
    /// Passes over the texts, where there are neither steps nor minutes; by default 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Optimizer steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Minutes that the training of a student may take on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// Texts of an optimizer step.
    pub batch: usize,
    /// The peak rate.
    pub learning_rate: f64,
    /// The share of the steps in which it rises.
    pub warmup: f64,
    /// Texts are cut to so many tokens in training.
    pub max_tokens: usize,
    /// Everything random is drawn from it.
    pub seed: u64,
    /// Steps between evaluations; by default an eighth of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_every: Option<u64>,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: u64,
    /// Steps between checkpoints, in addition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_steps: Option<u64>,
    /// Graded pairs to choose the model by; without them the agreement with the
    /// teacher on texts held out does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<Source>,
    /// Whether the test sets are left out.
    #[serde(default)]
    pub no_tests: bool,
    /// Where the texts are.
    pub texts: Vec<Source>,
    /// The students. [`Distillation::prepare`](super::Distillation::prepare) works
    /// them out.
    pub students: Vec<StudentShape>,
}

impl Default for DistillSettings {
    fn default() -> Self {
        Self {
            teacher: String::new(),
            base_dir: ".".into(),
            objective: Imitation::Mse,
            epochs: None,
            steps: None,
            minutes: None,
            batch: 128,
            learning_rate: 2e-3,
            warmup: 0.1,
            max_tokens: 128,
            seed: 777,
            evaluate_every: None,
            checkpoint_seconds: 120,
            checkpoint_steps: None,
            dev: None,
            no_tests: false,
            texts: vec![],
            students: vec![],
        }
    }
}

impl DistillSettings {
    /// The file with the graded pairs of the texts held out, beside them.
    pub const GRADED: &str = "held-out.tsv";

    /// The untrained student of a run.
    pub const START: &str = RunFolder::START;

    /// The texts' folder, in that of the distillation.
    pub const TEXTS: &str = "texts";

    /// The same but for which students there are, and what they are scored on.
    pub fn is_like(&self, other: &Self) -> bool {
        let bare = |settings: &Self| Self {
            students: vec![],
            no_tests: false,
            ..settings.clone()
        };
        bare(self) == bare(other)
    }

    /// Reads them from a distillation's folder; `None` where there are none.
    ///
    /// # Errors
    /// [`Error::Io`]; [`TrainError::Recipe`].
    pub fn read(root: &Path) -> Result<Option<Self>> {
        let path = root.join(SETTINGS);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(&path)(e)),
        };
        let settings = toml::from_str(&text).map_err(|e| TrainError::Recipe {
            path,
            message: e.to_string(),
        })?;
        Ok(Some(settings))
    }

    /// Writes them.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, root: &Path) -> Result<()> {
        let text = toml::to_string(self).map_err(|e| Error::Internal(format!("settings: {e}")))?;
        write_bytes(&root.join(SETTINGS), text.as_bytes())
    }

    /// The recipe of one student, whose folder lies in that of the distillation:
    /// relative paths start there. `teacher` is the teacher's folder, or its name.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for settings out of their bounds.
    pub fn recipe(&self, student: &StudentShape, teacher: &Path) -> Result<Recipe> {
        let texts = Path::new("..").join(Self::TEXTS);
        let train = Source {
            rows: Some(RowKind::Texts),
            ..Source::file(texts.join(TRAIN))
        };
        let vectors = EmbeddingMseSettings::default().into();
        let lists = ObjectiveConfig::from(ListMleSettings::default());
        let (objective, also) = match self.objective {
            Imitation::Mse => (vectors, vec![]),
            Imitation::Rank => (lists, vec![]),
            Imitation::Both => (vectors, vec![lists]),
        };
        let stage = Stage {
            also,
            views: 1,
            dropout: Some(0.0),
            clip: Some(1.0),
            weight_decay: 0.01,
            batch: self.batch,
            learning_rate: self.learning_rate,
            warmup: self.warmup,
            ..Stage::new("distill", objective, [train]).teacher(teacher.to_string_lossy())
        };
        let stage = match (self.steps, self.epochs) {
            (Some(steps), _) => stage.steps(steps),
            (None, epochs) => stage.epochs(epochs.unwrap_or(1.0)),
        };
        let dev = self.dev.clone().map(|dev| self.anchored(dev));
        let dev = dev.unwrap_or_else(|| graded(&texts.join(Self::GRADED)));
        let recipe = Recipe {
            description: format!("{}, a student of {}", student.label(), self.teacher),
            seed: self.seed,
            max_tokens: Some(self.max_tokens),
            checkpoint_seconds: self.checkpoint_seconds,
            checkpoint_steps: self.checkpoint_steps,
            evaluation: EvaluationSettings {
                dev: Some(dev),
                every: self.evaluate_every,
                patience: None,
            },
            ..Recipe::new(Self::START).stage(stage)
        };
        recipe.validate_at(Path::new(SETTINGS))?;
        Ok(recipe)
    }

    /// A source whose path no longer depends on where one stands.
    fn anchored(&self, source: Source) -> Source {
        Source {
            path: source.path.map(|path| self.base_dir.join(path)),
            ..source
        }
    }
}

/// Pairs with the teacher's cosines as grades.
fn graded(path: &Path) -> Source {
    use crate::data::Column::Index;
    Source {
        header: Some(false),
        quoting: Some(false),
        label: Some(Index(0)),
        first: Some(Index(1)),
        second: Some(Index(2)),
        ..Source::file(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> DistillSettings {
        DistillSettings {
            teacher: "big".into(),
            base_dir: "/somewhere".into(),
            objective: Imitation::Both,
            epochs: None,
            steps: Some(30),
            minutes: None,
            batch: 64,
            learning_rate: 5e-4,
            warmup: 0.1,
            max_tokens: 128,
            seed: 3,
            evaluate_every: Some(10),
            checkpoint_seconds: 120,
            checkpoint_steps: None,
            dev: Some(Source::file("dev.tsv")),
            no_tests: false,
            texts: vec![Source::file("a.txt")],
            students: vec![student()],
        }
    }

    fn student() -> StudentShape {
        StudentShape::Picked {
            layers: vec![0, 5],
            intermediate: None,
        }
    }

    #[test]
    fn settings_survive_their_file_and_students_may_be_added() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(DistillSettings::read(place.path()).unwrap(), None);
        let mut settings = settings();
        settings.write(place.path()).unwrap();
        assert_eq!(
            DistillSettings::read(place.path()).unwrap(),
            Some(settings.clone())
        );
        let before = settings.clone();
        settings.students.push(StudentShape::Fresh {
            layers: 1,
            hidden: 8,
            heads: 2,
            intermediate: 16,
        });
        assert!(settings.is_like(&before));
        settings.write(place.path()).unwrap();
        assert_eq!(
            DistillSettings::read(place.path()).unwrap(),
            Some(settings.clone())
        );
        settings.seed = 4;
        assert!(!settings.is_like(&before));
        std::fs::write(place.path().join(SETTINGS), "teacher = 3").unwrap();
        assert!(DistillSettings::read(place.path()).is_err());
    }

    #[test]
    fn recipes_hold_what_was_set() {
        let recipe = settings().recipe(&student(), Path::new("/big")).unwrap();
        let stage = &recipe.stages[0];
        assert_eq!((recipe.seed, recipe.model.as_str()), (3, "start"));
        assert_eq!((stage.steps, stage.batch, stage.views), (Some(30), 64, 1));
        assert_eq!(
            (stage.also.len(), stage.teachers[0].model.as_str()),
            (1, "/big")
        );
        assert_eq!(stage.dropout, Some(0.0));
        let dev = recipe.evaluation.dev.unwrap();
        assert_eq!(dev.path, Some("/somewhere/dev.tsv".into()));
        let alone = DistillSettings {
            dev: None,
            steps: None,
            objective: Imitation::Rank,
            ..settings()
        };
        let recipe = alone.recipe(&student(), Path::new("/big")).unwrap();
        assert_eq!(recipe.stages[0].epochs, Some(1.0));
        assert!(recipe.stages[0].also.is_empty());
        assert_eq!(
            recipe.evaluation.dev.unwrap().describe(),
            "../texts/held-out.tsv"
        );
        let bad = DistillSettings {
            learning_rate: 0.0,
            ..settings()
        };
        let error = bad.recipe(&student(), Path::new("/big")).unwrap_err();
        assert!(error.to_string().contains("learning_rate"), "{error}");
    }
}
