use crate::losses::{CandidateLists, RankingLoss};
use serde::{Deserialize, Serialize};

/// A stage's self distillation: the scores of a frozen cross-encoder as targets of
/// lists, beside its objectives (after Wang, Jin & Zhao 2025; the cross-encoder is
/// Trans-Encoder's, Liu et al. 2022).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfDistillationSettings {
    /// A cross-encoder of one score: a folder, or a name that `gradus pull` knows.
    pub cross_encoder: String,
    /// What the term is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
    /// How lists are held against the scores.
    #[serde(default = "list_net")]
    pub loss: RankingLoss,
    /// So many other texts of the batch stand in an anchor's list: those that the
    /// student finds most similar, hard negatives included. Each is a pair that the
    /// cross-encoder scores, once.
    #[serde(default = "candidates")]
    pub candidates: usize,
    /// What the student's cosines are divided by.
    #[serde(default = "temperature")]
    pub temperature: f64,
    /// What scores are divided by, for `list_net`; default: half of `temperature`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher_temperature: Option<f64>,
    /// Pairs are cut to so many tokens.
    #[serde(default = "max_tokens")]
    pub max_tokens: usize,
}

fn one() -> f64 {
    1.0
}
fn list_net() -> RankingLoss {
    RankingLoss::ListNet
}
fn candidates() -> usize {
    8
}
fn temperature() -> f64 {
    0.05
}
fn max_tokens() -> usize {
    64
}

/// More candidates than any batch has.
const MOST: usize = 65_536;

impl SelfDistillationSettings {
    /// The loss of the lists.
    ///
    /// # Errors
    /// Which setting is out of its bounds.
    pub(crate) fn lists(&self) -> Result<CandidateLists, String> {
        let of_teacher = self.teacher_temperature.unwrap_or(self.temperature / 2.0);
        let lists = CandidateLists::new(self.loss, self.candidates, self.temperature, of_teacher);
        lists.map_err(|e| format!("self_distillation: {e}"))
    }

    /// Checks the settings alone.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(self.weight > 0.0 && self.weight <= 1e9) {
            return Err(format!(
                "`self_distillation.weight` is {}, it must lie above 0 and not above 1000000000",
                self.weight
            ));
        }
        if !(2..=MOST).contains(&self.candidates) {
            return Err(format!(
                "`self_distillation.candidates` is {}, it must lie in [2, {MOST}]: a list of one has no order",
                self.candidates
            ));
        }
        self.lists().map(drop)
    }
}
