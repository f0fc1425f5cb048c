//! Encoding with an observer, in chunks between which it may end.

use super::chunks::CHUNK;
use super::{JobError, PairModel};
use crate::eval::{Embedder, PairScorer, PairScores, WithHead};
use crate::models::{CrossEncoder, EncodeOptions, SentenceEncoder, inputs_at_a_time};
use crate::text::{BareText, Tokens};
use crate::util::{Observer, check_cancelled};
use crate::{Embeddings, Error, Result};
use gradus_kernels::Backend;
use std::cell::RefCell;

/// An encoder whose progress an observer hears of.
pub struct Observed<'a, B: Backend> {
    encoder: &'a SentenceEncoder<B>,
    what: String,
    observer: RefCell<&'a mut dyn Observer>,
}

impl<'a, B: Backend> Observed<'a, B> {
    /// `what` says what is done, such as "encoding pairs".
    pub fn new(
        encoder: &'a SentenceEncoder<B>,
        what: impl Into<String>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        Self {
            encoder,
            what: what.into(),
            observer: RefCell::new(observer),
        }
    }
}

impl<B: Backend> Embedder for Observed<'_, B> {
    fn embed(&self, texts: &[&str]) -> Result<Embeddings> {
        let mut observer = self.observer.borrow_mut();
        let total = texts.len() as u64;
        let mut done = 0;
        observer.progress(&self.what, done, total);
        let mut values = Vec::with_capacity(texts.len() * self.encoder.dim());
        for chunk in texts.chunks(inputs_at_a_time(self.encoder.backend(), CHUNK)) {
            check_cancelled(&**observer, &self.what)?;
            let vectors = self.encoder.encode(chunk)?;
            values.extend(vectors.into_vec());
            done += chunk.len() as u64;
            observer.progress(&self.what, done, total);
        }
        Ok(Embeddings::new(self.encoder.dim(), values))
    }
}

/// The tokens and vectors of texts; refuses vectors with values that are infinite
/// or not numbers, which would go unnoticed in a file of results.
pub(super) fn finite_vectors<B: Backend>(
    model: &str,
    encoder: &SentenceEncoder<B>,
    texts: &[&str],
) -> Result<(Vec<Tokens>, Embeddings)> {
    let encoded = encoder.encode_texts(texts, EncodeOptions::default());
    let (tokens, vectors) = encoded.map_err(of_model)?;
    check_finite(model, texts, &vectors)?;
    Ok((tokens, vectors))
}

/// A tokenizer's error is its model's; a device's is not.
fn of_model(error: Error) -> Error {
    match error {
        Error::Device(_) => error,
        error => JobError::model(error),
    }
}

/// Refuses vectors that are no use.
pub(super) fn check_finite(model: &str, texts: &[&str], vectors: &Embeddings) -> Result<()> {
    let bad = vectors.as_slice().iter().position(|v| !v.is_finite());
    match bad.and_then(|place| texts.get(place / vectors.dim().max(1))) {
        None => Ok(()),
        Some(text) => Err(JobError::NotFinite {
            model: model.to_owned(),
            text: shortened(text),
        }
        .into()),
    }
}

/// The tokens and scores of pairs; refuses scores that are infinite or not numbers.
pub(super) fn finite_scores<B: Backend>(
    name: &str,
    model: &CrossEncoder<B>,
    pairs: &[(&str, &str)],
) -> Result<(Vec<Tokens>, Vec<f64>)> {
    let (tokens, logits) = model.pair_logits(pairs).map_err(of_model)?;
    let scores = finite(name, model, &logits, |place| pairs[place])?;
    Ok((tokens, scores))
}

/// The scores of texts with each other that were tokenised before; `texts` gives the
/// two of a pair by its place.
pub(super) fn finite_scores_of_bare<'a, B: Backend>(
    name: &str,
    model: &CrossEncoder<B>,
    pairs: &[(&BareText, &BareText)],
    texts: impl Fn(usize) -> (&'a str, &'a str),
) -> Result<Vec<f64>> {
    let tokens = model.tokenizer().join_pairs(pairs);
    let logits = model.logits(&tokens.map_err(JobError::model)?);
    model.backend().check()?;
    finite(name, model, &logits, texts)
}

fn finite<'a, B: Backend>(
    name: &str,
    model: &CrossEncoder<B>,
    logits: &[f32],
    texts: impl Fn(usize) -> (&'a str, &'a str),
) -> Result<Vec<f64>> {
    let scores = model.pair_scores(logits);
    match scores.iter().position(|score| !score.is_finite()) {
        None => Ok(scores),
        Some(place) => {
            let (first, second) = texts(place);
            Err(JobError::NotFiniteScore {
                model: name.to_owned(),
                first: shortened(first),
                second: shortened(second),
            }
            .into())
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A model of either kind that scores pairs, whose progress an observer hears of.
pub struct ObservedPairs<'a> {
    model: &'a PairModel,
    what: String,
    observer: RefCell<&'a mut dyn Observer>,
}

impl<'a> ObservedPairs<'a> {
    /// `what` says what is done, such as "scoring pairs"; see [`PairModel::work`].
    pub fn new(
        model: &'a PairModel,
        what: impl Into<String>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        Self {
            model,
            what: what.into(),
            observer: RefCell::new(observer),
        }
    }
}

impl PairScorer for ObservedPairs<'_> {
    fn score_pairs(&self, pairs: &[(&str, &str)]) -> Result<PairScores> {
        let mut observer = self.observer.borrow_mut();
        let model = match self.model {
            PairModel::Sentence(encoder) => {
                let embedder = &Observed::new(encoder, &*self.what, &mut **observer);
                let head = encoder.head();
                return WithHead { embedder, head }.score_pairs(pairs);
            }
            PairModel::Cross(model) => model,
        };
        let total = pairs.len() as u64;
        let mut scores = Vec::with_capacity(pairs.len());
        observer.progress(&self.what, 0, total);
        for chunk in pairs.chunks(inputs_at_a_time(model.backend(), CHUNK)) {
            check_cancelled(&**observer, &self.what)?;
            scores.extend(model.score_pairs(chunk)?.raw);
            observer.progress(&self.what, scores.len() as u64, total);
        }
        Ok(PairScores::of_scores(scores))
    }
}

/// How many texts a model read only in part, or not at all, in words.
pub(super) fn notes_on_texts<B: Backend>(encoder: &SentenceEncoder<B>) -> Vec<String> {
    let tokenizer = encoder.tokenizer();
    tokenizer.counts().describe(tokenizer.max_tokens())
}
