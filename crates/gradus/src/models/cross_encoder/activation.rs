//! What becomes of a logit before it is a score.

use serde::{Deserialize, Serialize};

/// What is done to logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreActivation {
    /// Nothing: the score is the logit.
    Identity,
    /// `1 / (1 + exp(-x))`: the score lies between 0 and 1.
    Sigmoid,
}

impl ScoreActivation {
    /// That of a model of so many labels where none is named, as in
    /// sentence-transformers.
    pub fn default_of(labels: usize) -> Self {
        match labels {
            1 => Self::Sigmoid,
            _ => Self::Identity,
        }
    }

    /// The score of a logit.
    pub fn apply(self, logit: f64) -> f64 {
        match self {
            Self::Identity => logit,
            Self::Sigmoid if logit >= 0.0 => 1.0 / (1.0 + (-logit).exp()),
            Self::Sigmoid => {
                let e = logit.exp();
                e / (1.0 + e)
            }
        }
    }

    /// Torch's name of the class.
    pub fn torch_name(self) -> &'static str {
        match self {
            Self::Identity => "torch.nn.modules.linear.Identity",
            Self::Sigmoid => "torch.nn.modules.activation.Sigmoid",
        }
    }

    /// The one that a name of torch's stands for.
    pub(crate) fn of_torch(name: &str) -> Option<Self> {
        match name {
            "torch.nn.modules.linear.Identity" | "torch.nn.Identity" => Some(Self::Identity),
            "torch.nn.modules.activation.Sigmoid" | "torch.nn.Sigmoid" => Some(Self::Sigmoid),
            _ => None,
        }
    }
}
