//! Which pairs are made, from what.

use crate::data::Source;
use serde::{Deserialize, Serialize};

/// The pairs that are labelled: read as they are, or made from texts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairSettings {
    /// Files of pairs; grades in them are not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Or texts: each is paired with its neighbours by a bi-encoder's
    /// vectors, and with others at random.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corpus: Vec<Source>,
    /// Of a text's neighbours in the corpus, those of these ranks, 1 being the
    /// nearest.
    #[serde(default = "ranks")]
    pub ranks: Vec<usize>,
    /// So many random texts for each text.
    #[serde(default = "one")]
    pub random: usize,
    /// At most so many pairs, spread over all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// Whether pairs of the seven test sets and of the dev set are left out.
    #[serde(default)]
    pub exclude_overlap: bool,
}

fn ranks() -> Vec<usize> {
    vec![1, 4, 16, 64]
}
fn one() -> usize {
    1
}

impl PairSettings {
    /// Pairs made from texts, with the usual neighbours.
    pub fn of_corpus(corpus: Vec<Source>) -> Self {
        Self {
            corpus,
            ranks: ranks(),
            random: one(),
            ..Self::default()
        }
    }

    /// Checks the settings; files are not looked at.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (self.sources.is_empty(), self.corpus.is_empty()) {
            (true, true) => {
                return Err("`pairs` needs `sources` of pairs, or a `corpus` of texts".into());
            }
            (false, false) => {
                return Err("`pairs` has `sources` and a `corpus`: give one of them".into());
            }
            _ => {}
        }
        if !self.corpus.is_empty() {
            if self.ranks.is_empty() && self.random == 0 {
                return Err("`pairs` makes none: set `ranks`, or `random` above 0".into());
            }
            if self.ranks.iter().any(|r| !(1..=10_000).contains(r)) {
                return Err("`pairs.ranks` count from 1, the nearest, to 10000".into());
            }
        }
        match self.most {
            Some(0) => Err("`pairs.most` is 0: nothing would be learned".into()),
            _ => Ok(()),
        }
    }
}
