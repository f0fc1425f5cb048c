//! How well models follow people's grades.

use super::{Environment, JobError, Model, ObservedPairs};
use crate::Result;
use crate::data::{Known, Source, TextVariant};
use crate::eval::{EvalTask, Report, Suite};
use crate::format::{PromptChoice, Provenance};
use crate::output::Inputs;
use crate::util::Observer;
use std::path::{Path, PathBuf};

/// What is scored, on what.
#[derive(Debug, Clone)]
pub struct EvalSettings {
    /// The models by name, one row of the report each.
    pub models: Vec<String>,
    /// The text of STS12-16.
    pub text: TextVariant,
    /// Those of the seven STS tasks that are scored; the average is over them.
    pub tasks: Vec<Known>,
    /// Graded pairs of one's own.
    pub pairs: Vec<Source>,
    /// The prompt before every text; by default each model's own. Cross-encoders take
    /// none.
    pub prompt: Option<PromptChoice>,
}

/// Models and tasks, both at hand.
#[derive(Debug)]
pub struct ModelEvaluation {
    /// The tasks.
    pub suite: Suite,
    /// The models.
    pub models: Vec<Model>,
    files: Vec<PathBuf>,
    prompt: Option<PromptChoice>,
}

impl EvalSettings {
    /// Models on the seven STS tasks in their original text.
    pub fn new(models: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            models: models.into_iter().map(Into::into).collect(),
            text: TextVariant::Original,
            tasks: Known::SUITE.to_vec(),
            pairs: vec![],
            prompt: None,
        }
    }

    fn suite(&self, environment: &Environment) -> Result<Suite> {
        let mut suite = match self.tasks.is_empty() {
            true => Suite {
                text: self.text,
                tasks: vec![],
            },
            false => Suite::load_some(&environment.data, self.text, &self.tasks)?,
        };
        for source in &self.pairs {
            // Reports know tasks by their names.
            let taken = |name: &str| suite.tasks.iter().any(|task| task.name == name);
            let stem = source.path.as_deref().and_then(Path::file_stem);
            let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
            let name = stem.filter(|stem| !taken(stem));
            let name = name.unwrap_or_else(|| source.describe());
            if taken(&name) {
                return Err(JobError::SamePairs(name).into());
            }
            let task = EvalTask::from_source(name, source, Path::new(""), &environment.data);
            suite.tasks.push(task.map_err(JobError::input)?);
        }
        Ok(suite)
    }
}

impl ModelEvaluation {
    /// Reads the tasks and finds the models: what can be wrong shows before the
    /// long work.
    ///
    /// # Errors
    /// Where a data set is not there or cannot be read, or a model cannot be had.
    pub fn prepare(
        settings: &EvalSettings,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let suite = settings.suite(environment)?;
        let models = settings.models.iter();
        let models = models.map(|name| environment.find(name, observer));
        Ok(Self {
            suite,
            models: models.collect::<Result<_>>()?,
            files: settings
                .pairs
                .iter()
                .filter_map(|s| s.path.clone())
                .collect(),
            prompt: settings.prompt.clone(),
        })
    }

    /// What is read, which no report may replace.
    pub fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::new();
        for model in &self.models {
            inputs.add("the model", &model.folder);
        }
        for path in &self.files {
            inputs.add("a file of pairs", path);
        }
        inputs
    }

    /// Scores the models one after the other.
    ///
    /// # Errors
    /// Where a model cannot be used; [`Error::Stopped`](crate::Error::Stopped).
    pub fn run(&self, environment: &Environment, observer: &mut dyn Observer) -> Result<Report> {
        let mut report = Report::default();
        for Model { name, folder } in &self.models {
            let training = Provenance::load(folder).map_err(JobError::model)?;
            let model = environment.load_pair_model(folder, self.prompt.clone(), observer)?;
            let what = format!("{name}: {}", model.work());
            let scores = self
                .suite
                .evaluate(&ObservedPairs::new(&model, what, observer));
            report.push_trained(name, scores.map_err(JobError::model)?, training);
            for note in model.notes() {
                observer.note(&note);
            }
        }
        Ok(report)
    }
}
