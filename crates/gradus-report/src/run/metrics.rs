//! `metrics.jsonl`, for drawing.

use gradus::eval::Correlation;
use gradus::{Error, Result};
use serde::Deserialize;
use std::path::Path;

/// A step of the optimizer that was logged.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Step {
    /// The stage's name.
    pub stage: String,
    /// The step in the stage, from 1.
    pub step: u64,
    /// Its loss.
    pub loss: f64,
    /// The base learning rate.
    pub learning_rate: f64,
}

/// The dev set's scores at one point of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Evaluation {
    /// The stage's name.
    pub stage: String,
    /// The step in the stage; 0 is before the first.
    pub step: u64,
    /// The set.
    pub dev: String,
    /// Of the cosines, or of a cross-encoder's scores; not of lists.
    #[serde(default)]
    pub spearman: Option<Correlation>,
    /// Of lists, the mean over their queries.
    #[serde(default, rename = "ndcg@10")]
    pub ndcg: Option<f64>,
    /// Of a regression head's grades.
    #[serde(default)]
    pub head_spearman: Option<Correlation>,
}

impl Evaluation {
    /// What models are chosen by, where it is defined.
    pub fn score(&self) -> Option<f64> {
        self.ndcg.or_else(|| self.spearman?.value())
    }
}

/// What a run wrote down while it went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// Steps, in order.
    pub steps: Vec<Step>,
    /// Evaluations, in order.
    pub evaluations: Vec<Evaluation>,
    /// Each stage's name and the run's steps before it.
    pub stages: Vec<(String, u64)>,
}

impl Metrics {
    /// Reads the file; one that is not there holds nothing. A last line that is
    /// still being written, and kinds of lines not known here, are passed over.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(Error::io(path)(e)),
        }
    }

    fn parse(text: &str) -> Self {
        #[derive(Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        enum Line {
            Step(Step),
            Evaluation(Box<Evaluation>),
        }
        let mut metrics = Self::default();
        let mut before = 0;
        let mut furthest = 0;
        for line in text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
        {
            let (stage, step) = match &line {
                Line::Step(s) => (s.stage.clone(), s.step),
                Line::Evaluation(e) => (e.stage.clone(), e.step),
            };
            if metrics.stages.last().is_none_or(|(name, _)| *name != stage) {
                before += furthest;
                furthest = 0;
                metrics.stages.push((stage, before));
            }
            furthest = furthest.max(step);
            match line {
                Line::Step(step) => metrics.steps.push(step),
                Line::Evaluation(evaluation) => metrics.evaluations.push(*evaluation),
            }
        }
        metrics
    }

    /// A stage's step as one of the whole run.
    pub fn overall(&self, stage: &str, step: u64) -> f64 {
        let before = self.stages.iter().find(|(name, _)| name == stage);
        (before.map_or(0, |(_, before)| *before) + step) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_follow_each_other_and_torn_lines_are_passed_over() {
        let step = |stage: &str, step: u64| {
            format!(
                "{{\"kind\":\"step\",\"stage\":\"{stage}\",\"step\":{step},\"loss\":0.5,\
                 \"learning_rate\":1e-5,\"gradient_norm\":1.0}}\n"
            )
        };
        let text = step("a", 10)
            + &step("a", 20)
            + "{\"kind\":\"new\"}\n"
            + &step("b", 5)
            + "{\"kind\":\"st";
        let metrics = Metrics::parse(&text);
        assert_eq!(metrics.steps.len(), 3);
        assert_eq!(metrics.stages, [("a".to_owned(), 0), ("b".to_owned(), 20)]);
        assert_eq!(metrics.overall("b", 5), 25.0);
        assert_eq!(Metrics::parse(""), Metrics::default());
    }
}
