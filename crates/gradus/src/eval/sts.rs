//! Scoring models on graded pairs.
//!
//! A task's subsets can be put together in three ways, which give different
//! numbers: correlate all pairs at once, or average the subsets' correlations,
//! plainly or by size. Published tables print the first (SimCSE's fork of
//! SentEval and what followed it); all three are kept here. Nothing is
//! rounded; published averages are of numbers already rounded to two
//! decimals, so that the last digit may differ.

use crate::util::interned::Interned;
use serde::{Deserialize, Serialize};

use super::embedder::embed_all;
use super::{Correlation, Embedder, EvalTask, Suite, pearson, spearman};
use crate::Result;
use crate::data::{GradedPair, TextVariant};
use crate::embeddings::cosine;

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
    /// How two vectors are compared: `cosine`.
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

    /// The scores of the cosine of a model's vectors on this task.
    ///
    /// # Errors
    /// Those of the embedder.
    pub fn evaluate(&self, embedder: &dyn Embedder) -> Result<TaskScores> {
        let vectors = Vectors::of([self].into_iter(), embedder)?;
        Ok(self.score(|pair| vectors.cosine(pair)))
    }
}

impl Suite {
    /// The scores of the cosine of a model's vectors. Every different sentence
    /// of the suite is embedded once.
    ///
    /// # Errors
    /// Those of the embedder.
    pub fn evaluate(&self, embedder: &dyn Embedder) -> Result<SuiteScores> {
        Ok(self.evaluate_pairs(embedder)?.0)
    }

    /// The same, and the cosines of each task's pairs in the order of
    /// [`EvalTask::iter`].
    ///
    /// # Errors
    /// Those of the embedder.
    pub fn evaluate_pairs(&self, embedder: &dyn Embedder) -> Result<(SuiteScores, Vec<Vec<f64>>)> {
        let vectors = Vectors::of(self.tasks.iter(), embedder)?;
        let of_task = |task: &EvalTask| task.iter().map(|pair| vectors.cosine(pair)).collect();
        let similarities: Vec<Vec<f64>> = self.tasks.iter().map(of_task).collect();
        let score = |(task, similarities): (&EvalTask, &Vec<f64>)| {
            let mut next = similarities.iter().copied();
            task.score(|_| next.next().unwrap_or(0.0))
        };
        let tasks = self.tasks.iter().zip(&similarities);
        let tasks: Vec<TaskScores> = tasks.map(score).collect();
        let average = Aggregated::average(&tasks);
        let mut notes: Vec<String> = self.tasks.iter().flat_map(|t| t.notes.clone()).collect();
        if vectors.broken > 0 {
            notes.push(format!(
                "{} of {} sentences have a vector that is zero or not finite; their cosine counts as 0",
                vectors.broken,
                vectors.texts.texts.len()
            ));
        }
        let scores = SuiteScores {
            text: self.text,
            similarity: "cosine".to_string(),
            average,
            tasks,
            notes,
        };
        Ok((scores, similarities))
    }
}

/// The vectors of all sentences of some tasks.
struct Vectors<'a> {
    texts: Interned<'a>,
    embeddings: crate::Embeddings,
    /// How many vectors have no direction.
    broken: usize,
}

impl<'a> Vectors<'a> {
    fn of(tasks: impl Iterator<Item = &'a EvalTask>, embedder: &dyn Embedder) -> Result<Self> {
        let mut texts = Interned::default();
        for pair in tasks.flat_map(EvalTask::iter) {
            texts.place(&pair.first);
            texts.place(&pair.second);
        }
        let embeddings = embed_all(embedder, &texts.texts)?;
        let directed =
            |row: &[f32]| row.iter().all(|v| v.is_finite()) && row.iter().any(|v| *v != 0.0);
        let broken = (0..embeddings.rows())
            .filter(|&i| !directed(embeddings.row(i)))
            .count();
        Ok(Self {
            texts,
            embeddings,
            broken,
        })
    }

    fn cosine(&self, pair: &GradedPair) -> f64 {
        let row = |text: &str| self.texts.find(text).map(|i| self.embeddings.row(i));
        match (row(&pair.first), row(&pair.second)) {
            (Some(a), Some(b)) => Some(cosine(a, b)).filter(|c| c.is_finite()).unwrap_or(0.0),
            _ => 0.0,
        }
    }
}
