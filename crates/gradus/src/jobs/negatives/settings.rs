use super::{Limits, Prompts};
use crate::Result;
use crate::chat::ChatConfig;
use crate::data::Source;
use crate::data::negatives::filters::Filters;
use crate::data::negatives::rules::Rule;
use crate::data::negatives::{Layout, RowForm};
use crate::jobs::JobError;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What is made of which sentences, and where it goes.
#[derive(Debug, Clone)]
pub struct NegativesSettings {
    /// The files with the sentences.
    pub texts: Vec<Source>,
    /// At most so many sentences, the first ones.
    pub most: Option<usize>,
    /// The file with the rows, `.tsv` or `.jsonl`.
    pub output: PathBuf,
    /// Whether a file may be replaced that this command did not write.
    pub overwrite: bool,
    /// How many negatives a sentence gets at most.
    pub negatives: usize,
    /// How they lie in the file.
    pub layout: Layout,
    /// For all that is chosen by chance.
    pub seed: u64,
    /// What is fit for use.
    pub filters: Filters,
    /// A sentence encoder that judges too.
    pub teacher: Option<String>,
}

/// How a language model is asked.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// The endpoint.
    pub chat: ChatConfig,
    /// The model's name there.
    pub model: String,
    /// What it is asked.
    pub prompts: Prompts,
    /// The temperature; by default the endpoint's own.
    pub temperature: Option<f64>,
    /// The most tokens of an answer; by default the endpoint's own.
    pub max_tokens: Option<u64>,
    /// More keys of each request.
    pub extra: Map<String, Value>,
    /// How many requests are under way at once.
    pub concurrency: usize,
    /// When to stop.
    pub limits: Limits,
}

/// How rules are used.
#[derive(Debug, Clone)]
pub struct RuleSettings {
    /// Which.
    pub rules: Vec<Rule>,
}

/// The most negatives of a sentence.
const MOST: usize = 20;

/// The most requests at once.
const MOST_AT_ONCE: usize = 256;

fn wrong<T>(message: impl Into<String>) -> Result<T> {
    Err(JobError::Settings(message.into()).into())
}

impl NegativesSettings {
    /// Refuses what is out of its bounds; returns the form of the output.
    ///
    /// # Errors
    /// [`JobError::Settings`].
    pub(super) fn form(&self) -> Result<RowForm> {
        if !(1..=MOST).contains(&self.negatives) {
            return wrong(format!("--negatives must lie between 1 and {MOST}"));
        }
        let filters = &self.filters;
        for (name, value, most) in [
            ("--max-positive-overlap", filters.max_positive_overlap, 1.0),
            ("--max-negative-overlap", filters.max_negative_overlap, 1.0),
            ("--min-length", filters.min_length, 1.0),
            ("--min-script", filters.min_script, 1.0),
            ("--max-length", filters.max_length, f64::MAX),
        ] {
            if !(value >= 0.0 && value <= most) {
                return match most {
                    1.0 => wrong(format!("{name} must lie between 0 and 1")),
                    _ => wrong(format!("{name} must be 0 or more")),
                };
            }
        }
        for (name, value) in [
            ("--negative-below", filters.negative_below),
            ("--positive-above", filters.positive_above),
        ] {
            if !(-1.0..=1.0).contains(&value) {
                return wrong(format!("{name} must lie between -1 and 1"));
            }
        }
        let Some(format) = RowForm::format_of(&self.output) else {
            return wrong(format!(
                "--output {}: give a name that ends in .tsv or .jsonl",
                self.output.display()
            ));
        };
        Ok(RowForm {
            format,
            layout: self.layout,
            negatives: self.negatives,
            cosines: self.teacher.is_some(),
        })
    }
}

impl ModelSettings {
    /// # Errors
    /// [`JobError::Settings`].
    pub(super) fn validate(&self) -> Result<()> {
        if self.model.trim().is_empty() {
            return wrong("--model is empty; give the name by which the endpoint knows the model");
        }
        if !(1..=MOST_AT_ONCE).contains(&self.concurrency) {
            return wrong(format!(
                "--concurrency must lie between 1 and {MOST_AT_ONCE}"
            ));
        }
        if self
            .temperature
            .is_some_and(|t| !(t >= 0.0 && t.is_finite()))
        {
            return wrong("--temperature must be 0 or more");
        }
        if self.max_tokens == Some(0) {
            return wrong("--max-tokens must be at least 1");
        }
        let rate = self.chat.requests_per_minute;
        if rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
            return wrong("--requests-per-minute must lie above 0");
        }
        for key in ["model", "messages", "stream", "n"] {
            if self.extra.contains_key(key) {
                return wrong(format!(
                    "--extra holds {key:?}, which this command sets itself; leave it out"
                ));
            }
        }
        self.limits.validate()
    }
}
