//! A model that scores pairs, whichever of the two kinds it is.

use super::environment::JobBackend;
use super::observed::notes_on_texts;
use crate::Result;
use crate::calibration::RawScore;
use crate::models::{CrossEncoder, SentenceEncoder};
use crate::nn::RegressionHead;
use std::path::Path;

/// A model that scores pairs of texts.
pub enum PairModel {
    /// One that makes a vector of each text: a pair's number is their cosine.
    Sentence(Box<SentenceEncoder<JobBackend>>),
    /// One that reads both texts at once and scores them.
    Cross(Box<CrossEncoder<JobBackend>>),
}

impl PairModel {
    /// Its regression head, where it makes vectors and has one.
    pub fn head(&self) -> Option<&RegressionHead> {
        match self {
            Self::Sentence(encoder) => encoder.head(),
            Self::Cross(_) => None,
        }
    }

    /// What its numbers are, a head's grades aside.
    pub fn raw_score(&self) -> RawScore {
        match self {
            Self::Sentence(_) => RawScore::Cosine,
            Self::Cross(_) => RawScore::Score,
        }
    }

    /// What it does to score pairs, in words.
    pub fn work(&self) -> &'static str {
        match self {
            Self::Sentence(_) => "encoding sentences",
            Self::Cross(_) => "scoring pairs",
        }
    }

    /// Writes the model to `target`, with `card` as its README.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) with the path concerned.
    pub fn save(&self, target: &Path, card: &str) -> Result<()> {
        match self {
            Self::Sentence(encoder) => encoder.save(target, card).map(|_| ()),
            Self::Cross(model) => model.save(target, card),
        }
    }

    /// Sentences on inputs so far that were truncated, or that the vocabulary
    /// hardly knows; none where there were none.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Sentence(encoder) => notes_on_texts(encoder),
            Self::Cross(model) => {
                let tokenizer = model.tokenizer();
                let counts = tokenizer.counts();
                counts.describe_pairs(tokenizer.max_tokens())
            }
        }
    }
}
