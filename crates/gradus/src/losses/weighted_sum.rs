use super::{ExampleTexts, Input, Objective, ObjectiveError, Output};
use crate::Embeddings;
use crate::nn::RegressionHead;
use std::borrow::Cow;

/// Several objectives on the same batch, each with a weight. One that wants fewer texts
/// an example than others sees the first ones: ranking distillation beside
/// InfoNCE on triplets those of anchors and positives.
pub struct WeightedSum {
    parts: Vec<(f64, Box<dyn Objective>)>,
}

impl WeightedSum {
    /// At least one objective.
    ///
    /// # Errors
    /// [`ObjectiveError::Parts`]; [`ObjectiveError::NoPart`] where every weight
    /// is 0.
    pub fn new(parts: Vec<(f64, Box<dyn Objective>)>) -> Result<Self, ObjectiveError> {
        if parts.is_empty() || !parts.iter().all(|(w, _)| w.is_finite()) {
            return Err(ObjectiveError::Parts);
        }
        match parts.iter().all(|(w, _)| *w == 0.0) {
            true => Err(ObjectiveError::NoPart),
            false => Ok(Self { parts }),
        }
    }

    /// The parameters of each part out of those of all.
    fn shares<'a>(&self, parameters: &'a [f32], dim: usize) -> Vec<&'a [f32]> {
        let mut rest = parameters;
        let share = |(_, part): &(f64, Box<dyn Objective>)| {
            let count = part.decayed(dim).len().min(rest.len());
            let (own, after) = rest.split_at(count);
            rest = after;
            own
        };
        self.parts.iter().map(share).collect()
    }
}

impl Objective for WeightedSum {
    fn columns(&self) -> usize {
        let each = self.parts.iter().map(|(_, part)| part.columns());
        each.max().unwrap_or(2)
    }

    /// Every part must be able to learn.
    fn min_batch(&self) -> usize {
        let each = self.parts.iter().map(|(_, part)| part.min_batch());
        each.max().unwrap_or(1)
    }

    fn check_examples(&self, examples: ExampleTexts<'_>) -> Result<(), ObjectiveError> {
        self.parts.iter().try_for_each(|(_, part)| {
            let columns = part.columns().min(examples.columns);
            let rows = examples.texts.chunks_exact(examples.columns.max(1));
            let texts: Vec<u32> = rows.flat_map(|row| &row[..columns]).copied().collect();
            let texts = &texts;
            part.check_examples(ExampleTexts { columns, texts })
        })
    }

    fn teachers(&self) -> usize {
        let each = self.parts.iter().map(|(_, part)| part.teachers());
        each.max().unwrap_or(0)
    }

    fn uses_memory(&self) -> bool {
        self.parts.iter().any(|(_, part)| part.uses_memory())
    }

    /// As the first part that uses the memory sees them.
    fn seen<'a>(&self, parameters: &[f32], embeddings: &'a Embeddings) -> Cow<'a, Embeddings> {
        let shares = self.shares(parameters, embeddings.dim());
        let mut parts = self.parts.iter().zip(shares);
        match parts.find(|((_, part), _)| part.uses_memory()) {
            Some(((_, part), share)) => part.seen(share, embeddings),
            None => Cow::Borrowed(embeddings),
        }
    }

    fn initial_parameters(&self, dim: usize, seed: u64) -> Vec<f32> {
        let each = self.parts.iter();
        each.flat_map(|(_, part)| part.initial_parameters(dim, seed))
            .collect()
    }

    fn decayed(&self, dim: usize) -> Vec<bool> {
        let each = self.parts.iter();
        each.flat_map(|(_, part)| part.decayed(dim)).collect()
    }

    fn check(&self, dim: usize) -> Result<(), ObjectiveError> {
        self.parts.iter().try_for_each(|(_, part)| part.check(dim))
    }

    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        let shares = self.shares(parameters, input.embeddings.dim());
        let mut output = Output::zero(input, 0);
        for ((weight, part), share) in self.parts.iter().zip(shares) {
            let own = match part.columns() * input.examples() {
                rows if rows < input.embeddings.rows() => {
                    let first = &input.embeddings.as_slice()[..rows * input.embeddings.dim()];
                    let narrowed = Input {
                        embeddings: &Embeddings::new(input.embeddings.dim(), first.to_vec()),
                        texts: &input.texts[..rows],
                        ..*input
                    };
                    part.evaluate(share, &narrowed)
                }
                _ => part.evaluate(share, input),
            };
            output.loss += weight * own.loss;
            // First texts come first, also where there are gradients of no more.
            for (sum, g) in output.embeddings.iter_mut().zip(own.embeddings) {
                *sum += *weight as f32 * g;
            }
            let own = own.parameters.into_iter().map(|g| *weight as f32 * g);
            output.parameters.extend(own);
        }
        output
    }

    fn head(&self, parameters: &[f32], dim: usize) -> Option<RegressionHead> {
        let shares = self.shares(parameters, dim);
        let mut heads = self.parts.iter().zip(shares);
        heads.find_map(|((_, part), share)| part.head(share, dim))
    }

    fn describe(&self) -> String {
        let parts = self.parts.iter().map(|(weight, part)| match *weight {
            1.0 => part.describe(),
            weight => format!("{weight} x {}", part.describe()),
        });
        parts.collect::<Vec<_>>().join(" + ")
    }
}
