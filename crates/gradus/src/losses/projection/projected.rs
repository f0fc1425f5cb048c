use super::{mlp, projector};
use crate::Embeddings;
use crate::losses::{
    AuxiliaryLoss, ExampleTexts, Input, Memory, Objective, ObjectiveError, Output, PlainContrast,
};
use gradus_kernels::dropout::mix64;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Layers that embeddings of width `d` go through before an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projection {
    /// `tanh(W x + b)`, `W` `[d, d]` (SimCSE; Gao et al. 2021).
    Mlp,
    /// `norm(V relu(norm(W x) g + h))` with `W` `[2d, d]` and `V` `[d, 2d]`
    /// without biases, normalised over the rows of the batch, the second time
    /// without scale and shift (DiffCSE; Chuang et al. 2022).
    BatchNorm,
}

impl Projection {
    /// Which parameters are decayed, as runs; those of even number from 0 are
    /// weights.
    fn parameters(self, dim: usize) -> Vec<(bool, usize)> {
        match self {
            Self::Mlp => mlp::parameters(dim).to_vec(),
            Self::BatchNorm => projector::parameters(dim).to_vec(),
        }
    }

    /// Some rows projected; batch norm is that of these rows.
    fn forward(self, parameters: &[f32], x: &Embeddings) -> Embeddings {
        let (x, dim) = (x.as_slice(), x.dim());
        let projected = match self {
            Self::Mlp => mlp::forward(parameters, x, dim),
            Self::BatchNorm => projector::forward(parameters, x, dim).into_out(),
        };
        Embeddings::new(dim, projected)
    }
}

/// An objective on projected embeddings.
///
/// Its parameters are the projection's and then the inner objective's. A head
/// among those would see vectors that nobody gets: it is not saved.
pub struct Projected {
    projection: Projection,
    inner: Box<dyn Objective>,
}

impl Projected {
    /// Puts a projection in front of an objective.
    pub fn new(projection: Projection, inner: Box<dyn Objective>) -> Self {
        Self { projection, inner }
    }
}

/// Standard deviation of fresh weights: BERT's.
const SPREAD: f64 = 0.02;

/// Draw `i` from the normal distribution (Box & Muller 1958).
fn normal(seed: u64, i: u64) -> f64 {
    let unit = |k| ((mix64(seed ^ mix64(2 * i + k)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (-2.0 * unit(0).ln()).sqrt() * (std::f64::consts::TAU * unit(1)).cos()
}

impl Objective for Projected {
    fn columns(&self) -> usize {
        self.inner.columns()
    }

    /// Batch norm of a single row is zero.
    fn min_batch(&self) -> usize {
        let own = match self.projection {
            Projection::Mlp => 1,
            Projection::BatchNorm => 2usize.div_ceil(self.columns().max(1)),
        };
        own.max(self.inner.min_batch())
    }

    fn check_examples(&self, examples: ExampleTexts<'_>) -> Result<(), ObjectiveError> {
        self.inner.check_examples(examples)
    }

    fn teachers(&self) -> usize {
        self.inner.teachers()
    }

    fn uses_memory(&self) -> bool {
        self.inner.uses_memory()
    }

    fn plain_contrast(&self) -> Option<PlainContrast> {
        let inner = self.inner.plain_contrast();
        let inner = inner.filter(|inner| self.projection == Projection::Mlp && !inner.through_mlp);
        inner.map(|inner| PlainContrast {
            through_mlp: true,
            ..inner
        })
    }

    fn seen<'a>(&self, parameters: &[f32], embeddings: &'a Embeddings) -> Cow<'a, Embeddings> {
        let (own, inner) = parameters.split_at(self.own(embeddings.dim()));
        let projected = self.projection.forward(own, embeddings);
        Cow::Owned(self.inner.seen(inner, &projected).into_owned())
    }

    fn initial_parameters(&self, dim: usize, seed: u64) -> Vec<f32> {
        let mut values = vec![];
        for (run, (weights, count)) in self.projection.parameters(dim).into_iter().enumerate() {
            let seed = mix64(seed ^ run as u64);
            match (weights, self.projection) {
                (true, _) => {
                    let draws = (0..count as u64).map(|i| (SPREAD * normal(seed, i)) as f32);
                    values.extend(draws);
                }
                (false, Projection::Mlp) => values.extend(vec![0.0; count]),
                // Scales, then shifts.
                (false, Projection::BatchNorm) => {
                    values.extend(vec![1.0; count / 2]);
                    values.extend(vec![0.0; count / 2]);
                }
            }
        }
        values.extend(self.inner.initial_parameters(dim, seed));
        values
    }

    fn decayed(&self, dim: usize) -> Vec<bool> {
        let runs = self.projection.parameters(dim).into_iter();
        let own = runs.flat_map(|(decayed, count)| std::iter::repeat_n(decayed, count));
        own.chain(self.inner.decayed(dim)).collect()
    }

    fn check(&self, dim: usize) -> Result<(), ObjectiveError> {
        self.inner.check(dim)
    }

    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output {
        self.through(parameters, input, |inner, input| {
            self.inner.evaluate(inner, input)
        })
    }

    /// The auxiliary loss sees the projected embeddings.
    fn evaluate_with_auxiliary(
        &self,
        parameters: &[f32],
        input: &Input<'_>,
        auxiliary: AuxiliaryLoss<'_>,
    ) -> Output {
        self.through(parameters, input, |inner, input| {
            self.inner.evaluate_with_auxiliary(inner, input, auxiliary)
        })
    }

    fn describe(&self) -> String {
        let through = match self.projection {
            Projection::Mlp => "an MLP",
            Projection::BatchNorm => "a projector with batch norm",
        };
        format!("{}, through {through}", self.inner.describe())
    }
}

impl Projected {
    /// How many parameters the projection has.
    fn own(&self, dim: usize) -> usize {
        let runs = self.projection.parameters(dim).into_iter();
        runs.map(|(_, count)| count).sum()
    }

    /// What `objective`, given its own parameters, makes of projected
    /// embeddings, with the gradients of those in front and of the projection.
    fn through(
        &self,
        parameters: &[f32],
        input: &Input<'_>,
        objective: impl FnOnce(&[f32], &Input<'_>) -> Output,
    ) -> Output {
        let (x, dim) = (input.embeddings.as_slice(), input.embeddings.dim());
        let count = self.own(dim);
        let (own, inner) = parameters.split_at(count);
        let evaluate = |projected: &[f32]| {
            let embeddings = Embeddings::new(dim, projected.to_vec());
            let entries = input
                .memory
                .map(|m| self.projection.forward(own, m.vectors));
            let memory = input.memory.zip(entries.as_ref());
            let input = Input {
                embeddings: &embeddings,
                memory: memory.map(|(memory, vectors)| Memory { vectors, ..memory }),
                ..*input
            };
            objective(inner, &input)
        };
        let mut gradient = vec![0.0; count];
        let (loss, dx, rest) = match self.projection {
            Projection::Mlp => {
                let out = mlp::forward(own, x, dim);
                let output = evaluate(&out);
                let saved = (x, out.as_slice());
                let dx = mlp::backward(own, saved, output.embeddings, dim, &mut gradient);
                (output.loss, dx, output.parameters)
            }
            Projection::BatchNorm => {
                let passed = projector::forward(own, x, dim);
                let output = evaluate(passed.out());
                let saved = (x, &passed);
                let dx = projector::backward(own, saved, output.embeddings, dim, &mut gradient);
                (output.loss, dx, output.parameters)
            }
        };
        gradient.extend(rest);
        Output {
            loss,
            embeddings: dx,
            parameters: gradient,
        }
    }
}
