//! A plan in words.

use super::{EncodingPlan, StagePlan, TrainingPlan};
use crate::util::words::{duration, thousands};
use std::fmt::Write;

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
        .map(|(count, why)| format!("{} {why}", thousands(*count)))
        .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!("; left out: {}", parts.join(", ")),
    }
}

/// Texts that are encoded once.
fn describe_encoding(encoding: &EncodingPlan) -> String {
    let count = |n: usize| thousands(n);
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

impl TrainingPlan {
    /// The plan for people, some lines.
    pub fn describe(&self) -> String {
        let plan = self;
        let mut out = String::new();
        let _ = writeln!(
            out,
            "model      {} ({:.1} million parameters), on {}",
            plan.model,
            plan.parameters as f64 / 1e6,
            plan.backend
        );
        let _ = match &plan.dev {
            Some(dev) => writeln!(
                out,
                "selection  best {} of the {} on {dev}",
                plan.metric, plan.selected_by
            ),
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
                thousands(stage.pairs),
                stage.unit,
                tokens_of_an_example(stage),
                left_out(stage)
            );
            if let Some(buffer) = &stage.buffer {
                let _ = writeln!(out, "  buffer   {buffer}");
            }
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
                thousands(stage.tokens as usize)
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
}
