//! What a pretraining will do, and how it is scored.

use crate::util::words::{duration, thousands};
use serde::Serialize;
use std::fmt::Write;

/// What a run will do, worked out before it begins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PretrainingPlan {
    /// The model it goes on from; `None` for a fresh one.
    pub from: Option<String>,
    /// All parameters, those of the masked-language-model head included.
    pub parameters: usize,
    /// Vocabulary of the vocabulary.
    pub vocabulary: usize,
    /// Whether that head begins anew.
    pub fresh_head: bool,
    /// What it runs on.
    pub backend: String,
    /// Texts to train on.
    pub texts: usize,
    /// Texts held out.
    pub held_out: usize,
    /// Texts that were cut.
    pub shortened: usize,
    /// Texts that are mostly unknown to the vocabulary.
    pub unknown: usize,
    /// Tokens of an epoch.
    pub tokens: usize,
    /// Optimizer steps per epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps in all.
    pub steps: u64,
    /// Of which these warm up.
    pub warmup_steps: u64,
    /// The highest learning rate.
    pub peak_rate: f64,
    /// The share of the tokens that are masked and predicted.
    pub mask_rate: f64,
    /// Whether words are masked as a whole.
    pub whole_words: bool,
    /// Steps between evaluations.
    pub evaluate_every: u64,
    /// Seconds that the run will take, where that was measured.
    pub seconds: Option<f64>,
}

/// How well masked tokens of held-out texts are predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldOutScores {
    /// Optimizer steps done.
    pub step: u64,
    /// The mean cross-entropy in nats.
    pub loss: f64,
    /// The share of masked tokens predicted right.
    pub masked_accuracy: f64,
    /// How many were masked: the same ones every time.
    pub masked: usize,
}

impl HeldOutScores {
    /// The scores in one line.
    pub fn describe(&self) -> String {
        format!(
            "held-out texts: loss {:.4}, masked-token accuracy {:.2} % ({} tokens)",
            self.loss,
            100.0 * self.masked_accuracy,
            thousands(self.masked)
        )
    }
}

impl PretrainingPlan {
    /// The plan for people, some lines.
    pub fn describe(&self) -> String {
        let plan = self;
        let mut out = String::new();
        let origin = plan.from.as_deref().unwrap_or("a fresh BERT");
        let _ = writeln!(
            out,
            "model      {origin} ({:.1} million parameters, {} tokens in the vocabulary), on {}",
            plan.parameters as f64 / 1e6,
            thousands(plan.vocabulary),
            plan.backend
        );
        if plan.from.is_some() && plan.fresh_head {
            let _ = writeln!(
                out,
                "head       the model has no masked-language-model head: a new one is trained"
            );
        }
        let _ = writeln!(
            out,
            "texts      {} of {} tokens, {} held out, {} cut, {} mostly unknown to the vocabulary",
            thousands(plan.texts),
            thousands(plan.tokens),
            thousands(plan.held_out),
            thousands(plan.shortened),
            thousands(plan.unknown)
        );
        let words = if plan.whole_words {
            ", whole words"
        } else {
            ""
        };
        let _ = writeln!(out, "masked     {:.0} %{words}", 100.0 * plan.mask_rate);
        let time = plan
            .seconds
            .map_or(String::new(), |s| format!(", about {}", duration(s)));
        let _ = writeln!(
            out,
            "steps      {} of {:.0} tokens ({:.2} epochs), evaluated every {} steps{time}",
            plan.steps,
            plan.tokens as f64 / plan.steps_per_epoch as f64,
            plan.steps as f64 / plan.steps_per_epoch as f64,
            plan.evaluate_every
        );
        let _ = writeln!(
            out,
            "rate       peak {:.2e}; warm-up {} steps",
            plan.peak_rate, plan.warmup_steps
        );
        out
    }
}
