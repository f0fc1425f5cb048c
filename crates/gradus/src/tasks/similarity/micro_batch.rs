//! Examples that meet the objective together.

use super::stage::Prepared;
use crate::losses::{AuxiliaryLoss, Input, Output};
use crate::{Embeddings, Result};

/// What a stage's objective sees of some examples, but for their vectors.
pub(crate) struct MicroBatch<'a> {
    stage: &'a Prepared,
    /// The texts: all first ones, then all second ones, and so on.
    pub texts: Vec<u32>,
    labels: Vec<f64>,
    weights: Vec<f32>,
    tolerances: Vec<Option<f32>>,
    /// What the teachers make of the first texts.
    teachers: Vec<Embeddings>,
}

impl<'a> MicroBatch<'a> {
    /// The examples of these numbers.
    ///
    /// # Errors
    /// Those of reading the teachers' vectors.
    pub fn new(stage: &'a Prepared, examples: &[u32]) -> Result<Self> {
        let places = || examples.iter().map(|&i| i as usize);
        let column = |c| places().map(move |i| stage.rows[i * stage.columns + c]);
        let texts: Vec<u32> = (0..stage.columns).flat_map(column).collect();
        let firsts = &texts[..examples.len()];
        let teachers = stage.teachers.iter().map(|t| t.gather(firsts));
        Ok(Self {
            stage,
            teachers: teachers.collect::<Result<_>>()?,
            texts,
            labels: places().map(|i| stage.labels[i]).collect(),
            weights: places().map(|i| stage.weights[i]).collect(),
            tolerances: places().map(|i| stage.tolerances[i]).collect(),
        })
    }

    /// Their loss, given the embeddings of the texts, with an auxiliary
    /// loss where there is one.
    pub fn evaluate(
        &self,
        embeddings: &Embeddings,
        parameters: &[f32],
        auxiliary: Option<AuxiliaryLoss<'_>>,
    ) -> Output {
        let objective = &self.stage.objective;
        let input = Input {
            embeddings,
            labels: &self.labels,
            weights: &self.weights,
            tolerances: &self.tolerances,
            texts: &self.texts,
            teachers: &self.teachers,
            memory: None,
        };
        match auxiliary {
            Some(auxiliary) => objective.evaluate_with_auxiliary(parameters, &input, auxiliary),
            None => objective.evaluate(parameters, &input),
        }
    }
}
