//! Losses of a cross-encoder's logits: logits of pairs of texts in, loss and
//! gradient out.
//!
//! A [`ScoreLoss`] knows nothing of models. An example is a pair of texts, or a list
//! of pairs that share their query ([`ScoreUnit`]). One file has one loss, with its
//! settings; [`ScoreLossSettings`] are those of any, as recipes write them.
//!
//! All is computed in `f64`. Where sentence-transformers has the loss, value and
//! gradient are its own.

mod bce;
mod classes;
mod lambda;
mod lambda_weighting;
mod list_net;
mod margin_mse;
mod plackett_luce;
mod regression;
mod settings;
mod training_set;

#[cfg(test)]
mod edges;
#[cfg(test)]
mod gradient_check;

pub use bce::{BceSettings, BinaryCrossEntropy};
pub use classes::{ScoreCrossEntropy, ScoreCrossEntropySettings};
pub use lambda::{LambdaLoss, LambdaSettings, RankNetSettings, ReductionLog};
pub use lambda_weighting::LambdaWeighting;
pub use list_net::{ScoreListNet, ScoreListNetSettings};
pub use margin_mse::{MarginMse, MarginMseSettings};
pub use plackett_luce::{PListMleSettings, PlackettLuce, ScoreListMleSettings};
pub use regression::{ScoreRegression, ScoreRegressionSettings};
pub use settings::{ScoreLossName, ScoreLossSettings};
pub use training_set::ScoreTrainingSet;

use std::ops::Range;

/// What a loss of scores sees of a batch.
#[derive(Debug, Clone, Copy)]
pub struct ScoreInput<'a> {
    /// `[rows, outputs]`, row after row; a row is a pair of texts.
    pub logits: &'a [f32],
    /// How many logits a row has.
    pub outputs: usize,
    /// Of each row: its grade, the number of its class, a teacher's score, or its
    /// relevance.
    pub targets: &'a [f64],
    /// The weight of each row. A list's weight is the mean over its rows.
    pub weights: &'a [f32],
    /// Each row's own x0, where it has one.
    pub tolerances: &'a [Option<f32>],
    /// Offsets: list `q` is the rows `lists[q]..lists[q + 1]`. Of pairs, each row is
    /// a list of one.
    pub lists: &'a [usize],
}

impl ScoreInput<'_> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.targets.len()
    }

    /// The rows of each list that has some, cut to the rows that there are.
    fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let ends = self.lists.windows(2);
        let within = ends.map(|ends| ends[0]..ends[1].min(self.rows()));
        within.filter(|rows| !rows.is_empty())
    }

    /// The first logit of each of these rows.
    fn scores(&self, rows: &Range<usize>) -> Vec<f64> {
        let at = |row: usize| f64::from(self.logits[row * self.outputs]);
        rows.clone().map(at).collect()
    }

    /// The mean weight of these rows.
    fn weight(&self, rows: &Range<usize>) -> f64 {
        let weights = &self.weights[rows.clone()];
        weights.iter().copied().map(f64::from).sum::<f64>() / weights.len() as f64
    }

    /// The sum over the rows of weight times `row`'s loss and slope by the first
    /// logit, divided by the number of rows.
    fn mean_over_rows(&self, mut row: impl FnMut(usize, f64) -> (f64, f64)) -> ScoreOutput {
        let mut output = ScoreOutput::zero(self);
        for i in 0..self.rows() {
            let (loss, slope) = row(i, f64::from(self.logits[i * self.outputs]));
            let weight = f64::from(self.weights[i]) / self.rows() as f64;
            output.loss += weight * loss;
            output.logits[i * self.outputs] = (weight * slope) as f32;
        }
        output
    }

    /// The sum over the lists of weight times `list`'s loss and slopes by the first
    /// logits, divided by the number of lists.
    fn mean_over_lists(
        &self,
        mut list: impl FnMut(&[f64], &[f64]) -> (f64, Vec<f64>),
    ) -> ScoreOutput {
        let mut output = ScoreOutput::zero(self);
        let lists = self.ranges().count();
        for rows in self.ranges() {
            let (loss, slopes) = list(&self.scores(&rows), &self.targets[rows.clone()]);
            let weight = self.weight(&rows) / lists as f64;
            output.loss += weight * loss;
            for (row, slope) in rows.zip(slopes) {
                output.logits[row * self.outputs] = (weight * slope) as f32;
            }
        }
        output
    }
}

/// A loss of scores and its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreOutput {
    /// The mean over the batch.
    pub loss: f64,
    /// With respect to the logits, in their layout.
    pub logits: Vec<f32>,
}

impl ScoreOutput {
    /// No loss, and no gradient.
    pub fn zero(input: &ScoreInput<'_>) -> Self {
        Self {
            loss: 0.0,
            logits: vec![0.0; input.logits.len()],
        }
    }
}

/// What an example is, which batches count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreUnit {
    /// A pair of texts with a target.
    Pairs,
    /// A query with several documents, each with a target.
    Lists,
}

/// A loss over the logits of a batch of pairs of texts.
pub trait ScoreLoss: Send + Sync {
    /// The mean loss over the batch and its gradient.
    fn evaluate(&self, input: &ScoreInput<'_>) -> ScoreOutput;

    /// How many logits a pair has.
    fn outputs(&self) -> usize {
        1
    }

    /// What an example is.
    fn unit(&self) -> ScoreUnit;

    /// Whether the score is the sigmoid of the logit, so that a saved model names
    /// Sigmoid; else it is the logit itself.
    fn sigmoid(&self) -> bool {
        false
    }

    /// One line for people, such as `LambdaLoss (ndcg_loss2pp, mu 10)`.
    fn describe(&self) -> String;
}

/// `ln(1 + e^x)`, without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `1 / (1 + e^-x)`, without overflow.
fn sigmoid(x: f64) -> f64 {
    let tail = (-x.abs()).exp();
    if x >= 0.0 {
        1.0 / (1.0 + tail)
    } else {
        tail / (1.0 + tail)
    }
}
