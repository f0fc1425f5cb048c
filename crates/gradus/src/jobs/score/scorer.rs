use super::PairScore;
use crate::Result;
use crate::calibration::{Calibration, RawScore};
use crate::format::{ModelError, PromptChoice};
use crate::jobs::observed::{finite_vectors, notes_on_texts};
use crate::jobs::{Environment, JobError, Model};
use crate::models::SentenceEncoder;
use crate::nn::RegressionHead;
use crate::util::Observer;

/// A model that scores pairs, with the regression head and the calibration of its
/// folder.
pub struct Scorer {
    name: String,
    encoder: SentenceEncoder,
    calibration: Option<Calibration>,
}

impl Scorer {
    /// Loads a model.
    ///
    /// # Errors
    /// As [`SentenceEncoder::load`]; where the folder's calibration cannot be read,
    /// or maps grades of a head that the model does not have.
    pub fn load(
        model: &Model,
        prompt: Option<PromptChoice>,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let encoder = environment.load_briefly(&model.folder, prompt, observer)?;
        let calibration = Calibration::load(&model.folder).map_err(JobError::model)?;
        let by_head = |c: &Calibration| c.score == RawScore::Grade;
        if calibration.as_ref().is_some_and(by_head) && encoder.head().is_none() {
            let path = Calibration::path(&model.folder);
            let message = "maps the grades of a regression head, which the model does not have; \
                           fit it again with `gradus calibrate --overwrite`, or remove the file";
            let message = message.to_owned();
            return Err(JobError::model(ModelError::Config { path, message }.into()));
        }
        Ok(Self {
            name: model.name.clone(),
            encoder,
            calibration,
        })
    }

    /// The model.
    pub fn encoder(&self) -> &SentenceEncoder {
        &self.encoder
    }

    /// Its regression head, where it has one.
    pub fn head(&self) -> Option<&RegressionHead> {
        self.encoder.head()
    }

    /// Its calibration, where it has one.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// How alike the texts of each pair are, in the order of the pairs. A pair's
    /// score does not depend on the others.
    ///
    /// # Errors
    /// Where the tokenizer or the device fails; [`JobError::NotFinite`].
    pub fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<PairScore>> {
        let texts: Vec<&str> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
        let (tokens, vectors) = finite_vectors(&self.name, &self.encoder, &texts)?;
        let scores = (0..pairs.len()).map(|pair| {
            let (a, b) = (2 * pair, 2 * pair + 1);
            let cosine = vectors.cosine(a, b);
            let grade = self.head().map(|h| h.grade(vectors.row(a), vectors.row(b)));
            let calibrated = self.calibration.as_ref().map(|c| match (c.score, grade) {
                (RawScore::Grade, Some(grade)) => c.apply(grade),
                _ => c.apply(cosine),
            });
            let coverage = [tokens[a].coverage, tokens[b].coverage];
            PairScore::new(cosine, grade, calibrated, coverage)
        });
        Ok(scores.collect())
    }

    /// Sentences on texts so far that were truncated, or that the vocabulary
    /// hardly knows; none where there were none.
    pub fn notes(&self) -> Vec<String> {
        notes_on_texts(&self.encoder)
    }
}
