//! Scoring models on graded pairs.
//!
//! A task's subsets can be put together in three ways, which give different
//! numbers: correlate all pairs at once, or average the subsets' correlations,
//! plainly or by size. Published tables print the first (SimCSE's fork of
//! SentEval and what followed it); all three are kept here. Nothing is
//! rounded; published averages are of numbers already rounded to two
//! decimals, so that the last digit may differ.

use serde::{Deserialize, Serialize};

use super::pair_scorer::score_all;
use super::{Correlation, EvalTask, PairScorer, PairScores, Similarity, Suite, pearson, spearman};
use crate::Result;
use crate::data::{GradedPair, TextVariant};

/// Which correlation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Of the ranks: what published tables print.
    #[default]
    Spearman,
    /// Of the values.
    Pearson,
}

/// How subsets are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// One correlation over the pairs of all subsets.
    #[default]
    All,
    /// The mean of the subsets' correlations.
    Mean,
    /// Their mean weighted by the subsets' sizes.
    WeightedMean,
}

/// Both correlations over the same pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Spearman's.
    pub spearman: Correlation,
    /// Pearson's.
    pub pearson: Correlation,
}

/// The scores under each [`Aggregation`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Aggregated {
    /// [`Aggregation::All`].
    pub all: Scores,
    /// [`Aggregation::Mean`].
    pub mean: Scores,
    /// [`Aggregation::WeightedMean`].
    pub weighted_mean: Scores,
}

/// The scores on one subset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubsetScores {
    /// Its name; empty for the only one.
    pub name: String,
    /// How many pairs it has.
    pub pairs: usize,
    /// Its scores.
    #[serde(flatten)]
    pub scores: Scores,
}

/// The scores on one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskScores {
    /// Its name.
    pub name: String,
    /// The text that was read.
    pub text: TextVariant,
    /// How many pairs it has.
    pub pairs: usize,
    /// Whether it counts in the average.
    pub in_average: bool,
    /// Its scores.
    #[serde(flatten)]
    pub scores: Aggregated,
    /// Those of its subsets.
    pub subsets: Vec<SubsetScores>,
}

/// The scores of one model on a [`Suite`]. Serialised, correlations lie in
/// -1..1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuiteScores {
    /// The text variant asked for.
    pub text: TextVariant,
    /// What its numbers are: `cosine` of two vectors, or `score` of a
    /// cross-encoder.
    pub similarity: String,
    /// The mean over the tasks that count in it.
    pub average: Aggregated,
    /// The tasks.
    pub tasks: Vec<TaskScores>,
    /// What a reader of the scores must know.
    pub notes: Vec<String>,
}

impl Scores {
    /// The scores of similarities against grades, pair by pair.
    pub fn of(similarities: &[f64], grades: &[f64]) -> Self {
        Self {
            spearman: spearman(similarities, grades),
            pearson: pearson(similarities, grades),
        }
    }

    /// One of the two.
    pub fn get(&self, metric: Metric) -> Correlation {
        match metric {
            Metric::Spearman => self.spearman,
            Metric::Pearson => self.pearson,
        }
    }

    fn weighted_mean(parts: impl Iterator<Item = (Scores, f64)> + Clone) -> Self {
        let of = |metric| {
            let parts = parts.clone().map(|(s, weight)| (s.get(metric), weight));
            Correlation::weighted_mean(parts)
        };
        Self {
            spearman: of(Metric::Spearman),
            pearson: of(Metric::Pearson),
        }
    }
}

impl Aggregated {
    /// The means over the tasks that count in the average.
    pub fn average(tasks: &[TaskScores]) -> Self {
        let of = |aggregation| {
            let counted = tasks.iter().filter(|task| task.in_average);
            Scores::weighted_mean(counted.map(|task| (task.scores.get(aggregation), 1.0)))
        };
        Self {
            all: of(Aggregation::All),
            mean: of(Aggregation::Mean),
            weighted_mean: of(Aggregation::WeightedMean),
        }
    }

    /// One of the three.
    pub fn get(&self, aggregation: Aggregation) -> Scores {
        match aggregation {
            Aggregation::All => self.all,
            Aggregation::Mean => self.mean,
            Aggregation::WeightedMean => self.weighted_mean,
        }
    }
}

