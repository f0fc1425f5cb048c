//! The pairs, or lists, that a cross-encoder is chosen by.

use super::ListEvaluation;
use super::ranking::{can_choose, ranked};
use crate::Result;
use crate::calibration::{COVERAGE, Calibration, CalibrationError, RawScore};
use crate::data::{DataRoot, GradedPair, PairIndex, Source};
use crate::eval::{Correlation, Undefined, is_level, pearson, spearman};
use crate::models::CrossEncoder;
use crate::recipe::SelectionMetric;
use crate::tasks::similarity::check_dev;
use crate::text::{TextCounts, Tokens};
use crate::training::{Details, Evaluation, RunInputs, TrainError};
use crate::util::content_hash::hex;
use gradus_kernels::Backend;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Display;
use std::path::Path;

/// What a dev set holds, before it is tokens.
pub(crate) struct DevRows {
    /// What it is called in logs.
    pub name: String,
    /// Its pairs: of a list, the query with each document.
    pub pairs: Vec<GradedPair>,
    scale: Option<(f64, f64)>,
    /// Offsets of lists among the pairs, where it holds lists.
    lists: Option<Vec<usize>>,
}

impl DevRows {
    /// Reads graded pairs, or lists where the source says so.
    ///
    /// # Errors
    /// Those of the source; [`TrainError::Dev`] and [`TrainError::DevLists`] where it
    /// cannot choose a model.
    pub fn read(source: &Source, (base_dir, root): (&Path, &DataRoot)) -> Result<Self> {
        let name = source.describe();
        if SelectionMetric::of(source) == SelectionMetric::Spearman {
            let loaded = source.load(base_dir, root)?;
            check_dev(&name, &loaded.pairs)?;
            return Ok(Self {
                name,
                pairs: loaded.pairs,
                scale: loaded.scale,
                lists: None,
            });
        }
        let loaded = source.lists(&PairIndex::default(), base_dir, root)?;
        let (mut pairs, mut lists) = (Vec::new(), vec![0]);
        for list in loaded.lists {
            let rows = list.documents.into_iter().zip(list.labels);
            pairs.extend(rows.map(|(d, label)| GradedPair::new(list.query.as_str(), d, label)));
            lists.push(pairs.len());
        }
        let labels: Vec<f64> = pairs.iter().map(|p| p.label).collect();
        if !can_choose(&labels, &lists) {
            let (dev, lists) = (name, lists.len() - 1);
            return Err(TrainError::DevLists { dev, lists }.into());
        }
        Ok(Self {
            name,
            pairs,
            scale: loaded.scale,
            lists: Some(lists),
        })
    }

    /// Adds them to what the run's numbers depend on.
    pub fn add_to(&self, inputs: RunInputs) -> RunInputs {
        let what = format!("the dev set {}", self.name);
        let mut inputs = inputs.with_pairs(&what, &self.pairs, self.scale);
        if let Some(lists) = &self.lists {
            let mut hash = Sha256::new();
            for &end in lists {
                hash.update((end as u64).to_le_bytes());
            }
            let what = format!("how the dev set {} falls into lists", self.name);
            inputs.add(&what, hex(hash.finalize()));
        }
        inputs
    }
}

/// Pairs or lists to select by, tokenised once.
pub(crate) struct CrossDevSet {
    /// What it is called in logs.
    pub name: String,
    tokens: Vec<Tokens>,
    grades: Vec<f64>,
    scale: (f64, f64),
    lists: Option<Vec<usize>>,
}

/// The scores of a dev set of pairs at one point of a cross-encoder's run.
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
    pub fn new<B: Backend>(rows: DevRows, model: &CrossEncoder<B>) -> Result<Self> {
        let pairs = rows.pairs.iter();
        let texts: Vec<(&str, &str)> = pairs.map(|p| (&*p.first, &*p.second)).collect();
        let grades: Vec<f64> = rows.pairs.iter().map(|p| p.label).collect();
        let low = grades.iter().copied().fold(f64::INFINITY, f64::min);
        let high = grades.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Ok(Self {
            name: rows.name,
            tokens: model.tokenizer().encode_pairs(&texts)?,
            grades,
            scale: rows.scale.unwrap_or((low, high)),
            lists: rows.lists,
        })
    }

    /// Whether it holds lists, whose labels are no grades.
    pub fn is_of_lists(&self) -> bool {
        self.lists.is_some()
    }

    /// How many of its pairs are cut or hardly known.
    pub fn counts(&self) -> TextCounts {
        TextCounts::of(self.tokens.iter().map(|text| &text.coverage))
    }

    fn scores<B: Backend>(&self, model: &CrossEncoder<B>) -> Vec<f64> {
        model.pair_scores(&model.logits(&self.tokens))
    }

    /// Scores a model, as the loop sees it.
    pub fn evaluate<B: Backend>(
        &self,
        model: &CrossEncoder<B>,
        stage: &str,
        step: u64,
    ) -> Evaluation {
        let scores = self.scores(model);
        let (stage, dev) = (stage.to_owned(), self.name.clone());
        match &self.lists {
            Some(lists) => {
                let found = ranked(&scores, &self.grades, lists);
                let found = ListEvaluation {
                    stage,
                    step,
                    dev,
                    metric: SelectionMetric::Ndcg,
                    ndcg: found.map(|(ndcg, _)| ndcg),
                    mrr: found.map(|(_, mrr)| mrr),
                    queries: lists.len() - 1,
                };
                let why = found.ndcg.is_none().then_some("a score is not finite");
                self.evaluation(
                    (&found.stage, step),
                    (&found, found.describe()),
                    found.ndcg,
                    why,
                )
            }
            None => {
                let level = is_level(&scores);
                let of_scores = |correlation: fn(&[f64], &[f64]) -> Correlation| match level {
                    true => Correlation::Undefined(Undefined::Constant),
                    false => correlation(&scores, &self.grades),
                };
                let found = ScoreEvaluation {
                    stage,
                    step,
                    dev,
                    spearman: of_scores(spearman),
                    pearson: of_scores(pearson),
                };
                let why = match found.spearman {
                    Correlation::Undefined(why) => Some(why),
                    _ => None,
                };
                let score = found.spearman.value();
                self.evaluation((&found.stage, step), (&found, found.describe()), score, why)
            }
        }
    }

    fn evaluation(
        &self,
        (stage, step): (&str, u64),
        (found, words): (&impl Serialize, String),
        score: Option<f64>,
        undefined: Option<impl Display>,
    ) -> Evaluation {
        let warning = |why| {
            format!(
                "the score on {} at step {step} is undefined, as {why}: nothing is selected by it",
                self.name
            )
        };
        let fields = serde_json::to_value(found).unwrap_or_default();
        Evaluation {
            stage: stage.to_owned(),
            step,
            score,
            details: Details {
                words,
                fields: match fields {
                    serde_json::Value::Object(fields) => fields,
                    _ => Default::default(),
                },
            },
            warnings: undefined.map(warning).into_iter().collect(),
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
