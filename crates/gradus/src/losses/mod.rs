//! Training objectives: embeddings in, loss and gradients out.
//!
//! An [`Objective`] knows nothing of encoders. It sees the embeddings of a
//! batch and says how each should move, so any objective works with any
//! encoder, and with embeddings recomputed in chunks.
//!
//! `regression` has the framework of Zhang & Li (2024): a [`PointLoss`] measures
//! one prediction against one grade; [`HeadForm`] predicts with a linear head on
//! `[u; v; |u-v|]`, [`CosineForm`] with an affine map of the cosine. Beside it
//! stand objectives on the order of graded pairs ([`Cosent`], [`PearsonLoss`]),
//! contrastive ones ([`InfoNce`]) and ranking distillation
//! ([`RankingDistillation`], [`Consistency`]), and [`EmbeddingMse`], which
//! imitates a teacher's vectors. [`WeightedSum`] adds several up,
//! [`Matryoshka`] takes one at several widths, and [`Projected`] puts layers in
//! front of one.
//!
//! `score` has the losses of a cross-encoder's logits: a [`ScoreLoss`] sees scores of
//! pairs of texts in place of embeddings.
//!
//! Each loss has its settings beside it, such as [`InfoNceSettings`]; an
//! [`ObjectiveConfig`] holds those of one as recipes do. An [`Objective`] from outside
//! the library goes into a stage by
//! [`Similarity::replace_objective`](crate::tasks::similarity::Similarity::replace_objective).

mod config;
mod contrastive;
mod directions;
mod embedding_mse;
mod error;
mod matrices;
mod matryoshka;
mod memory;
mod ordering;
mod pairwise;
mod products;
mod projection;
mod ranking;
mod regression;
mod row_sums;
mod score;
mod weighted_sum;

#[cfg(test)]
mod batch_gradients;
#[cfg(test)]
mod gradient_check;
#[cfg(test)]
mod memory_gradients;

pub(crate) use config::fields;
pub use config::{LossName, LossSettings, ObjectiveConfig, TrainingSet};
pub(crate) use contrastive::left_out;
pub use contrastive::{InfoNce, InfoNceSettings, PlainContrast};
pub(crate) use directions::{Cosines, Directions};
pub use embedding_mse::{EmbeddingMse, EmbeddingMseSettings};
pub use error::ObjectiveError;
pub use matryoshka::Matryoshka;
pub use memory::Memory;
pub use ordering::{
    AngleSettings, Cosent, CosentSettings, PairSimilarity, PearsonLoss, PearsonSettings,
};
pub use pairwise::Comparer;
pub use projection::{Projected, Projection};
pub use ranking::{
    CandidateLists, Consistency, ConsistencySettings, ListMleSettings, ListNetSettings,
    RankingDistillation, RankingLoss,
};
pub use regression::{
    CosineForm, CosineSettings, CrossEntropy, CrossEntropySettings, Form, HeadForm, HeadSettings,
    L1, L1Settings, MeanSquaredError, MseSettings, OutOfRange, PointLoss, PointLossSettings,
    RegressionSettings, SmoothK2, SmoothK2Settings, TranslatedRelu, TranslatedReluSettings,
};
pub use score::{
    BceSettings, BinaryCrossEntropy, LambdaLoss, LambdaSettings, LambdaWeighting, MarginMse,
    MarginMseSettings, PListMleSettings, PlackettLuce, RankNetSettings, ReductionLog,
    ScoreCrossEntropy, ScoreCrossEntropySettings, ScoreInput, ScoreListMleSettings, ScoreListNet,
    ScoreListNetSettings, ScoreLoss, ScoreLossName, ScoreLossSettings, ScoreOutput,
    ScoreRegression, ScoreRegressionSettings, ScoreTrainingSet, ScoreUnit,
};
pub use weighted_sum::WeightedSum;

use crate::Embeddings;
use crate::nn::RegressionHead;
use std::borrow::Cow;

/// What an objective sees of a batch of `n` examples.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// `[columns * n, dim]`: first the first text of every example, then the
    /// second of every example, and so on.
    pub embeddings: &'a Embeddings,
    /// The grade of each example.
    pub labels: &'a [f64],
    /// The weight of each example's loss.
    pub weights: &'a [f32],
    /// Each example's own x0, where it has one.
    pub tolerances: &'a [Option<f32>],
    /// Which text each row of `embeddings` is the vector of: rows of one number
    /// are one text.
    pub texts: &'a [u32],
    /// The vectors of the examples' first texts by each teacher, `[n, dim]` of
    /// the teacher's own width; as many as [`Objective::teachers`] says.
    pub teachers: &'a [Embeddings],
    /// Negatives from earlier steps, where the stage keeps some.
    pub memory: Option<Memory<'a>>,
    /// Who compares many texts with many others; by default the host.
    pub comparer: Option<&'a dyn Comparer>,
}

