//! The labels of pairs: cosines of bi-encoders, scores of cross-encoders.

use super::{Form, SelfDistillation};
use crate::Result;
use crate::eval::Embedder;
use crate::jobs::pairing::files;
use crate::jobs::{JobError, Observed};
use crate::models::{CrossEncoder, SentenceEncoder, inputs_at_a_time};
use crate::util::interned::Interned;
use crate::util::{Observer, check_cancelled};
use std::path::{Path, PathBuf};

/// Pairs that a cross-encoder scores before the observer is asked again.
const CHUNK: usize = 512;

impl SelfDistillation {
    /// The labels that `form` learns in a cycle, by the other form of all models;
    /// written once.
    pub(super) fn label(
        &self,
        cycle: usize,
        form: Form,
        pairs: &[(String, String)],
        observer: &mut dyn Observer,
    ) -> Result<PathBuf> {
        let path = self.file(&format!("cycle-{cycle}-for-{}s", form.name()));
        if path.is_file() {
            return Ok(path);
        }
        let mut sums = vec![0.0; pairs.len()];
        for model in 0..self.given.len() {
            let scores = match form {
                Form::CrossEncoder if cycle == 1 => {
                    self.cosines(&self.given[model].0, pairs, observer)?
                }
                Form::CrossEncoder => {
                    let folder = self.folder(cycle - 1, Form::BiEncoder, model);
                    self.cosines(&folder.join("model"), pairs, observer)?
                }
                Form::BiEncoder => {
                    let folder = self.folder(cycle, Form::CrossEncoder, model);
                    self.scores(&folder.join("model"), pairs, observer)?
                }
            };
            for (sum, score) in sums.iter_mut().zip(scores) {
                *sum += score;
            }
        }
        for sum in &mut sums {
            *sum /= self.given.len() as f64;
        }
        files::write(&path, pairs, Some(&sums))?;
        Ok(path)
    }

    /// The cosines of pairs by the bi-encoder in `folder`.
    fn cosines(
        &self,
        folder: &Path,
        pairs: &[(String, String)],
        observer: &mut dyn Observer,
    ) -> Result<Vec<f64>> {
        let encoder = self.bi_encoder(folder, observer)?;
        let mut unique = Interned::default();
        let places: Vec<(usize, usize)> = pairs
            .iter()
            .map(|(a, b)| (unique.place(a), unique.place(b)))
            .collect();
        let observed = Observed::new(&encoder, "labelling pairs by cosines", observer);
        let vectors = observed.embed(&unique.texts).map_err(JobError::model)?;
        Ok(places.iter().map(|&(a, b)| vectors.cosine(a, b)).collect())
    }

    /// The scores of pairs, in their own order, by the cross-encoder in `folder`.
    fn scores(
        &self,
        folder: &Path,
        pairs: &[(String, String)],
        observer: &mut dyn Observer,
    ) -> Result<Vec<f64>> {
        const WHAT: &str = "labelling pairs by scores";
        let backend = self
            .environment
            .backend(self.settings.precision, observer)?;
        let mut model = CrossEncoder::load(folder, backend).map_err(JobError::model)?;
        let most = self.settings.cross_encoder.max_tokens;
        model.tokenizer_mut().set_max_tokens(most)?;
        let mut scores = Vec::with_capacity(pairs.len());
        for chunk in pairs.chunks(inputs_at_a_time(model.backend(), CHUNK)) {
            check_cancelled(observer, WHAT)?;
            observer.progress(WHAT, scores.len() as u64, pairs.len() as u64);
            let chunk: Vec<(&str, &str)> = chunk.iter().map(|(a, b)| (&**a, &**b)).collect();
            scores.extend_from_slice(model.predict(&chunk)?.as_slice());
        }
        observer.progress(WHAT, pairs.len() as u64, pairs.len() as u64);
        Ok(scores)
    }

    /// A bi-encoder that reads as many tokens as it does in training.
    pub(super) fn bi_encoder(
        &self,
        folder: &Path,
        observer: &mut dyn Observer,
    ) -> Result<SentenceEncoder> {
        let backend = self
            .environment
            .backend(self.settings.precision, observer)?;
        let mut encoder = SentenceEncoder::load(folder, backend).map_err(JobError::model)?;
        let most = self.settings.bi_encoder.max_tokens;
        encoder.tokenizer_mut().set_max_tokens(most)?;
        Ok(encoder)
    }
}
