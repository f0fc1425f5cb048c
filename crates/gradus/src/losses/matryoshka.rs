use super::{ExampleTexts, Input, Memory, Objective, ObjectiveError, Output};
use crate::Embeddings;
use crate::nn::RegressionHead;

/// Another objective on the first values of the embeddings, for several widths
/// at once (Matryoshka representation learning; Kusupati et al. 2022): a user
/// may then cut vectors to any of these widths.
///
/// The loss is the sum over widths, each with its weight.
pub struct Matryoshka {
    inner: Box<dyn Objective>,
    widths: Vec<(usize, f64)>,
}

impl Matryoshka {
    /// `widths` with their weights. The inner objective may have no parameters
    /// that depend on the width, as a head has.
    ///
    /// # Errors
    /// [`ObjectiveError::Widths`] for no width, one of 0, or a weight that is
    /// not positive; [`ObjectiveError::WidthsOfHead`].
    pub fn new(
        inner: Box<dyn Objective>,
        widths: Vec<(usize, f64)>,
    ) -> Result<Self, ObjectiveError> {
        let sound = |&(width, weight): &(usize, f64)| width > 0 && weight > 0.0;
        if widths.is_empty() || !widths.iter().all(sound) {
            return Err(ObjectiveError::Widths);
        }
        if inner.decayed(2).len() != inner.decayed(4).len() {
            return Err(ObjectiveError::WidthsOfHead);
        }
        Ok(Self { inner, widths })
    }
}

impl Objective for Matryoshka {
    fn columns(&self) -> usize {
        self.inner.columns()
    }

    fn min_batch(&self) -> usize {
        self.inner.min_batch()
    }

    fn check_examples(&self, examples: ExampleTexts<'_>) -> Result<(), ObjectiveError> {
        self.inner.check_examples(examples)
    }

    fn teachers(&self) -> usize {
        self.inner.teachers()
    }

    /// Negatives are the same at all widths.
    fn uses_memory(&self) -> bool {
        self.inner.uses_memory()
    }

    fn initial_parameters(&self, dim: usize, seed: u64) -> Vec<f32> {
        self.inner.initial_parameters(dim, seed)
    }

    fn decayed(&self, dim: usize) -> Vec<bool> {
        self.inner.decayed(dim)
    }

    fn check(&self, dim: usize) -> Result<(), ObjectiveError> {
        match self.widths.iter().find(|(width, _)| *width > dim) {
            Some(&(width, _)) => Err(ObjectiveError::TooWide { width, dim }),
            None => self.inner.check(dim),
        }
    }

    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        let mut output = Output::zero(input, parameters.len());
        let dim = input.embeddings.dim();
        for &(width, weight) in &self.widths {
            let cut = |embeddings: &Embeddings| {
                let rows = embeddings.as_slice().chunks_exact(dim);
                let cut: Vec<f32> = rows.flat_map(|row| &row[..width]).copied().collect();
                Embeddings::new(width, cut)
            };
            let embeddings = cut(input.embeddings);
            let entries = input.memory.map(|memory| cut(memory.vectors));
            let memory = input.memory.zip(entries.as_ref());
            let memory = memory.map(|(memory, vectors)| Memory { vectors, ..memory });
            let part = self.inner.evaluate(
                parameters,
                &Input {
                    embeddings: &embeddings,
                    memory,
                    ..*input
                },
            );
            output.loss += weight * part.loss;
            let rows = output.embeddings.chunks_exact_mut(dim);
            for (row, part) in rows.zip(part.embeddings.chunks_exact(width)) {
                for (sum, g) in row.iter_mut().zip(part) {
                    *sum += weight as f32 * g;
                }
            }
            for (sum, g) in output.parameters.iter_mut().zip(&part.parameters) {
                *sum += weight as f32 * g;
            }
        }
        output
    }

    fn head(&self, parameters: &[f32], dim: usize) -> Option<RegressionHead> {
        self.inner.head(parameters, dim)
    }

    fn describe(&self) -> String {
        let widths: Vec<String> = self.widths.iter().map(|w| w.0.to_string()).collect();
        format!("{} at widths {}", self.inner.describe(), widths.join(", "))
    }
}
