//! Examples that meet the objective together.

use super::stage::Prepared;
use crate::losses::{AuxiliaryLoss, Comparer, Input, Memory, Output, PlainContrast};
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
    pub teachers: Vec<Embeddings>,
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

    /// How many there are.
    pub fn examples(&self) -> usize {
        self.labels.len()
    }

    /// The text of an example's anchor, and that of its positive.
    pub fn own_texts(&self, example: usize) -> [u32; 2] {
        let anchor = self.texts[example];
        let positive = self.texts.get(self.labels.len() + example);
        [anchor, positive.copied().unwrap_or(anchor)]
    }

    /// The objective where it is a plain contrast, and all examples weigh the same.
    pub fn plain_contrast(&self) -> Option<PlainContrast> {
        let plain = self.stage.objective.plain_contrast();
        plain.filter(|_| self.weights.iter().all(|weight| *weight == 1.0))
    }

    /// Their loss, given the embeddings of the texts, who compares many, negatives from a memory
    /// and an auxiliary loss where there are such.
    pub fn evaluate(
        &self,
        embeddings: &Embeddings,
        parameters: &[f32],
        comparer: Option<&dyn Comparer>,
        memory: Option<Memory<'_>>,
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
            memory,
            comparer,
        };
        match auxiliary {
            Some(auxiliary) => objective.evaluate_with_auxiliary(parameters, &input, auxiliary),
            None => objective.evaluate(parameters, &input),
        }
    }
}
