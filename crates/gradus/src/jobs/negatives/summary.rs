//! What came of it.

use super::budget::Spent;
use crate::data::negatives::NegativeRow;
use crate::data::negatives::filters::{LeftOut, Part, Reason};
use crate::util::words::thousands;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Rows that were written, and sentences without one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// Sentences with a row.
    pub sentences: u64,
    /// Their negatives.
    pub negatives: u64,
    /// Sentences without a positive that is fit for use.
    pub without_positive: u64,
    /// Sentences without a negative that is.
    pub without_negative: u64,
    /// Rows by the prompt that made them.
    pub by_prompt: BTreeMap<String, u64>,
    /// Negatives by the rule that made them.
    pub by_rule: BTreeMap<String, u64>,
}

impl Rows {
    pub(super) fn count(&mut self, row: &NegativeRow) {
        self.sentences += 1;
        self.negatives += row.negatives.len() as u64;
        if !row.prompt.is_empty() {
            *self.by_prompt.entry(row.prompt.clone()).or_default() += 1;
        }
        for rule in &row.rules {
            let name = rule.split(':').next().unwrap_or_default();
            *self.by_rule.entry(name.to_owned()).or_default() += 1;
        }
    }
}

/// Texts left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutCount {
    /// What they were.
    pub part: Part,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
}

/// A sentence that no rule applies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmadeSentence {
    /// Its number among the different sentences, counted from 1.
    pub number: u64,
    /// The sentence.
    pub sentence: String,
}

/// What asking a model came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asking {
    /// The address that was asked.
    pub endpoint: String,
    /// The journal of all answers.
    pub journal: PathBuf,
    /// Requests of this run, those sent again included.
    pub requests: u64,
    /// Requests sent again.
    pub sent_again: u64,
    /// Sentences whose answer was there before.
    pub from_journal: u64,
    /// Sentences without an answer.
    pub missing: u64,
    /// Sentences whose answers cannot be read.
    pub unreadable: u64,
    /// Of these, answers that were cut off.
    pub cut: u64,
    /// Sentences that the model declined.
    pub refused: u64,
    /// What all answers of the journal took.
    pub spent: Spent,
    /// Why it ended early: `limit`, `cancelled` or `error`.
    pub stopped: Option<&'static str>,
}

/// What came of making negatives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The file with the rows; `None` where there was nothing to write.
    pub output: Option<PathBuf>,
    /// The model's name, or `rules`.
    pub model: String,
    /// Different sentences.
    pub sentences: u64,
    /// Texts that were there before.
    pub repeated: u64,
    /// What was written.
    pub rows: Rows,
    /// What was left out.
    pub left_out: Vec<LeftOutCount>,
    /// Of a model.
    pub asking: Option<Asking>,
    /// Sentences that no rule applies to.
    pub unmade: Vec<UnmadeSentence>,
}

/// How many sentences the text names.
const NAMED: usize = 5;

pub(super) fn counts(left_out: &LeftOut) -> Vec<LeftOutCount> {
    let each = left_out.iter();
    each.map(|(part, reason, count)| LeftOutCount {
        part,
        reason,
        count,
    })
    .collect()
}

impl Summary {
    /// In lines for people.
    pub fn text(&self) -> String {
        let n = |count: u64| thousands(count as usize);
        let mut lines = Vec::new();
        let repeated = match self.repeated {
            0 => String::new(),
            count => format!(" ({} repeated texts left out)", n(count)),
        };
        lines.push(format!("{} sentences{repeated}", n(self.sentences)));
        if let Some(asking) = &self.asking {
            asking.lines(&mut lines);
        }
        let rows = &self.rows;
        if let Some(output) = &self.output {
            lines.push(format!(
                "{}: {} sentences with {} negatives",
                output.display(),
                n(rows.sentences),
                n(rows.negatives)
            ));
        }
        for (count, what) in [
            (
                rows.without_positive,
                "without a positive that is fit for use",
            ),
            (
                rows.without_negative,
                "without a negative that is fit for use",
            ),
        ] {
            if count > 0 {
                lines.push(format!("  {} sentences {what}", n(count)));
            }
        }
        for left in &self.left_out {
            let part = match left.part {
                Part::Positive => "positives",
                Part::Negative => "negatives",
            };
            lines.push(format!(
                "  {} {part} left out: {}",
                n(left.count),
                left.reason.words()
            ));
        }
        for (name, count) in rows.by_rule.iter().chain(&rows.by_prompt) {
            let (one, by) = match rows.by_rule.contains_key(name) {
                true => ("negative", "rule"),
                false => ("sentence", "prompt"),
            };
            let s = if *count == 1 { "" } else { "s" };
            lines.push(format!("  {} {one}{s} by the {by} {name}", n(*count)));
        }
        if !self.unmade.is_empty() {
            lines.push(format!(
                "no rule applies to {} sentences:",
                n(self.unmade.len() as u64)
            ));
            for unmade in self.unmade.iter().take(NAMED) {
                lines.push(format!("  {} {}", unmade.number, unmade.sentence));
            }
            if self.unmade.len() > NAMED {
                lines.push("  ... (--format json lists all)".into());
            }
        }
        lines.join("\n") + "\n"
    }
}

impl Asking {
    fn lines(&self, lines: &mut Vec<String>) {
        let n = |count: u64| thousands(count as usize);
        lines.push(format!(
            "{} requests to {}, {} of them sent again; {} answers from {}",
            n(self.requests),
            self.endpoint,
            n(self.sent_again),
            n(self.from_journal),
            self.journal.display()
        ));
        let cost = match self.spent.cost {
            0.0 => String::new(),
            cost => format!(", cost {cost:.4}"),
        };
        lines.push(format!(
            "{} tokens in, {} out{cost}, earlier runs included",
            n(self.spent.tokens_in),
            n(self.spent.tokens_out)
        ));
        for (count, what) in [
            (self.missing, "have no answer yet: the same command goes on"),
            (self.refused, "were declined by the model"),
            (self.unreadable, "have answers that cannot be read"),
        ] {
            if count > 0 {
                lines.push(format!("  {} sentences {what}", n(count)));
            }
        }
        if self.cut > 0 {
            lines.push(format!(
                "  {} of these answers were cut off: give more --max-tokens",
                n(self.cut)
            ));
        }
        if self.stopped == Some("limit") {
            lines.push("stopped at the limit; with a higher --max-cost or --max-tokens-total the same command goes on".into());
        }
    }
}
