//! A store of recent vectors, from which anchors get further negatives (dynamic
//! buffer: Wang, Jin & Zhao 2025; a momentum queue: ESimCSE, Wu et al. 2022).
//!
//! The entries are vectors as the encoder gives them, of the first text of each
//! example, with the teachers' vectors of that text. In each step they are scored
//! anew: behind a projection where the objective has one, by its parameters of that
//! step, as the batch's own vectors are. They go into the store when the step's update
//! is done, and the first step finds it empty.

mod choice;
mod entries;

pub(crate) use choice::{Chooser, Tally, TeacherSimilarity};
pub(crate) use entries::Entries;

use super::micro_batch::MicroBatch;
use crate::losses::{Directions, Memory, Objective};
use crate::models::{EncodeOptions, SentenceEncoder};
use crate::recipe::{BufferRules, Choice, EntriesOf};
use crate::text::Tokens;
use crate::training::{Details, Moment};
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use gradus_kernels::dropout::mix64;
use serde_json::json;

/// A stage's buffer.
pub(crate) struct Buffer<B: Backend> {
    rules: BufferRules,
    /// The teachers' weights.
    weights: Vec<f64>,
    entries: Entries,
    /// The moving average of the model, where the entries are its vectors.
    average: Option<SentenceEncoder<B>>,
    /// The model's own vectors of the step under way, where the entries are those.
    met: Vec<f32>,
    /// Of the step under way.
    tally: Tally,
}

impl<B: Backend> Buffer<B> {
    /// An empty one. A moving average begins as the model is.
    pub fn new(rules: BufferRules, weights: Vec<f64>, model: &SentenceEncoder<B>) -> Self {
        let average = match rules.entries_of {
            EntriesOf::Average { .. } => Some(model.twin()),
            EntriesOf::Model => None,
        };
        Self {
            rules,
            weights,
            entries: Entries::default(),
            average,
            met: vec![],
            tally: Tally::default(),
        }
    }

    /// The moving average.
    pub fn average(&self) -> Option<&SentenceEncoder<B>> {
        self.average.as_ref()
    }

    /// The moving average, to be changed.
    pub fn average_mut(&mut self) -> Option<&mut SentenceEncoder<B>> {
        self.average.as_mut()
    }

    /// Begins a step.
    pub fn begin(&mut self) {
        self.met.clear();
        self.tally = Tally::default();
    }

    /// The negatives of the anchors of a batch, whose first is the step's anchor
    /// `first`, among the entries. `embeddings` are the batch's.
    pub fn negatives(
        &mut self,
        (seed, at, first): (u64, Moment, usize),
        batch: &MicroBatch<'_>,
        objective: (&dyn Objective, &[f32]),
        embeddings: &Embeddings,
    ) -> Vec<Vec<u32>> {
        let n = batch.examples();
        if self.average.is_none() {
            let rows = &embeddings.as_slice()[..n * embeddings.dim()];
            self.met.extend_from_slice(rows);
        }
        if self.entries.len() == 0 {
            return vec![vec![]; n];
        }
        let (objective, parameters) = objective;
        let anchors = objective.seen(parameters, embeddings);
        let entries = objective.seen(parameters, &self.entries.vectors);
        let cosines = {
            let entries = Directions::of(&entries, 0, entries.rows());
            Directions::of(&anchors, 0, n).cosines(&entries)
        };
        let (teachers, rows) = (&batch.teachers, &self.entries.teachers);
        let directions = |of: &Embeddings| Directions::of(of, 0, of.rows());
        let teachers: Vec<_> = (self.weights.iter().zip(teachers).zip(rows))
            .map(|((weight, anchors), entries)| (*weight, directions(anchors), directions(entries)))
            .collect();
        let above = self.rules.false_negative_above;
        let teachers = above
            .filter(|_| !teachers.is_empty())
            .map(|above| TeacherSimilarity { teachers, above });
        let of_stage = mix64(seed ^ ((at.stage as u64) << 32) ^ 0x6275_6666_6572);
        let chooser = Chooser {
            choice: self.choice(at.step),
            cosines: &cosines,
            texts: &self.entries.texts,
            own: (0..n).map(|i| batch.own_texts(i)).collect(),
            teachers,
            key: mix64(of_stage ^ at.step),
            first,
        };
        let (negatives, tally) = chooser.choose();
        self.tally += tally;
        negatives
    }