impl EvalTask {
    /// The scores of any similarity on this task.
    pub fn score(&self, mut similarity: impl FnMut(&GradedPair) -> f64) -> TaskScores {
        let (mut similarities, mut grades) = (Vec::new(), Vec::new());
        let mut subsets = Vec::with_capacity(self.subsets.len());
        for subset in &self.subsets {
            let start = grades.len();
            similarities.extend(subset.pairs.iter().map(&mut similarity));
            grades.extend(subset.pairs.iter().map(|pair| pair.label));
            subsets.push(SubsetScores {
                name: subset.name.clone(),
                pairs: subset.pairs.len(),
                scores: Scores::of(&similarities[start..], &grades[start..]),
            });
        }
        let weighted = subsets.iter().map(|s| (s.scores, s.pairs as f64));
        let scores = Aggregated {
            all: Scores::of(&similarities, &grades),
            mean: Scores::weighted_mean(weighted.clone().map(|(s, _)| (s, 1.0))),
            weighted_mean: Scores::weighted_mean(weighted),
        };
        TaskScores {
            name: self.name.clone(),
            text: self.text,
            pairs: self.pairs(),
            in_average: self.in_average,
            scores,
            subsets,
        }
    }

    /// The scores of a model's numbers on this task.
    ///
    /// # Errors
    /// Those of the scorer.
    pub fn evaluate(&self, scorer: &dyn PairScorer) -> Result<TaskScores> {
        let texts = self.iter().map(texts_of);
        let raw = score_all(scorer, &texts.collect::<Vec<_>>())?;
        Ok(self.score_all(&ranked(raw)))
    }

    /// The scores of one similarity a pair, in the order of [`EvalTask::iter`].
    fn score_all(&self, similarities: &[f64]) -> TaskScores {
        let mut next = similarities.iter().copied();
        self.score(|_| next.next().unwrap_or(0.0))
    }
}

impl Suite {
    /// The scores of a model's numbers: the cosine of its vectors, or what a
    /// cross-encoder says of pairs. Every different sentence of the suite is
    /// embedded once.
    ///
    /// # Errors
    /// Those of the scorer.
    pub fn evaluate(&self, scorer: &dyn PairScorer) -> Result<SuiteScores> {
        Ok(self.evaluate_pairs(scorer)?.0)
    }

    /// The same, and the numbers of each task's pairs in the order of
    /// [`EvalTask::iter`].
    ///
    /// # Errors
    /// Those of the scorer.
    pub fn evaluate_pairs(&self, scorer: &dyn PairScorer) -> Result<(SuiteScores, Vec<Vec<f64>>)> {
        let pairs = self.tasks.iter().flat_map(EvalTask::iter).map(texts_of);
        let mut scores = score_all(scorer, &pairs.collect::<Vec<_>>())?;
        let mut notes: Vec<String> = self.tasks.iter().flat_map(|t| t.notes.clone()).collect();
        notes.append(&mut scores.notes);
        let similarity = scores.similarity.name().to_string();
        let mut all = ranked(scores).into_iter();
        let of_task = |task: &EvalTask| all.by_ref().take(task.pairs()).collect();
        let similarities: Vec<Vec<f64>> = self.tasks.iter().map(of_task).collect();
        let tasks = self.tasks.iter().zip(&similarities);
        let tasks: Vec<TaskScores> = tasks.map(|(task, of)| task.score_all(of)).collect();
        let scores = SuiteScores {
            text: self.text,
            similarity,
            average: Aggregated::average(&tasks),
            tasks,
            notes,
        };
        Ok((scores, similarities))
    }
}

fn texts_of(pair: &GradedPair) -> (&str, &str) {
    (&pair.first, &pair.second)
}

/// The numbers as they are correlated: a cosine that is not finite counts as 0, as
/// SentEval has it, and a note says so. Scores that are not finite have no
/// correlation.
fn ranked(scores: PairScores) -> Vec<f64> {
    let sound = |cosine: f64| Some(cosine).filter(|c| c.is_finite()).unwrap_or(0.0);
    match scores.similarity {
        Similarity::Cosine => scores.raw.into_iter().map(sound).collect(),
        Similarity::Score => scores.raw,
    }
}
