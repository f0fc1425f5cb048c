use super::PairScore;
use crate::Result;
use crate::calibration::{Calibration, RawScore};
use crate::embeddings::cosine;
use crate::eval::Similarity;
use crate::format::{ModelError, PromptChoice};
use crate::jobs::chunks::CHUNK;
use crate::jobs::observed::{finite_scores, finite_vectors};
use crate::jobs::{Environment, JobError, Model, PairModel};
use crate::models::{CrossEncoder, SentenceEncoder, inputs_at_a_time};
use crate::nn::RegressionHead;
use crate::text::Coverage;
use crate::util::Observer;

/// A model that scores pairs, with the regression head and the calibration of its
/// folder.
pub struct Scorer {
    name: String,
    model: PairModel,
    calibration: Option<Calibration>,
}

impl Scorer {
    /// Loads a model: one that makes vectors, or a cross-encoder.
    ///
    /// # Errors
    /// As [`Environment::load_pair_model`]; where the folder's calibration cannot be
    /// read, or maps numbers that the model does not give.
    pub fn load(
        model: &Model,
        prompt: Option<PromptChoice>,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let folder = &model.folder;
        let loaded = environment.load_pair_model_briefly(folder, prompt, observer)?;
        let calibration = Calibration::load(folder).map_err(JobError::model)?;
        let foreign = calibration.as_ref().and_then(|c| match c.score {
            RawScore::Grade => loaded
                .head()
                .is_none()
                .then_some("the grades of a regression head"),
            RawScore::Cosine => (loaded.raw_score() != c.score).then_some("the cosines of vectors"),
            RawScore::Score => {
                (loaded.raw_score() != c.score).then_some("the scores of a cross-encoder")
            }
        });
        if let Some(what) = foreign {
            let path = Calibration::path(folder);
            let message = format!(
                "maps {what}, which the model does not have; \
                 fit it again with `gradus calibrate --overwrite`, or remove the file"
            );
            return Err(JobError::model(ModelError::Config { path, message }.into()));
        }
        Ok(Self {
            name: model.name.clone(),
            model: loaded,
            calibration,
        })
    }

    /// The model.
    pub fn model(&self) -> &PairModel {
        &self.model
    }

    /// Its regression head, where it has one.
    pub fn head(&self) -> Option<&RegressionHead> {
        self.model.head()
    }

    /// Its calibration, where it has one.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// How alike the texts of each pair are, in the order of the pairs. A pair's
    /// score does not depend on the others.
    ///
    /// # Errors
    /// Where the tokenizer or the device fails; [`JobError::NotFinite`] and
    /// [`JobError::NotFiniteScore`].
    pub fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<PairScore>> {
        match &self.model {
            PairModel::Sentence(encoder) => self.by_vectors(encoder, pairs),
            PairModel::Cross(model) => self.by_scores(model, pairs),
        }
    }

    /// How many pairs suit the device at a time.
    pub(super) fn at_a_time(&self) -> usize {
        match &self.model {
            PairModel::Sentence(encoder) => inputs_at_a_time(encoder.backend(), CHUNK),
            PairModel::Cross(model) => inputs_at_a_time(model.backend(), CHUNK),
        }
    }

    fn by_vectors(
        &self,
        encoder: &SentenceEncoder,
        pairs: &[(&str, &str)],
    ) -> Result<Vec<PairScore>> {
        let texts: Vec<&str> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
        let (tokens, vectors) = finite_vectors(&self.name, encoder, &texts)?;
        let scores = (0..pairs.len()).map(|pair| {
            let (a, b) = (2 * pair, 2 * pair + 1);
            let coverage = [tokens[a].coverage, tokens[b].coverage];
            self.of_vectors(vectors.row(a), vectors.row(b), &coverage)
        });
        Ok(scores.collect())
    }

    fn by_scores(&self, model: &CrossEncoder, pairs: &[(&str, &str)]) -> Result<Vec<PairScore>> {
        let (tokens, scores) = finite_scores(&self.name, model, pairs)?;
        let scores = scores.into_iter().zip(&tokens);
        Ok(scores
            .map(|(score, tokens)| self.of_score(score, tokens.coverage))
            .collect())
    }

    /// The same of the vectors of a pair's texts, and of what the tokenizer made of them.
    pub fn of_vectors(&self, first: &[f32], second: &[f32], coverage: &[Coverage]) -> PairScore {
        let cosine = cosine(first, second);
        let grade = self.head().map(|h| h.grade(first, second));
        let calibrated = self.calibration.as_ref().map(|c| match (c.score, grade) {
            (RawScore::Grade, Some(grade)) => c.apply(grade),
            _ => c.apply(cosine),
        });
        PairScore::new((Similarity::Cosine, cosine), grade, calibrated, coverage)
    }

    /// The same of the score of a cross-encoder, as
    /// [`CrossEncoder::pair_scores`] gives it.
    pub fn of_score(&self, score: f64, coverage: Coverage) -> PairScore {
        let calibrated = self.calibration.as_ref().map(|c| c.apply(score));
        let raw = (Similarity::Score, score);
        PairScore::new(raw, None, calibrated, &[coverage])
    }

    /// Sentences on inputs so far that were truncated, or that the vocabulary
    /// hardly knows; none where there were none.
    pub fn notes(&self) -> Vec<String> {
        self.model.notes()
    }
}
