use super::config::TrainingSet;
use super::{Input, Objective, ObjectiveError, Output};
use serde::{Deserialize, Serialize};

/// The student's vectors become the teacher's (Reimers & Gurevych 2020, "Making
/// Monolingual Sentence Embeddings Multilingual using Knowledge Distillation",
/// equation 1; TinyBERT's embedding loss, Jiao et al. 2020, is of the same kind):
///
/// `l_i = |s_i - t_i|^2`, `dl_i / ds_i = 2 (s_i - t_i)`
///
/// with `s_i` the student's vector of text `i` and `t_i` the mean of the
/// teachers' by weight; the loss is the mean of `w_i l_i` over the texts. The
/// squares are summed, not averaged, over the width: between unit vectors the
/// loss is `2 - 2 cos(s_i, t_i)` whatever the width.
///
/// Every view of an example's first text is held against the teacher's vector of
/// it; other texts of an example have no part.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingMse {
    columns: usize,
    teachers: Vec<f64>,
}

impl EmbeddingMse {
    /// For examples of `columns` texts, with a weight for each teacher.
    ///
    /// # Errors
    /// [`ObjectiveError::Teachers`] without a teacher, or with weights that are
    /// not positive.
    pub fn new(columns: usize, teachers: Vec<f64>) -> Result<Self, ObjectiveError> {
        let total: f64 = teachers.iter().sum();
        if !(total > 0.0 && total.is_finite() && teachers.iter().all(|w| *w > 0.0)) {
            return Err(ObjectiveError::Teachers);
        }
        Ok(Self {
            columns: columns.max(1),
            teachers: teachers.into_iter().map(|w| w / total).collect(),
        })
    }

    /// What the vector of an example's first text should be.
    fn target(&self, input: &Input<'_>, i: usize, target: &mut [f64]) {
        target.fill(0.0);
        for (weight, vectors) in self.teachers.iter().zip(input.teachers) {
            for (sum, value) in target.iter_mut().zip(vectors.row(i)) {
                *sum += weight * f64::from(*value);
            }
        }
    }
}

/// [`EmbeddingMse`] has no settings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EmbeddingMseSettings {}

impl EmbeddingMseSettings {
    /// There is nothing to check.
    ///
    /// # Errors
    /// None.
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        Ok(())
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::Teachers`].
    pub fn build(&self, data: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        let teachers = data.teachers.to_vec();
        Ok(Box::new(EmbeddingMse::new(data.columns, teachers)?))
    }
}

impl Objective for EmbeddingMse {
    fn columns(&self) -> usize {
        self.columns
    }

    fn teachers(&self) -> usize {
        self.teachers.len()
    }

    fn evaluate(&self, _parameters: &[f32], input: &Input<'_>) -> Output {
        let (n, dim) = (input.examples(), input.embeddings.dim());
        let mut output = Output::zero(input, 0);
        let of_first = |row: usize| input.texts[row] == input.texts[row % n];
        let views = (0..input.texts.len()).filter(|&row| of_first(row)).count();
        let mut target = vec![0.0; dim];
        for i in 0..n {
            self.target(input, i, &mut target);
            let weight = f64::from(input.weights[i]) / views as f64;
            for row in (i..input.texts.len()).step_by(n).filter(|&r| of_first(r)) {
                let student = input.embeddings.row(row);
                let slopes = &mut output.embeddings[row * dim..(row + 1) * dim];
                let mut distance = 0.0;
                for ((slope, s), t) in slopes.iter_mut().zip(student).zip(&target) {
                    let difference = f64::from(*s) - t;
                    distance += difference * difference;
                    // A slope beyond f32 stays finite, as the loss does.
                    let value = 2.0 * weight * difference;
                    *slope = value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
                }
                output.loss += weight * distance;
            }
        }
        output
    }

    fn describe(&self) -> String {
        format!(
            "squared distance to the vectors of {} teacher(s)",
            self.teachers.len()
        )
    }
}
