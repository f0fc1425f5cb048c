//! Making a small BERT from plain text, or adapting a model to texts.

use super::environment::JobBackend;
use super::recipes::check_compute;
use super::run_folders::{add_model, existing, take};
use super::{Environment, JobError};
use crate::Result;
use crate::models::{TokenizerFiles, write_fresh};
use crate::output::{Claim, Inputs, RunKind, Unfinished};
use crate::tasks::masked_lm::{Pretraining, PretrainingSettings, PretrainingSummary, read_texts};
use crate::text::train_word_pieces;
use crate::training::{RunFolder, TrainingObserver};
use crate::util::Observer;
use std::path::{Path, PathBuf};

/// Where the tokenizer of a fresh model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VocabularySource {
    /// It is that of a model.
    Of(String),
    /// It is learned from the texts, so many tokens.
    Learned(usize),
}

/// What is trained, where.
#[derive(Debug, Clone)]
pub struct PretrainSettings {
    /// The training. Relative paths start where the program runs.
    pub training: PretrainingSettings,
    /// The tokenizer, where a fresh model is made.
    pub vocabulary: VocabularySource,
    /// The run's folder.
    pub root: PathBuf,
    /// Whether a run that is in the folder is begun anew: what it wrote is removed.
    pub overwrite: bool,
}

/// Begins a pretraining and runs it to its end.
///
/// # Errors
/// Where settings, texts or model cannot be used, or something else is in the run's
/// folder; as [`train`](crate::training::train).
pub fn pretrain(
    settings: &PretrainSettings,
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<PretrainingSummary> {
    let (training, base) = (settings.training.clone(), Path::new("."));
    let root = &settings.root;
    training.validate()?;
    let mut inputs = Inputs::new();
    let tokenizer = match &settings.vocabulary {
        VocabularySource::Of(model) if training.from.is_none() => Some(model),
        _ => None,
    };
    for model in training.from.iter().chain(tokenizer) {
        add_model(&mut inputs, "the model", base, model);
    }
    for source in &training.texts {
        inputs.add_source("a text file", source, base, &environment.data);
    }
    // Before the long work of preparing.
    let existing = existing(settings.overwrite);
    let claim = Claim::check(root, RunKind::Pretrain, existing, &inputs)?;
    let texts = read(&training, base, observer)?;
    let (mut task, held) = match &training.from {
        Some(from) => {
            let model = environment.find(from, observer)?.folder;
            let task = prepare(training, &texts, &model, environment, observer)?;
            (task, take(claim, environment, observer)?)
        }
        None => {
            let tokenizer = settings.tokenizer(&texts, environment, observer)?;
            let write = |start: &Path| match &training.fresh {
                Some(sizes) => write_fresh(start, sizes, &tokenizer, training.seed),
                None => Ok(()),
            };
            if settings.overwrite {
                // What is wrong with the sizes shows before a run is removed.
                write(Unfinished::beside(root).path())?;
            }
            let held = take(claim, environment, observer)?;
            let start = PretrainingSettings::start(root);
            write(&start)?;
            let task = prepare(training, &texts, &start, environment, observer)?;
            (task, held)
        }
    };
    let folder = task.settings().begin_in(RunFolder::new(held), base)?;
    observer.resumable(root);
    task.execute(&folder, observer)
}

/// Goes on with the pretraining in `root`, to the bits of one that was never
/// stopped.
///
/// # Errors
/// Where there is none, what it reads has changed, or the environment has another
/// precision; as [`train`](crate::training::train).
pub fn resume(
    root: &Path,
    environment: &Environment,
    observer: &mut dyn TrainingObserver,
) -> Result<PretrainingSummary> {
    let (folder, settings) = PretrainingSettings::open_folder(root)?;
    observer.resumable(root);
    let environment = &environment.continuing(folder.marker());
    let base = folder.base_dir()?;
    check_compute(
        "a run",
        (settings.precision, settings.device),
        environment,
        observer,
    )?;
    let texts = read(&settings, &base, observer)?;
    let model = match &settings.from {
        Some(from) => environment.find_from(&base, from, observer)?,
        None => PretrainingSettings::start(root),
    };
    let mut task = prepare(settings, &texts, &model, environment, observer)?;
    task.execute(&folder, observer)
}

impl PretrainSettings {
    /// The tokenizer of an untrained model.
    fn tokenizer(
        &self,
        texts: &[String],
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<TokenizerFiles> {
        match &self.vocabulary {
            VocabularySource::Of(model) => {
                let model = environment.find(model, observer)?;
                Ok(TokenizerFiles::Of(model.folder))
            }
            VocabularySource::Learned(tokens) => {
                observer.note("learning the vocabulary");
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let json = train_word_pieces(&texts, *tokens);
                let json = json.map_err(|e| JobError::Vocabulary(e.to_string()))?;
                Ok(TokenizerFiles::Json(json))
            }
        }
    }
}

fn read(
    settings: &PretrainingSettings,
    base: &Path,
    observer: &mut dyn Observer,
) -> Result<Vec<String>> {
    observer.note("reading the texts");
    read_texts(&settings.texts, base).map_err(JobError::input)
}

/// The task, whose settings have the precision it got.
fn prepare(
    mut settings: PretrainingSettings,
    texts: &[String],
    model: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Pretraining<JobBackend>> {
    let backend =
        environment.training_backend((&mut settings.precision, &mut settings.device), observer)?;
    Pretraining::prepare(settings, texts, model, backend, observer)
}
