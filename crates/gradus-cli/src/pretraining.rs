//! Telling people how a pretraining gets on.

use crate::progress::Manner;
use crate::steps_shown::{StepsShown, duration};
use crate::stop;
use gradus::tasks::masked_lm::{HeldOut, Observer, Plan, StepReport};
use indicatif::HumanCount;
use std::fmt::Write;

/// An observer that shows a bar on a terminal and lines elsewhere.
pub struct Narrator {
    shown: StepsShown,
}

impl Narrator {
    /// Tells in this manner.
    pub fn new(manner: Manner) -> Self {
        let shown = StepsShown::new(manner);
        Self { shown }
    }

    /// Writes a line.
    pub fn say(&self, message: &str) {
        self.shown.say(message);
    }
}

impl Observer for Narrator {
    fn begin(&mut self, plan: &Plan, step: u64) {
        self.say(describe_plan(plan).trim_end());
        self.shown.begin("pretraining", step, plan.steps);
    }

    fn note(&mut self, message: &str) {
        self.say(message);
    }

    fn warn(&mut self, message: &str) {
        self.say(&format!("warning: {message}"));
    }

    fn step(&mut self, report: &StepReport) {
        stop::takes_steps();
        let told = format!(
            "loss {:.3}, masked-token accuracy {:.1} %, {:.0} tokens/s",
            report.loss,
            100.0 * report.masked_accuracy,
            report.tokens_per_second
        );
        let more = || {
            let left = duration(report.seconds_left);
            format!("rate {:.2e}, {left} left", report.learning_rate)
        };
        let steps = (report.step, report.steps);
        self.shown.step(steps, told, more, false);
    }

    fn evaluated(&mut self, held_out: &HeldOut) {
        self.say(&format!(
            "step {}: held-out texts: loss {:.4}, masked-token accuracy {:.2} % ({} tokens)",
            held_out.step,
            held_out.loss,
            100.0 * held_out.masked_accuracy,
            HumanCount(held_out.masked as u64)
        ));
    }

    fn end(&mut self) {
        self.shown.end();
        stop::takes_no_steps();
    }

    fn cancelled(&self) -> bool {
        stop::is_wanted()
    }
}

/// A plan for people.
fn describe_plan(plan: &Plan) -> String {
    let mut out = String::new();
    let origin = plan.from.as_deref().unwrap_or("a fresh BERT");
    let _ = writeln!(
        out,
        "model      {origin} ({:.1} million parameters, {} tokens in the vocabulary), on {}",
        plan.parameters as f64 / 1e6,
        HumanCount(plan.vocabulary as u64),
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
        HumanCount(plan.texts as u64),
        HumanCount(plan.tokens as u64),
        HumanCount(plan.held_out as u64),
        HumanCount(plan.shortened as u64),
        HumanCount(plan.unknown as u64)
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
