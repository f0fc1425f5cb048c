//! Self distillation as an auxiliary loss of a stage: a frozen cross-encoder's scores
//! as the targets of lists.

use crate::losses::CandidateLists;
use crate::models::CrossEncoder;
use crate::recipe::SelfDistillationSettings;
use crate::training::Details;
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use gradus_kernels::dropout::mix64;
use serde_json::{Map, json};
use std::collections::HashMap;
use std::path::Path;

/// Scores that are kept: beyond so many they are forgotten.
const MOST_SCORES: usize = 4 << 20;

/// A stage's self distillation.
pub(crate) struct CrossTargets<B: Backend> {
    cross_encoder: CrossEncoder<B>,
    lists: CandidateLists,
    weight: f64,
    /// The stage's texts by their numbers.
    texts: Vec<String>,
    /// The score of a pair of texts does not depend on anything else, so that it is
    /// computed once.
    scores: HashMap<(u32, u32), f64>,
    /// Of the step under way: the loss, and the sum of scores and their number.
    loss: f64,
    seen: (f64, usize),
}

impl<B: Backend> CrossTargets<B> {
    /// Loads the cross-encoder in `folder` for a stage with these texts.
    ///
    /// # Errors
    /// As [`CrossEncoder::load`]; where it gives several scores.
    pub fn load(
        settings: &SelfDistillationSettings,
        folder: &Path,
        texts: Vec<String>,
        backend: std::sync::Arc<B>,
    ) -> Result<Self> {
        let mut cross_encoder = CrossEncoder::load_beside(folder, backend)?;
        cross_encoder.check_one_label("teach lists")?;
        cross_encoder
            .tokenizer_mut()
            .set_max_tokens(settings.max_tokens)?;
        let lists = settings.lists().map_err(crate::Error::Internal)?;
        Ok(Self {
            cross_encoder,
            lists,
            weight: settings.weight,
            texts,
            scores: HashMap::new(),
            loss: 0.0,
            seen: (0.0, 0),
        })
    }

    /// Begins a step.
    pub fn begin(&mut self) {
        (self.loss, self.seen) = (0.0, (0.0, 0));
    }

    /// The weighted loss of a batch's embeddings, whose rows are vectors of `texts`,
    /// the first `anchors` being anchors; and its gradient. `share` is the batch's
    /// part of the step; `key` breaks ties.
    ///
    /// # Errors
    /// Where the tokenizer fails.
    pub fn evaluate(
        &mut self,
        embeddings: &Embeddings,
        (anchors, texts): (usize, &[u32]),
        share: f64,
        key: u64,
    ) -> Result<(f64, Vec<f32>)> {
        let lists = self.lists.pick(embeddings, anchors, texts);
        let mut wanted: Vec<(u32, u32)> = vec![];
        for (i, list) in lists.iter().enumerate() {
            wanted.extend(list.iter().map(|&j| (texts[i], texts[j as usize])));
        }
        self.score(&wanted)?;
        let mut scores = wanted.iter().map(|pair| self.scores[pair]);
        let targets: Vec<Vec<f64>> = lists
            .iter()
            .map(|list| scores.by_ref().take(list.len()).collect())
            .collect();
        for score in targets.iter().flatten() {
            self.seen.0 += score;
            self.seen.1 += 1;
        }
        let (loss, mut gradient) = self
            .lists
            .evaluate(embeddings, &lists, &targets, mix64(key));
        self.loss += share * loss;
        for g in &mut gradient {
            *g *= self.weight as f32;
        }
        Ok((self.weight * loss, gradient))
    }

    /// Scores the pairs that have none.
    fn score(&mut self, wanted: &[(u32, u32)]) -> Result<()> {
        if self.scores.len() > MOST_SCORES {
            self.scores.clear();
        }
        let mut new: Vec<(u32, u32)> = vec![];
        for pair in wanted {
            if !self.scores.contains_key(pair) {
                self.scores.insert(*pair, 0.0);
                new.push(*pair);
            }
        }
        let text = |number: u32| self.texts[number as usize].as_str();
        let pairs: Vec<(&str, &str)> = new.iter().map(|&(a, b)| (text(a), text(b))).collect();
        let found = self.cross_encoder.predict(&pairs)?;
        for (pair, score) in new.into_iter().zip(found.as_slice()) {
            self.scores.insert(pair, *score);
        }
        Ok(())
    }

    /// How the step went.
    pub fn details(&self) -> Details {
        let (sum, count) = self.seen;
        let mean = sum / count.max(1) as f64;
        Details {
            words: format!("self distillation {:.4}", self.loss),
            fields: Map::from_iter([
                ("self_distillation".to_owned(), json!(self.loss)),
                ("cross_encoder_score".to_owned(), json!(mean)),
            ]),
        }
    }

    /// Bytes of the cross-encoder's parameters.
    pub fn bytes(&self) -> u64 {
        4 * self.cross_encoder.layout().len() as u64
    }
}
