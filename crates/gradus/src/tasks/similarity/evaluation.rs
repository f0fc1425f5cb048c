use crate::calibration::{COVERAGE, Calibration, CalibrationError};
use crate::data::{GradedPair, Source};
use crate::eval::{Correlation, Geometry, PairScores, Undefined, is_level, pearson, spearman};
use crate::models::{EncodeOptions, SentenceEncoder};
use crate::nn::{Features, RegressionHead};
use crate::text::{TextCounts, Tokens};
use crate::training::TrainError;
use crate::util::interned::Interned;
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use serde::{Deserialize, Serialize};

/// Pairs to select by, tokenised once.
pub struct DevSet {
    /// What it is called in logs.
    pub name: String,
    texts: Vec<Tokens>,
    pairs: Vec<(usize, usize)>,
    grades: Vec<f64>,
    scale: (f64, f64),
}

/// The dev set's scores at one point of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DevEvaluation {
    /// The stage's name.
    pub stage: String,
    /// The optimizer step in the stage; 0 is before the first.
    pub step: u64,
    /// The set.
    pub dev: String,
    /// Of the cosines.
    pub spearman: Correlation,
    /// Of the cosines.
    pub pearson: Correlation,
    /// Of the head's grades, where there is a head that is more than a map of
    /// the cosine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_spearman: Option<Correlation>,
    /// Of the head's grades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_pearson: Option<Correlation>,
    /// How the vectors are spread.
    pub geometry: Geometry,
}

impl DevEvaluation {
    /// The scores in one line.
    pub fn describe(&self) -> String {
        let percent = |score: Correlation| match score.value() {
            Some(value) => format!("{:.2}", 100.0 * value),
            None => "undefined".into(),
        };
        let mut line = format!("{} {}", self.dev, percent(self.spearman));
        if let Some(head) = self.head_spearman {
            line += &format!(", head {}", percent(head));
        }
        if let Some(cosine) = self.geometry.mean_cosine {
            line += &format!(", random pairs' cosine {cosine:.2}");
        }
        line
    }
}

/// Fewer pairs have no order worth following: two always correlate by 1 or -1.
const LEAST_PAIRS: usize = 3;

/// Whether a model can be chosen by these pairs.
///
/// # Errors
/// [`TrainError::Dev`] where there are too few, or their grades do not differ.
pub(crate) fn check_dev(dev: &str, pairs: &[GradedPair]) -> Result<(), TrainError> {
    let first = pairs.first().map_or(f64::NAN, |p| p.label);
    let problem = if pairs.len() < LEAST_PAIRS {
        let pairs = match pairs.len() {
            1 => "1 pair".to_owned(),
            n => format!("{n} pairs"),
        };
        format!("it has {pairs} and needs at least {LEAST_PAIRS}")
    } else if pairs.iter().all(|p| p.label == first) {
        format!("all its {} grades are {first}", pairs.len())
    } else {
        return Ok(());
    };
    let dev = dev.to_owned();
    Err(TrainError::Dev { dev, problem })
}

impl DevSet {
    /// Tokenises pairs.
    ///
    /// # Errors
    /// Where the tokenizer fails.
    pub fn new<B: Backend>(
        name: String,
        pairs: &[GradedPair],
        scale: Option<(f64, f64)>,
        model: &SentenceEncoder<B>,
    ) -> Result<Self> {
        let mut unique = Interned::default();
        let places = pairs
            .iter()
            .map(|p| (unique.place(&p.first), unique.place(&p.second)))
            .collect();
        let grades: Vec<f64> = pairs.iter().map(|p| p.label).collect();
        let scale = scale.unwrap_or_else(|| {
            let low = grades.iter().copied().fold(f64::INFINITY, f64::min);
            (
                low,
                grades.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            )
        });
        Ok(Self {
            name,
            texts: model.tokenizer().encode(&unique.texts)?,
            pairs: places,
            grades,
            scale,
        })
    }

    /// How many of its texts are cut or hardly known.
    pub fn counts(&self) -> TextCounts {
        TextCounts::of(self.texts.iter().map(|text| &text.coverage))
    }

    /// The name a source has in logs.
    pub fn name_of(source: &Source) -> String {
        source.describe()
    }

    /// Scores a model.
    pub fn evaluate<B: Backend>(
        &self,
        model: &SentenceEncoder<B>,
        head: Option<&RegressionHead>,
        stage: &str,
        step: u64,
    ) -> DevEvaluation {
        let embeddings = model.encode_tokens(&self.texts, EncodeOptions::default());
        self.score(&embeddings, head, stage, step)
    }

    /// Fits a calibration of the model's scores to the grades.
    ///
    /// # Errors
    /// [`CalibrationError`] where the pairs do not allow one.
    pub fn calibrate<B: Backend>(
        &self,
        model: &SentenceEncoder<B>,
    ) -> Result<Calibration, CalibrationError> {
        let embeddings = model.encode_tokens(&self.texts, EncodeOptions::default());
        let pair_scores = PairScores::of_rows(&embeddings, model.head(), &self.pairs);
        let (grades, scale) = (&self.grades, self.scale);
        Calibration::best(
            &pair_scores,
            model.head(),
            grades,
            scale,
            COVERAGE,
            &self.name,
        )
    }

    fn score(
        &self,
        embeddings: &Embeddings,
        head: Option<&RegressionHead>,
        stage: &str,
        step: u64,
    ) -> DevEvaluation {
        // A head on the cosine alone ranks pairs as the cosine does.
        let head = head.filter(|head| head.features != Features::Cosine);
        let scores = PairScores::of_rows(embeddings, head, &self.pairs);
        let (cosines, grades) = (scores.raw, scores.grades);
        let high = self.scale.0 + 0.8 * (self.scale.1 - self.scale.0);
        let positives: Vec<_> = self
            .pairs
            .iter()
            .zip(&self.grades)
            .filter(|(_, g)| **g >= high)
            .map(|(p, _)| *p)
            .collect();
        let level = is_level(&cosines);
        let of_cosines = |correlation: fn(&[f64], &[f64]) -> Correlation| match level {
            true => Correlation::Undefined(Undefined::Constant),
            false => correlation(&cosines, &self.grades),
        };
        DevEvaluation {
            stage: stage.to_owned(),
            step,
            dev: self.name.clone(),
            spearman: of_cosines(spearman),
            pearson: of_cosines(pearson),
            head_spearman: grades.as_ref().map(|g| spearman(g, &self.grades)),
            head_pearson: grades.as_ref().map(|g| pearson(g, &self.grades)),
            geometry: Geometry::of(embeddings, &positives, 0),
        }
    }
}
