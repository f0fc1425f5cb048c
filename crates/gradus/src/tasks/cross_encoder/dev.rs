//! The pairs that a cross-encoder is chosen by.

use crate::Result;
use crate::calibration::{COVERAGE, Calibration, CalibrationError, RawScore};
use crate::data::GradedPair;
use crate::eval::{Correlation, Undefined, is_level, pearson, spearman};
use crate::models::CrossEncoder;
use crate::text::{TextCounts, Tokens};
use gradus_kernels::Backend;
use serde::{Deserialize, Serialize};

/// Pairs to select by, tokenised once.
pub(crate) struct CrossDevSet {
    /// What it is called in logs.
    pub name: String,
    tokens: Vec<Tokens>,
    grades: Vec<f64>,
    scale: (f64, f64),
}

/// The dev set's scores at one point of a cross-encoder's run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreEvaluation {
    /// The stage's name.
    pub stage: String,
    /// The optimizer step in the stage; 0 is before the first.
    pub step: u64,
    /// The set.
    pub dev: String,
    /// Of the scores.
    pub spearman: Correlation,
    /// Of the scores.
    pub pearson: Correlation,
}

impl ScoreEvaluation {
    /// The scores in one line.
    pub fn describe(&self) -> String {
        match self.spearman.value() {
            Some(value) => format!("{} {:.2}", self.dev, 100.0 * value),
            None => format!("{} undefined", self.dev),
        }
    }
}

impl CrossDevSet {
    /// Tokenises pairs.
    pub fn new<B: Backend>(
        name: String,
        pairs: &[GradedPair],
        scale: Option<(f64, f64)>,
        model: &CrossEncoder<B>,
    ) -> Result<Self> {
        let texts: Vec<(&str, &str)> = pairs.iter().map(|p| (&*p.first, &*p.second)).collect();
        let grades: Vec<f64> = pairs.iter().map(|p| p.label).collect();
        let low = grades.iter().copied().fold(f64::INFINITY, f64::min);
        let high = grades.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Ok(Self {
            name,
            tokens: model.tokenizer().encode_pairs(&texts)?,
            grades,
            scale: scale.unwrap_or((low, high)),
        })
    }

    /// How many of its pairs are cut or hardly known.
    pub fn counts(&self) -> TextCounts {
        TextCounts::of(self.tokens.iter().map(|text| &text.coverage))
    }

    fn scores<B: Backend>(&self, model: &CrossEncoder<B>) -> Vec<f64> {
        model.pair_scores(&model.logits(&self.tokens))
    }

    /// Scores a model.
    pub fn evaluate<B: Backend>(
        &self,
        model: &CrossEncoder<B>,
        stage: &str,
        step: u64,
    ) -> ScoreEvaluation {
        let scores = self.scores(model);
        let level = is_level(&scores);
        let of_scores = |correlation: fn(&[f64], &[f64]) -> Correlation| match level {
            true => Correlation::Undefined(Undefined::Constant),
            false => correlation(&scores, &self.grades),
        };
        ScoreEvaluation {
            stage: stage.to_owned(),
            step,
            dev: self.name.clone(),
            spearman: of_scores(spearman),
            pearson: of_scores(pearson),
        }
    }

    /// Fits a calibration of the model's scores to the grades.
    pub fn calibrate<B: Backend>(
        &self,
        model: &CrossEncoder<B>,
    ) -> Result<Calibration, CalibrationError> {
        let (scores, name) = (self.scores(model), &self.name);
        let (grades, scale) = (&self.grades, self.scale);
        Calibration::fit(RawScore::Score, &scores, grades, scale, COVERAGE, name)
    }
}
