//! A map from a model's scores to the grades of some pairs.

use super::{Environment, JobError, ObservedPairs};
use crate::Result;
use crate::calibration::{COVERAGE, Calibration, RawScore};
use crate::data::Source;
use crate::eval::{EvalTask, PairScorer};
use crate::output::Inputs;
use crate::util::Observer;
use std::path::{Path, PathBuf};

/// What is calibrated, on what.
#[derive(Debug, Clone)]
pub struct CalibrateSettings {
    /// The model: a folder that is written into, or any model with `output`.
    pub model: String,
    /// Graded pairs.
    pub pairs: Source,
    /// The lowest and the highest grade there can be; by default those found.
    pub scale: Option<(f64, f64)>,
    /// What to map from; by default whatever predicts the grades better.
    pub score: Option<RawScore>,
    /// The share of grades that intervals are made to cover.
    pub coverage: f64,
    /// Where to write a calibrated copy of the model, which is then left alone.
    pub output: Option<PathBuf>,
    /// Whether a calibration in the model's folder that somebody else wrote is
    /// replaced.
    pub overwrite: bool,
}

/// A calibration and its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The calibration.
    pub calibration: Calibration,
    /// Where it was written.
    pub path: PathBuf,
    /// What to say of texts that were truncated or hardly known.
    pub notes: Vec<String>,
}

impl CalibrateSettings {
    /// The usual settings.
    pub fn new(model: impl Into<String>, pairs: Source) -> Self {
        Self {
            model: model.into(),
            pairs,
            scale: None,
            score: None,
            coverage: COVERAGE,
            output: None,
            overwrite: false,
        }
    }

    /// Refuses to write where something of somebody else is.
    fn check(&self, environment: &Environment) -> Result<()> {
        // Models in the shared cache are not ours to change.
        if self.output.is_none() && !Path::new(&self.model).is_dir() {
            return Err(JobError::NoFolder(self.model.clone()).into());
        }
        let mut inputs = Inputs::new();
        inputs.add_source("the pairs", &self.pairs, Path::new(""), &environment.data);
        match &self.output {
            Some(output) => {
                let inputs = inputs.with("the model", &self.model);
                inputs.check_folder(output, "--output")?;
                match std::fs::symlink_metadata(output) {
                    Ok(_) => Err(JobError::Exists(output.clone()).into()),
                    Err(_) => Ok(()),
                }
            }
            None => {
                let path = Calibration::path(Path::new(&self.model));
                let overwrite = self.overwrite || Calibration::is_own(&path);
                inputs.check_file(&path, "--output", overwrite)
            }
        }
    }
}

/// Fits a calibration and writes it into the model's folder, or into that of a
/// copy.
///
/// # Errors
/// Where pairs or model cannot be used, the grades cannot be fitted, or something
/// of somebody else is in the way.
pub fn calibrate(
    settings: &CalibrateSettings,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Fitted> {
    settings.check(environment)?;
    let (source, data) = (&settings.pairs, &environment.data);
    let task = EvalTask::from_source("pairs", source, Path::new(""), data);
    let task = task.map_err(JobError::input)?;
    let model = environment.find(&settings.model, observer)?;
    let loaded = environment.load_pair_model(&model.folder, None, observer)?;
    let wanted = settings.score.filter(|wanted| *wanted != RawScore::Grade);
    if let Some(wanted) = wanted.filter(|wanted| *wanted != loaded.raw_score()) {
        return Err(JobError::NoSuchScore {
            model: model.name,
            given: loaded.raw_score().name(),
            wanted: wanted.name(),
        }
        .into());
    }
    let pair_scores = {
        let observed = ObservedPairs::new(&loaded, loaded.work(), observer);
        let texts = task.iter().map(|p| (p.first.as_str(), p.second.as_str()));
        let texts: Vec<(&str, &str)> = texts.collect();
        observed.score_pairs(&texts).map_err(JobError::model)?
    };
    let grades: Vec<f64> = task.iter().map(|p| p.label).collect();
    let (scale, coverage) = (settings.scale.unwrap_or(task.scale), settings.coverage);
    let on = match source.path.as_deref().and_then(Path::file_name) {
        Some(name) => name.to_string_lossy().into_owned(),
        None => source.describe(),
    };
    let fit =
        |score, scores: &[f64]| Calibration::fit(score, scores, &grades, scale, coverage, &on);
    let calibration = match (settings.score, &pair_scores.grades) {
        (None, _) => {
            let head = loaded.head();
            Calibration::best(&pair_scores, head, &grades, scale, coverage, &on)
        }
        (Some(RawScore::Grade), Some(predicted)) => fit(RawScore::Grade, predicted),
        (Some(RawScore::Grade), None) => return Err(JobError::NoHead(model.name).into()),
        (Some(raw), _) => fit(raw, &pair_scores.raw),
    };
    let calibration = calibration.map_err(|e| JobError::input(e.into()))?;
    let target = match &settings.output {
        Some(output) => {
            let card = std::fs::read_to_string(model.folder.join("README.md")).unwrap_or_default();
            loaded.save(output, &card)?;
            output
        }
        None => &model.folder,
    };
    let path = Calibration::path(target);
    if path.exists() {
        observer.note(&format!("{}: replaced, there was one", path.display()));
    }
    calibration.save(target)?;
    Ok(Fitted {
        calibration,
        path,
        notes: loaded.notes(),
    })
}
