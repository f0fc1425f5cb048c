//! Telling people how a pretraining gets on.

use crate::progress::{Counter, Manner};
use crate::training::duration;
use gradus::pretrain::{HeldOut, Observer, Plan, StepReport};
use indicatif::HumanCount;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// How often a line tells of the loss where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// An observer that shows a bar on a terminal and lines elsewhere.
pub struct Narrator {
    manner: Manner,
    counter: Option<Counter>,
    last_line: Instant,
}

impl Narrator {
    /// Tells in this manner.
    pub fn new(manner: Manner) -> Self {
        Self {
            manner,
            counter: None,
            last_line: Instant::now(),
        }
    }

    /// Writes a line.
    pub fn say(&self, message: &str) {
        match &self.counter {
            Some(counter) => counter.aside(message),
            None => self.manner.note(message),
        }
    }
}

impl Observer for Narrator {
    fn begin(&mut self, plan: &Plan, step: u64) {
        self.say(describe_plan(plan).trim_end());
        if step > 0 {
            self.say(&format!("goes on at step {step}"));
        }
        if self.manner == Manner::Bars {
            let counter = Counter::new(self.manner, "pretraining", Some(plan.steps));
            counter.skip(step);
            self.counter = Some(counter);
        }
    }

    fn note(&mut self, message: &str) {
        self.say(message);
    }

    fn warn(&mut self, message: &str) {
        self.say(&format!("warning: {message}"));
    }

    fn step(&mut self, report: &StepReport) {
        let told = format!(
            "loss {:.3}, told {:.1} %, {:.0} tokens/s",
            report.loss,
            100.0 * report.masked_accuracy,
            report.tokens_per_second
        );
        if let Some(counter) = &self.counter {
            counter.relabel(told);
            counter.add(1);
        } else if self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            self.say(&format!(
                "step {} of {}: {told}, rate {:.2e}, {} left",
                report.step,
                report.steps,
                report.learning_rate,
                duration(report.seconds_left)
            ));
        }
    }

    fn evaluated(&mut self, held_out: &HeldOut) {
        self.say(&format!(
            "step {}: held out: loss {:.4}, told {:.2} % of {} masked tokens",
            held_out.step,
            held_out.loss,
            100.0 * held_out.masked_accuracy,
            HumanCount(held_out.masked as u64)
        ));
    }

    fn end(&mut self) {
        self.counter = None;
    }
}

/// A plan for people.
fn describe_plan(plan: &Plan) -> String {
    let mut out = String::new();
    let origin = plan.from.as_deref().unwrap_or("a fresh BERT");
    let _ = writeln!(
        out,
        "model      {origin} ({:.1} million parameters, {} pieces), on {}",
        plan.parameters as f64 / 1e6,
        HumanCount(plan.vocabulary as u64),
        plan.backend
    );
    if plan.from.is_some() && plan.fresh_head {
        let _ = writeln!(
            out,
            "head       it has none that tells masked tokens: begun anew"
        );
    }
    let _ = writeln!(
        out,
        "texts      {} of {} tokens, {} held out, {} cut",
        HumanCount(plan.texts as u64),
        HumanCount(plan.tokens as u64),
        HumanCount(plan.held_out as u64),
        HumanCount(plan.shortened as u64)
    );
    let words = if plan.whole_words {
        ", whole words"
    } else {
        ""
    };
    let _ = writeln!(out, "masked     {:.0} %{words}", 100.0 * plan.mask_rate);
    let time = plan
        .seconds
        .map_or(String::new(), |s| format!(", laid out for {}", duration(s)));
    let _ = writeln!(
        out,
        "steps      {} of {:.0} tokens ({:.2} epochs), scored every {}{time}",
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
