//! A stage's buffer of negatives.

use super::{Freeze, Stage};
use crate::losses::LossName;
use serde::{Deserialize, Serialize};

/// Whose vectors a buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum BufferSource {
    /// A moving average of the model, without dropout (He et al. 2020).
    #[default]
    Average,
    /// The model itself, in the step that it met the texts in.
    Model,
}

/// Which entries are an anchor's negatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum BufferSelection {
    /// Those with the highest cosines.
    #[default]
    Hardest,
    /// Drawn with probabilities in proportion to `exp(cosine / temperature)`.
    Sampled,
    /// All.
    All,
}

/// A store of recent vectors, first in, first out, from which each anchor gets
/// further negatives (Wang, Jin & Zhao 2025; all entries: ESimCSE, Wu et al. 2022).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BufferSettings {
    /// The most entries; default: four times the examples of a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// How many of them an anchor gets at most; default: half of `batch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negatives: Option<usize>,
    /// An entry whose cosine with the anchor is higher to the stage's teachers is no
    /// negative; default 0.9 where the stage has teachers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_negative_above: Option<f64>,
    /// Whose vectors the entries are.
    pub source: BufferSource,
    /// What the moving average keeps of itself in each step; default 0.995.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Size and negatives grow in a straight line over so many steps.
    pub warmup_steps: u64,
    /// Which entries an anchor gets.
    pub selection: BufferSelection,
    /// What cosines are divided by where entries are drawn; default 0.05.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// What is added to the logits of the entries.
    pub log_weight: f64,
}

/// Whose vectors, with what that needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum EntriesOf {
    Average { momentum: f64 },
    Model,
}

/// Which entries, with what that needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choice {
    Hardest { most: usize },
    Sampled { most: usize, temperature: f64 },
    All,
}

/// A stage's buffer with all defaults in their places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BufferRules {
    pub size: usize,
    pub choice: Choice,
    /// `None` where the stage has no teachers.
    pub false_negative_above: Option<f64>,
    pub entries_of: EntriesOf,
    pub warmup_steps: u64,
    pub log_weight: f64,
}

impl Stage {
    /// Its buffer, with the defaults that depend on the stage.
    pub(crate) fn buffer_rules(&self) -> Option<BufferRules> {
        let settings = self.buffer.as_ref()?;
        let most = settings.negatives.unwrap_or((self.batch / 2).max(1));
        let above = settings.false_negative_above.unwrap_or(0.9);
        Some(BufferRules {
            size: settings.size(self),
            choice: match settings.selection {
                BufferSelection::Hardest => Choice::Hardest { most },
                BufferSelection::Sampled => Choice::Sampled {
                    most,
                    temperature: settings.temperature.unwrap_or(0.05),
                },
                BufferSelection::All => Choice::All,
            },
            false_negative_above: (!self.teachers.is_empty()).then_some(above),
            entries_of: match settings.source {
                BufferSource::Average => EntriesOf::Average {
                    momentum: settings.momentum.unwrap_or(0.995),
                },
                BufferSource::Model => EntriesOf::Model,
            },
            warmup_steps: settings.warmup_steps,
            log_weight: settings.log_weight,
        })
    }
}

impl BufferRules {
    /// What a size is at step `step`, counted from 0: a share that grows to the whole
    /// over the warm-up, rounded up.
    pub fn grown(&self, size: usize, step: u64) -> usize {
        let (warmup, step) = (u128::from(self.warmup_steps), u128::from(step) + 1);
        match step < warmup {
            true => (size as u128 * step).div_ceil(warmup) as usize,
            false => size,
        }
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        let mut text = match self.entries_of {
            EntriesOf::Average { momentum } => format!(
                "{} vectors of the model's moving average (momentum {momentum})",
                self.size
            ),
            EntriesOf::Model => format!("{} vectors of the model", self.size),
        };
        text += &match self.choice {
            Choice::Hardest { most } => format!(", the {most} hardest for each anchor"),
            Choice::Sampled { most, temperature } => {
                format!(", {most} drawn for each anchor at temperature {temperature}")
            }
            Choice::All => ", all for each anchor".to_owned(),
        };
        if let Some(above) = self.false_negative_above {
            text += &format!(", none above {above} to the teachers");
        }
        if self.warmup_steps > 0 {
            text += &format!(", growing over {} steps", self.warmup_steps);
        }
        if self.log_weight != 0.0 {
            text += &format!(", log weight {}", self.log_weight);
        }
        text
    }
}

