//! What a run encodes once: the texts of stages that leave the encoder alone, and
//! those that teachers encode. Only what the stage's steps will see.

use super::Similarity;
use super::stage::Prepared;
use crate::Result;
use crate::models::{EncodeOptions, SentenceEncoder};
use crate::recipe::Freeze;
use crate::teacher::{Numbered, TeacherVectors, cache_folder};
use crate::text::Tokens;
use crate::training::seconds_per_step;
use crate::training::{epoch_key, order};
use crate::util::machine::free_memory;
use gradus_kernels::Backend;
use serde::Serialize;
use std::time::Instant;

/// Texts that a stage encodes once, before its steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EncodingPlan {
    /// The teacher; `None` for the model itself, whose encoder is frozen.
    pub teacher: Option<String>,
    /// How many the steps will see.
    pub texts: usize,
    /// Different texts of the stage in all.
    pub of: usize,
    /// How many of them have vectors from an earlier run, where that was looked
    /// up.
    pub found: Option<usize>,
    /// How long the rest takes, where that was measured.
    pub seconds: Option<f64>,
}

impl EncodingPlan {
    /// Texts that have to be encoded.
    pub fn left(&self) -> usize {
        self.texts - self.found.unwrap_or(0).min(self.texts)
    }
}

/// The examples that the first `steps` optimizer steps of a stage see, of `n`.
/// Their order is a function of seed, stage and epoch: an epoch sees them all, and
/// fewer steps the first of its order.
pub(crate) fn seen(
    n: usize,
    (steps, effective_batch): (u64, usize),
    (seed, stage, shuffle): (u64, usize, bool),
) -> Vec<u32> {
    let most = usize::try_from(steps).unwrap_or(usize::MAX);
    let most = most.saturating_mul(effective_batch);
    if most >= n {
        return order(n, None);
    }
    let mut first = order(n, shuffle.then(|| epoch_key(seed, stage, 0)));
    first.truncate(most);
    first
}

/// The numbers of the texts in the first `columns` of some examples, each once.
pub(crate) fn texts_of(rows: &[u32], width: usize, columns: usize, examples: &[u32]) -> Vec<u32> {
    let texts = examples
        .iter()
        .flat_map(|&i| &rows[i as usize * width..][..columns]);
    let mut texts: Vec<u32> = texts.copied().collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

impl Prepared {
    /// The texts that its teachers encode.
    pub(crate) fn texts_for_teachers(&self) -> Vec<Numbered<'_>> {
        let texts = self.for_teachers.iter();
        texts.map(|(n, text)| (*n, text.as_str())).collect()
    }
}

/// Texts whose encoding is measured.
const SAMPLE: usize = 256;

/// So many texts are encoded before anybody waits.
const FEW: usize = 1000;

impl<B: Backend> Similarity<B> {
    /// Measures how long the texts take that are encoded once, by encoding some,
    /// and looks up how many are there from earlier runs.
    ///
    /// # Errors
    /// Those of loading a teacher; [`crate::Error::Io`].
    pub fn estimate_encoding(&mut self) -> Result<()> {
        for s in 0..self.stages.len() {
            for e in 0..self.plan.stages[s].encodings.len() {
                let found = self.measure(s, self.plan.stages[s].encodings[e].clone())?;
                self.plan.stages[s].encodings[e] = found;
            }
        }
        Ok(())
    }

    /// Puts into the plan how long the steps of the stages take, measured on some. A
    /// stage that needs more memory than is free is not tried.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn estimate_steps(&mut self) -> Result<()> {
        for s in 0..self.stages.len() {
            let free = free_memory().unwrap_or(u64::MAX);
            let frozen = self.stages[s].settings.freeze == Freeze::Encoder;
            if frozen || self.plan.stages[s].memory_bytes > free {
                continue;
            }
            let a_step = seconds_per_step(self, s)?;
            let plan = &mut self.plan.stages[s];
            plan.seconds = Some(a_step * plan.steps as f64);
        }
        Ok(())
    }

    fn measure(&self, s: usize, plan: EncodingPlan) -> Result<EncodingPlan> {
        let stage = &self.stages[s];
        let mut plan = plan;
        match plan.teacher.as_ref().map(|name| &self.other_models[name]) {
            None => {
                let sample: Vec<Tokens> = spread(&stage.encoded, SAMPLE)
                    .map(|&t| stage.texts[t as usize].clone())
                    .collect();
                plan.seconds = Some(time(&self.model, &sample) * plan.left() as f64);
            }
            Some(folder) => {
                let texts = stage.texts_for_teachers();
                let cache = cache_folder();
                let backend = self.model.backend();
                let missing = TeacherVectors::missing(folder, backend, &texts, &cache)?;
                plan.found = Some(plan.texts - missing.min(plan.texts));
                plan.seconds = Some(0.0);
                if missing > 0 {
                    let backend = self.model.shared_backend();
                    let teacher = SentenceEncoder::load_beside(folder, backend)?;
                    let sample: Vec<&str> = texts.iter().map(|t| t.1).collect();
                    plan.seconds = Some(seconds_per_text(&teacher, &sample)? * missing as f64);
                }
            }
        }
        Ok(plan)
    }

    /// Whether somebody would wait for what is encoded once.
    pub fn encodes_many(&self) -> bool {
        let mut each = self.plan.stages.iter().flat_map(|stage| &stage.encodings);
        each.any(|encoding| encoding.left() > FEW)
    }
}

/// Some of `all`, from the first to the last.
fn spread<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(most).max(1))
}

/// Seconds that a model takes to encode one of `texts`, measured on some of them.
///
/// # Errors
/// Only where the tokenizer fails.
pub fn seconds_per_text<B: Backend>(model: &SentenceEncoder<B>, texts: &[&str]) -> Result<f64> {
    let sample: Vec<&str> = spread(texts, SAMPLE).copied().collect();
    Ok(time(model, &model.tokenizer().encode(&sample)?))
}

/// Seconds that a text takes.
fn time<B: Backend>(model: &SentenceEncoder<B>, sample: &[Tokens]) -> f64 {
    // The first pass warms caches up.
    let few = &sample[..sample.len().min(SAMPLE / 4)];
    model.encode_tokens(few, EncodeOptions::default());
    let began = Instant::now();
    model.encode_tokens(sample, EncodeOptions::default());
    began.elapsed().as_secs_f64() / sample.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_less_than_an_epoch_see_its_first_examples() {
        let first = order(10, Some(epoch_key(7, 2, 0)));
        assert_eq!(seen(10, (2, 3), (7, 2, true)), first[..6]);
        assert_eq!(seen(10, (2, 3), (7, 2, false)), [0, 1, 2, 3, 4, 5]);
        for steps in [4, 5, u64::MAX] {
            assert_eq!(seen(10, (steps, 3), (7, 2, true)), order(10, None));
        }
    }

    #[test]
    fn texts_are_numbered_once() {
        let rows = [4, 1, 0, 1, 4, 2];
        assert_eq!(texts_of(&rows, 2, 2, &[0, 2]), [1, 2, 4]);
        assert_eq!(texts_of(&rows, 2, 1, &[0, 2, 1]), [0, 4]);
        assert_eq!(texts_of(&rows, 3, 1, &[1]), [1]);
    }
}
