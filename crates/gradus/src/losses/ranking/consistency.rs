use super::lists::{Views, log_softmax, members, picked};
use crate::losses::config::TrainingSet;
use crate::losses::directions::Cosines;
use crate::losses::{Input, Objective, ObjectiveError, Output, error};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Ranking consistency (RankCSE, equation 5): the mean over texts of the
/// Jensen-Shannon divergence
///
/// `JS(P_i || Q_i) = (KL(P_i || M_i) + KL(Q_i || M_i)) / 2`, `M = (P + Q) / 2`
///
/// of `P_i = softmax_j(s_ij / t)` and `Q_i = softmax_j(s_ji / t)`, the lists that
/// the two views of text `i` have. `dJS / dP_j = log(P_j / M_j) / 2`.
#[derive(Debug, Clone, PartialEq)]
pub struct Consistency {
    temperature: f64,
    include_self: bool,
}

impl Consistency {
    /// `include_self`: whether a text stands in its own list.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`] unless it lies within bounds.
    pub fn new(temperature: f64, include_self: bool) -> Result<Self, ObjectiveError> {
        error::temperature(temperature)?;
        Ok(Self {
            temperature,
            include_self,
        })
    }
}

/// The settings of [`Consistency`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsistencySettings {
    /// What similarities are divided by.
    pub temperature: f64,
    /// Whether a text stands in its own list.
    pub include_self: bool,
}

impl Default for ConsistencySettings {
    fn default() -> Self {
        Self {
            temperature: 0.05,
            include_self: false,
        }
    }
}

impl ConsistencySettings {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`].
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        Consistency::new(self.temperature, self.include_self).map(drop)
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError::Temperature`].
    pub fn build(&self, _: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        let loss = Consistency::new(self.temperature, self.include_self)?;
        Ok(Box::new(loss))
    }
}

/// The divergence, and its slopes by the logits of both sides.
fn jensen_shannon(log_p: &[f64], log_q: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let log_mean = |a: f64, b: f64| {
        let most = a.max(b);
        most + (((a - most).exp() + (b - most).exp()) / 2.0).ln()
    };
    let mut divergence = 0.0;
    let sides = log_p.iter().zip(log_q).map(|(&p, &q)| {
        let m = log_mean(p, q);
        // In logarithms, so that a probability that vanishes adds nothing and
        // is never divided by.
        ((p - m) / 2.0, (q - m) / 2.0)
    });
    let (by_p, by_q): (Vec<f64>, Vec<f64>) = sides.unzip();
    let through_softmax = |logs: &[f64], slopes: &[f64]| -> (f64, Vec<f64>) {
        let weighted = logs.iter().zip(slopes).map(|(l, s)| l.exp() * s);
        let mean: f64 = weighted.sum();
        let slopes = logs.iter().zip(slopes);
        (mean, slopes.map(|(l, s)| l.exp() * (s - mean)).collect())
    };
    let (p_part, p_slopes) = through_softmax(log_p, &by_p);
    let (q_part, q_slopes) = through_softmax(log_q, &by_q);
    divergence += p_part + q_part;
    (divergence, p_slopes, q_slopes)
}

impl Objective for Consistency {
    fn columns(&self) -> usize {
        2
    }

    /// A list of one has one order.
    fn min_batch(&self) -> usize {
        if self.include_self { 2 } else { 3 }
    }

    fn evaluate(&self, _parameters: &[f32], input: &Input<'_>) -> Output {
        let n = input.examples();
        let mut output = Output::zero(input, 0);
        let views = Views::of(input);
        let forth = &views.cosines;
        let back = forth.transposed();
        let (mut slopes, mut back_slopes) = (Cosines::zeros(n, n), Cosines::zeros(n, n));
        let rows = slopes.values.par_chunks_mut(n.max(1));
        let rows = rows.zip(back_slopes.values.par_chunks_mut(n.max(1)));
        let losses: Vec<f64> = rows
            .enumerate()
            .map(|(i, (by_forth, by_back))| {
                let members = members(n, i, self.include_self);
                if members.is_empty() {
                    return 0.0;
                }
                let logs = |row: &[f32]| log_softmax(&picked(row, &members), self.temperature);
                let (divergence, p, q) = jensen_shannon(&logs(forth.row(i)), &logs(back.row(i)));
                let weight = f64::from(input.weights[i]) / n as f64;
                let factor = weight / self.temperature;
                for ((&j, p), q) in members.iter().zip(p).zip(q) {
                    by_forth[j] += (factor * p) as f32;
                    by_back[j] += (factor * q) as f32;
                }
                weight * divergence
            })
            .collect();
        for loss in losses {
            output.loss += loss;
        }
        for (slope, back) in slopes
            .values
            .iter_mut()
            .zip(back_slopes.transposed().values)
        {
            *slope += back;
        }
        views.gradients(&slopes, &mut output.embeddings);
        output
    }

    fn describe(&self) -> String {
        format!("ranking consistency (temperature {})", self.temperature)
    }
}
