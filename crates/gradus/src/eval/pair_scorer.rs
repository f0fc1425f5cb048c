//! What evaluation needs of a model: a number for every pair.

use super::{Embedder, PairScores};
use crate::Result;
use crate::nn::RegressionHead;
use serde::{Deserialize, Serialize};

/// What a model's raw numbers of pairs are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// Cosines of two vectors, from -1 to 1.
    #[default]
    Cosine,
    /// Scores of a cross-encoder, which reads both texts at once; any numbers.
    Score,
}

impl Similarity {
    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::Score => "score",
        }
    }

    /// Whether it is a cosine, as where nothing is said.
    pub(crate) fn is_cosine(&self) -> bool {
        *self == Self::Cosine
    }
}

/// Scores pairs of texts: anything that makes vectors, by their cosine, and
/// cross-encoders.
pub trait PairScorer {
    /// One number a pair, in the order of the pairs, and what it is.
    ///
    /// # Errors
    /// Whatever the model fails with.
    fn score_pairs(&self, pairs: &[(&str, &str)]) -> Result<PairScores>;
}

impl<E: Embedder + ?Sized> PairScorer for E {
    fn score_pairs(&self, pairs: &[(&str, &str)]) -> Result<PairScores> {
        PairScores::of(&self, None, pairs.iter().copied())
    }
}

/// What makes vectors, with the regression head that grades pairs of them.
pub struct WithHead<'a> {
    /// What makes vectors.
    pub embedder: &'a dyn Embedder,
    /// The head, where there is one.
    pub head: Option<&'a RegressionHead>,
}

impl PairScorer for WithHead<'_> {
    fn score_pairs(&self, pairs: &[(&str, &str)]) -> Result<PairScores> {
        PairScores::of(self.embedder, self.head, pairs.iter().copied())
    }
}

/// Calls `scorer`, holding it to its contract.
///
/// # Panics
/// If it gives another number of scores than it got pairs: a bug of the scorer,
/// never of the texts.
pub(super) fn score_all(scorer: &dyn PairScorer, pairs: &[(&str, &str)]) -> Result<PairScores> {
    let scores = scorer.score_pairs(pairs)?;
    assert_eq!(
        scores.raw.len(),
        pairs.len(),
        "a scorer must give one number a pair"
    );
    Ok(scores)
}
