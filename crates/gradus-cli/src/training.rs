//! Telling people how a training run gets on.

use crate::progress::{Counter, Manner};
use crate::steps_shown::{StepsShown, duration};
use crate::stop;
use gradus::tasks::similarity::{DevEvaluation, EncodingPlan, Plan, StagePlan};
use gradus::training::{Observer, Standing, StepReport};
use indicatif::HumanCount;
use std::fmt::Write;

/// An observer that shows a bar on a terminal and lines elsewhere.
pub struct Narrator {
    shown: StepsShown,
    /// The stages' names and steps.
    stages: Vec<(String, u64)>,
    /// Something that is under way beside the steps, such as encoding.
    counted: Option<Counter>,
}

impl Narrator {
    /// Tells in this manner.
    pub fn new(manner: Manner) -> Self {
        Self {
            shown: StepsShown::new(manner),
            stages: vec![],
            counted: None,
        }
    }

    /// Writes a line.
    pub fn say(&self, message: &str) {
        match &self.counted {
            Some(counter) => counter.aside(message),
            None => self.shown.say(message),
        }
    }
}

impl Observer for Narrator {
    fn begin(&mut self, plan: &Plan) {
        self.say(describe_plan(plan).trim_end());
        let stages = plan.stages.iter();
        self.stages = stages.map(|s| (s.name.clone(), s.steps)).collect();
    }

    fn stage(&mut self, index: usize, step: u64) {
        stop::takes_no_steps();
        self.shown.end();
        if let Some((name, steps)) = self.stages.get(index) {
            self.shown.begin(&format!("stage `{name}`"), step, *steps);
        }
    }

    fn note(&mut self, message: &str) {
        self.say(message);
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        if done == 0 {
            self.shown.pause();
            let texts = HumanCount(total);
            self.shown.lines(&format!("{what} {texts} texts once"));
            self.counted = Some(self.shown.counter(what, total));
        } else if let Some(counter) = &self.counted {
            counter.reach(done);
        }
        if done == total {
            self.counted = None;
            self.shown.resume();
        }
    }

    fn warn(&mut self, message: &str) {
        self.say(&format!("warning: {message}"));
    }

    fn step(&mut self, report: &StepReport) {
        stop::takes_steps();
        let difference = report
            .difference
            .map_or(String::new(), |d| format!(" (difference {:.4})", d.loss));
        let told = format!(
            "loss {:.4}{difference}, {:.0} pairs/s",
            report.loss, report.pairs_per_second
        );
        let more = || {
            let left =
                (report.steps - report.step) as f64 * report.pairs as f64 / report.pairs_per_second;
            format!("rate {:.2e}, {} left", report.learning_rate, duration(left))
        };
        let steps = (report.step, report.steps);
        self.shown
            .step(steps, told, more, report.step == report.steps);
    }

    fn evaluated(&mut self, e: &DevEvaluation, standing: Standing) {
        let percent = |c: gradus::eval::Correlation| {
            c.value()
                .map_or("undefined".into(), |v| format!("{:.2}", 100.0 * v))
        };
        let head = e
            .head_spearman
            .map_or(String::new(), |h| format!(", head {}", percent(h)));
        let random = e
            .geometry
            .mean_cosine
            .map_or(String::new(), |c| format!(", random pairs' cosine {c:.2}"));
        self.say(&format!(
            "stage `{}`, step {}: {} {}{head}{random}{}",
            e.stage,
            e.step,
            e.dev,
            percent(e.spearman),
            match standing {
                Standing::Best => " (best)",
                Standing::BelowStart => " (below step 0)",
                Standing::Other => "",
            }
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

/// How long an example is, and what an example is.
fn tokens_of_an_example(stage: &StagePlan) -> String {
    let example = stage.unit.strip_suffix('s').unwrap_or(&stage.unit);
    let texts = match (stage.unit.as_str(), stage.texts_per_example) {
        ("texts", 2) => " (read twice)".to_owned(),
        (_, 1) => String::new(),
        (_, 2) => " (two texts)".to_owned(),
        (_, texts) => format!(" ({texts} texts)"),
    };
    format!("{:.1} tokens per {example}{texts}", stage.tokens_per_pair)
}

/// What filters took, where they took something.
fn left_out(stage: &StagePlan) -> String {
    let parts = [
        (stage.excluded, "shared with evaluation sets"),
        (stage.skipped, "whose label is skipped"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{} {why}", HumanCount(*count as u64)))
        .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!("; left out: {}", parts.join(", ")),
    }
}

/// Texts that are encoded once.
fn describe_encoding(encoding: &EncodingPlan) -> String {
    let count = |n: usize| HumanCount(n as u64);
    let by = match &encoding.teacher {
        Some(teacher) => format!("by the teacher {teacher}"),
        None => "by the frozen encoder".to_owned(),
    };
    let found = match encoding.found {
        Some(found) if found > 0 => format!(", {} of them by an earlier run", count(found)),
        _ => String::new(),
    };
    let time = encoding
        .seconds
        .filter(|_| encoding.left() > 0)
        .map_or(String::new(), |s| format!(", about {}", duration(s)));
    format!(
        "{} of {} texts once, {by}{found}{time}",
        count(encoding.texts),
        count(encoding.of)
    )
}

/// A plan for people.
pub fn describe_plan(plan: &Plan) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "model      {} ({:.1} million parameters), on {}",
        plan.model,
        plan.parameters as f64 / 1e6,
        plan.backend
    );
    let _ = match &plan.dev {
        Some(dev) => writeln!(out, "selection  best Spearman of the cosine on {dev}"),
        None => writeln!(
            out,
            "selection  none, the last model is taken: [evaluation] names no dev set"
        ),
    };
    for stage in &plan.stages {
        let frozen = if stage.encoder_frozen {
            ", encoder frozen"
        } else {
            ""
        };
        let _ = writeln!(out, "stage `{}`: {}{frozen}", stage.name, stage.objective);
        let labels = match stage.label_range {
            (low, high) if low < high => format!(", labels {low} to {high}"),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "  data     {} {}{labels}, {}{}",
            HumanCount(stage.pairs as u64),
            stage.unit,
            tokens_of_an_example(stage),
            left_out(stage)
        );
        for encoding in &stage.encodings {
            let _ = writeln!(out, "  encoding {}", describe_encoding(encoding));
        }
        let _ = writeln!(
            out,
            "  steps    {} of {} {} ({:.2} epochs of {} steps), {} tokens",
            stage.steps,
            stage.effective_batch,
            stage.unit,
            stage.steps as f64 / stage.steps_per_epoch as f64,
            stage.steps_per_epoch,
            HumanCount(stage.tokens)
        );
        let peak = if stage.encoder_frozen {
            stage.head_peak_rate
        } else {
            stage.peak_rate
        };
        let _ = writeln!(
            out,
            "  rate     peak {peak:.2e}, last step {:.2e}; warm-up {} steps ({:.0} %)",
            stage.final_rate,
            stage.warmup_steps,
            100.0 * stage.warmup_steps as f64 / stage.steps as f64
        );
        if let Some(every) = stage.evaluate_every {
            let _ = writeln!(out, "  dev set  evaluated every {every} steps");
        }
        let time = stage.seconds.map_or(String::new(), |s| {
            format!(", about {} without evaluations", duration(s))
        });
        let _ = writeln!(
            out,
            "  memory   about {} MB{time}",
            stage.memory_bytes / 1_000_000
        );
    }
    out
}