impl<'a> Input<'a> {
    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.labels.len()
    }

    /// The embedding of text `column` of example `i`.
    pub fn embedding(&self, column: usize, i: usize) -> &'a [f32] {
        self.embeddings.row(column * self.labels.len() + i)
    }
}

/// A loss and its gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The mean over the batch.
    pub loss: f64,
    /// With respect to the embeddings, in their layout.
    pub embeddings: Vec<f32>,
    /// With respect to the objective's own parameters.
    pub parameters: Vec<f32>,
}

impl Output {
    /// No loss, and no gradients, for an objective of so many parameters.
    pub fn zero(input: &Input<'_>, parameters: usize) -> Self {
        Self {
            loss: 0.0,
            embeddings: vec![0.0; input.embeddings.as_slice().len()],
            parameters: vec![0.0; parameters],
        }
    }
}

/// A term of the loss that is not the objective's own: from the embeddings that
/// the objective sees to its value and its gradient, in their layout.
pub type AuxiliaryLoss<'a> = &'a mut dyn FnMut(&Embeddings) -> (f64, Vec<f32>);

/// Which texts the examples of a stage consist of, by which an objective says
/// whether it can learn from them.
#[derive(Debug, Clone, Copy)]
pub struct ExampleTexts<'a> {
    /// How many texts an example has.
    pub columns: usize,
    /// Which texts each example has, example after example.
    pub texts: &'a [u32],
}

impl ExampleTexts<'_> {
    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.texts.len() / self.columns.max(1)
    }
}

/// A loss over the embeddings of a batch.
pub trait Objective: Send + Sync {
    /// How many texts an example has.
    fn columns(&self) -> usize;

    /// The initial values of the objective's own trained parameters for
    /// embeddings of width `dim`, drawn from `seed`. Most have none.
    fn initial_parameters(&self, dim: usize, seed: u64) -> Vec<f32> {
        let _ = (dim, seed);
        vec![]
    }

    /// Whether weight decay applies to each parameter (it spares biases).
    fn decayed(&self, dim: usize) -> Vec<bool> {
        let _ = dim;
        vec![]
    }

    /// The mean loss over the batch and its gradients.
    fn evaluate(&self, parameters: &[f32], input: &Input<'_>) -> Output;

    /// The same with an auxiliary loss added.
    fn evaluate_with_auxiliary(
        &self,
        parameters: &[f32],
        input: &Input<'_>,
        auxiliary: AuxiliaryLoss<'_>,
    ) -> Output {
        let mut output = self.evaluate(parameters, input);
        let (loss, gradient) = auxiliary(input.embeddings);
        output.loss += loss;
        for (sum, g) in output.embeddings.iter_mut().zip(gradient) {
            *sum += g;
        }
        output
    }

    /// The fewest examples of a batch that it can learn from: with fewer its
    /// gradient is zero, whatever the vectors.
    fn min_batch(&self) -> usize {
        1
    }

    /// Whether some batch of these examples can have a gradient.
    ///
    /// # Errors
    /// [`ObjectiveError`] with the reason why none has.
    fn check_examples(&self, examples: ExampleTexts<'_>) -> Result<(), ObjectiveError> {
        let _ = examples;
        Ok(())
    }

    /// How many teachers' vectors a batch must have.
    fn teachers(&self) -> usize {
        0
    }

    /// Whether it takes negatives from [`Input::memory`].
    fn uses_memory(&self) -> bool {
        false
    }

    /// The embeddings as the loss that uses the memory sees them: behind a projection,
    /// where there is one. Negatives are chosen by their cosines there.
    fn seen<'a>(&self, parameters: &[f32], embeddings: &'a Embeddings) -> Cow<'a, Embeddings> {
        let _ = parameters;
        Cow::Borrowed(embeddings)
    }

    /// What it is, where it is nothing but a plain contrast, so that a device can compute it.
    fn plain_contrast(&self) -> Option<PlainContrast> {
        None
    }

    /// Whether it can work on embeddings of width `dim`.
    ///
    /// # Errors
    /// [`ObjectiveError`] with the reason.
    fn check(&self, dim: usize) -> Result<(), ObjectiveError> {
        let _ = dim;
        Ok(())
    }

    /// The trained parameters as a head that is saved with the model, whose
    /// vectors have width `dim`.
    fn head(&self, parameters: &[f32], dim: usize) -> Option<RegressionHead> {
        let _ = (parameters, dim);
        None
    }

    /// One line for people, such as `smooth K2 (k 3, x0 0.25) on [u; v; |u-v|]`.
    fn describe(&self) -> String;
}