    /// The rule of a step.
    fn choice(&self, step: u64) -> Choice {
        let grown = |most| self.rules.grown(most, step);
        match self.rules.choice {
            Choice::All => Choice::All,
            Choice::Hardest { most } => Choice::Hardest { most: grown(most) },
            Choice::Sampled { most, temperature } => Choice::Sampled {
                most: grown(most),
                temperature,
            },
        }
    }

    /// What an objective sees of it; `None` where it is empty.
    pub fn memory<'a>(&'a self, negatives: &'a [Vec<u32>]) -> Option<Memory<'a>> {
        let memory = Memory {
            vectors: &self.entries.vectors,
            negatives,
            log_weight: self.rules.log_weight,
        };
        (self.entries.len() > 0).then_some(memory)
    }

    /// Takes the vectors of a step's first `texts` in, now that the model is updated.
    /// `tokens` are these texts' inputs, whose templates' biases are subtracted where
    /// the stage does so; `teachers` have their vectors.
    pub fn follow(
        &mut self,
        model: &SentenceEncoder<B>,
        step: u64,
        (texts, tokens, denoise): (&[u32], &[Tokens], bool),
        teachers: &[Embeddings],
    ) {
        let vectors = match (&mut self.average, self.rules.entries_of) {
            (Some(average), EntriesOf::Average { momentum }) => {
                let len = model.layout().len();
                let (backend, params) = average.params_mut();
                backend.approach(params, model.params(), len, (1.0 - momentum) as f32);
                average.encode_as(tokens, denoise, EncodeOptions::default())
            }
            _ => Embeddings::new(model.dim(), std::mem::take(&mut self.met)),
        };
        let most = self.rules.grown(self.rules.size, step);
        self.entries.push(texts, &vectors, teachers, most);
    }

    /// What a checkpoint needs of the entries: their vectors. Their texts follow from
    /// the steps done.
    pub fn vectors(&self) -> &Embeddings {
        &self.entries.vectors
    }

    /// Puts vectors from a checkpoint back. `texts` gives the first texts of the steps
    /// done, the latest step first, each in order; `false` where they are not as many.
    pub fn restore(
        &mut self,
        vectors: Vec<f32>,
        dim: usize,
        texts: impl Iterator<Item = Vec<u32>>,
    ) -> bool {
        let count = vectors.len() / dim.max(1);
        if count * dim != vectors.len() || count > self.rules.size {
            return false;
        }
        let mut latest_first = vec![];
        for of_a_step in texts {
            if latest_first.len() >= count {
                break;
            }
            latest_first.extend(of_a_step.into_iter().rev());
        }
        latest_first.truncate(count);
        latest_first.reverse();
        self.entries = Entries {
            vectors: Embeddings::new(dim, vectors),
            texts: latest_first,
            teachers: vec![],
        };
        self.entries.len() == count
    }

    /// Asks for the teachers' vectors of entries from a checkpoint.
    pub fn ask_teachers(
        &mut self,
        gather: impl Fn(&[u32]) -> Result<Vec<Embeddings>>,
    ) -> Result<()> {
        if self.entries.len() > 0 {
            self.entries.teachers = gather(&self.entries.texts)?;
        }
        Ok(())
    }

    /// How full it was in the step, and what the anchors got of it.
    pub fn details(&self) -> Details {
        let tally = self.tally;
        let share = |part: f64, of: u64| part / of as f64;
        let fill = share(self.entries.len() as f64, self.rules.size as u64);
        let mut fields = serde_json::Map::new();
        fields.insert("fill".into(), json!(fill));
        if tally.others > 0 && self.rules.false_negative_above.is_some() {
            let dropped = share(tally.false_negatives as f64, tally.others);
            fields.insert("false_negatives".into(), json!(dropped));
        }
        let mut words = String::new();
        if tally.chosen > 0 {
            let cosine = share(tally.cosines, tally.chosen);
            fields.insert("cosine".into(), json!(cosine));
            words = format!("buffer cosine {cosine:.2}");
        }
        let mut details = Details {
            words,
            ..Details::default()
        };
        details.fields.insert("buffer".into(), fields.into());
        details
    }
}