/// More entries than any batch has use for.
const LARGEST: usize = 1_000_000;

impl BufferSettings {
    fn size(&self, stage: &Stage) -> usize {
        let of_a_step = stage.batch.saturating_mul(stage.accumulate);
        self.size
            .unwrap_or(of_a_step.saturating_mul(4).min(LARGEST))
    }

    /// Checks the settings, and whether the stage can have a buffer.
    ///
    /// # Errors
    /// A message naming the setting and what to do.
    pub(crate) fn check(&self, stage: &Stage) -> Result<(), String> {
        let within = |key: &str, value: f64, low: f64, high: f64| match value {
            value if (low..=high).contains(&value) => Ok(()),
            value => Err(format!(
                "`buffer.{key}` is {value}, it must lie in [{low}, {high}]"
            )),
        };
        if stage.freeze == Freeze::Encoder {
            return Err(
                "`buffer` holds vectors of a model that is trained: it does not go with `freeze = \"encoder\"`"
                    .into(),
            );
        }
        let mut losses = stage.objectives().map(|o| o.loss.name());
        if !losses.any(|loss| loss == LossName::InfoNce) {
            return Err(
                "`buffer` gives negatives to `info_nce`, and no objective of the stage is one: add `also = [{ loss = \"info_nce\" }]`, or leave `buffer` out"
                    .into(),
            );
        }
        let size = self.size(stage);
        within("size", size as f64, 1.0, LARGEST as f64)?;
        if let Some(negatives) = self.negatives {
            if self.selection == BufferSelection::All {
                return Err(
                    "`buffer.negatives` means nothing with `selection = \"all\"`: leave one of them out"
                        .into(),
                );
            }
            if !(1..=size).contains(&negatives) {
                return Err(format!(
                    "`buffer.negatives` is {negatives}, it must lie in [1, {size}], the buffer's size"
                ));
            }
        }
        if let Some(above) = self.false_negative_above {
            within("false_negative_above", above, -1.0, 1.0)?;
            if stage.teachers.is_empty() {
                return Err(
                    "`buffer.false_negative_above` is a cosine to the stage's `teachers`, and it has none: name one, or leave it out"
                        .into(),
                );
            }
        }
        if let Some(momentum) = self.momentum {
            if self.source == BufferSource::Model {
                return Err(
                    "`buffer.momentum` is that of the moving average: leave it out, or set `source = \"average\"`"
                        .into(),
                );
            }
            if !(0.0..1.0).contains(&momentum) {
                return Err(format!(
                    "`buffer.momentum` is {momentum}, it must lie in [0, 1)"
                ));
            }
        }
        if let Some(temperature) = self.temperature {
            if self.selection != BufferSelection::Sampled {
                return Err(
                    "`buffer.temperature` is for `selection = \"sampled\"`: leave it out; that of the loss is in `objective`"
                        .into(),
                );
            }
            within("temperature", temperature, 1e-4, 1e4)?;
        }
        within("warmup_steps", self.warmup_steps as f64, 0.0, 1e12)?;
        within("log_weight", self.log_weight, -20.0, 20.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(more: &str) -> Stage {
        let text = format!(
            "name = 'a'\ntrain = [{{ path = 'a.txt' }}]\nsteps = 9\nlearning_rate = 1.0\n\
             batch = 64\naccumulate = 2\n{more}"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_stage() {
        let plain = stage("objective = { loss = 'info_nce' }\nbuffer = {}");
        plain.validate().unwrap();
        let rules = BufferRules {
            size: 512,
            choice: Choice::Hardest { most: 32 },
            false_negative_above: None,
            entries_of: EntriesOf::Average { momentum: 0.995 },
            warmup_steps: 0,
            log_weight: 0.0,
        };
        assert_eq!(plain.buffer_rules(), Some(rules));
        let taught = stage(
            "objective = { loss = 'info_nce' }\nteachers = [{ model = 't' }]\n\
             buffer = { source = 'model', selection = 'sampled' }",
        );
        taught.validate().unwrap();
        let rules = BufferRules {
            choice: Choice::Sampled {
                most: 32,
                temperature: 0.05,
            },
            false_negative_above: Some(0.9),
            entries_of: EntriesOf::Model,
            ..rules
        };
        assert_eq!(taught.buffer_rules(), Some(rules));
        assert_eq!(
            rules.describe(),
            "512 vectors of the model, 32 drawn for each anchor at temperature 0.05, none above 0.9 to the teachers"
        );
    }

    #[test]
    fn sizes_grow_in_a_straight_line() {
        let warming = stage("objective = { loss = 'info_nce' }\nbuffer = { warmup_steps = 4 }");
        let rules = warming.buffer_rules().unwrap();
        let at = |size| [0, 1, 2, 3, 4, 99].map(|step| rules.grown(size, step));
        assert_eq!(at(100), [25, 50, 75, 100, 100, 100]);
        assert_eq!(at(3), [1, 2, 3, 3, 3, 3]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let loss = "objective = { loss = 'info_nce' }\n";
        for (text, wanted) in [
            (
                format!("{loss}buffer = {{ size = 0 }}"),
                "`buffer.size` is 0, it must lie in [1",
            ),
            (
                format!("{loss}buffer = {{ size = 9, negatives = 10 }}"),
                "must lie in [1, 9], the buffer's size",
            ),
            (
                format!("{loss}buffer = {{ negatives = 0 }}"),
                "`buffer.negatives` is 0",
            ),
            (
                format!("{loss}buffer = {{ selection = 'all', negatives = 3 }}"),
                "leave one of them out",
            ),
            (
                format!("{loss}buffer = {{ false_negative_above = 0.9 }}"),
                "`teachers`, and it has none",
            ),
            (
                format!(
                    "{loss}teachers = [{{ model = 't' }}]\nbuffer = {{ false_negative_above = 1.5 }}"
                ),
                "must lie in [-1, 1]",
            ),
            (
                format!("{loss}buffer = {{ momentum = 1.0 }}"),
                "must lie in [0, 1)",
            ),
            (
                format!("{loss}buffer = {{ source = 'model', momentum = 0.9 }}"),
                "set `source = \"average\"`",
            ),
            (
                format!("{loss}buffer = {{ temperature = 0.1 }}"),
                "`selection = \"sampled\"`",
            ),
            (
                format!("{loss}buffer = {{ selection = 'sampled', temperature = 0.0 }}"),
                "`buffer.temperature` is 0, it must lie in",
            ),
            (
                format!("{loss}buffer = {{ log_weight = nan }}"),
                "`buffer.log_weight` is NaN",
            ),
            (
                format!("{loss}freeze = 'encoder'\nbuffer = {{}}"),
                "does not go with `freeze",
            ),
            (
                "objective = { loss = 'cosent' }\nbuffer = {}".into(),
                "no objective of the stage is one",
            ),
        ] {
            let error = stage(&text).validate().unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let also = "objective = { loss = 'list_mle' }\nalso = [{ loss = 'info_nce' }]\n\
                    teachers = [{ model = 't' }]\nbuffer = {}";
        stage(also).validate().unwrap();
    }
}
