//! Which pairs of one set are pairs of another.
//!
//! STS-B was made from the STS tasks of 2012 to 2017: whoever trains on its
//! training split has seen a third of the STS12-16 *test* pairs. How many
//! depends on what counts as the same pair. Of the 5,749 training pairs,
//! 4,446 have the very bytes of a test pair, 4,757 the text without blanks at
//! its ends ([`Matching::Exact`]), and 4,759 the words
//! ([`Matching::Normalised`]); of dev 1,131 and of test 1,007 by either.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::GradedPair;

/// What counts as the same text. Either way a pair is the same in both orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// The same characters, but for white space at the ends.
    Exact,
    /// The same words: lower-cased runs of letters and digits. Also finds the
    /// tokenised, lower-cased text of SentEval.
    #[default]
    #[serde(alias = "normalized")]
    Normalised,
}

impl Matching {
    fn key(self, text: &str) -> String {
        let text = text.trim();
        if self == Matching::Exact {
            return text.to_string();
        }
        let mut key = String::with_capacity(text.len());
        let mut gap = false;
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_alphanumeric() {
                if gap && !key.is_empty() {
                    key.push(' ');
                }
                key.push(c);
                gap = false;
            } else {
                gap = true;
            }
        }
        // Texts of signs alone differ by their signs.
        if key.is_empty() {
            text.to_string()
        } else {
            key
        }
    }

    fn pair(self, first: &str, second: &str) -> (String, String) {
        let (a, b) = (self.key(first), self.key(second));
        if a <= b { (a, b) } else { (b, a) }
    }
}

/// A set of pairs to look others up in.
#[derive(Debug, Clone, Default)]
pub struct PairIndex {
    matching: Matching,
    pairs: HashSet<(String, String)>,
}

impl PairIndex {
    /// An empty index.
    pub fn new(matching: Matching) -> Self {
        let pairs = HashSet::new();
        Self { matching, pairs }
    }

    /// Adds a pair; `false` if it was there.
    pub fn insert(&mut self, first: &str, second: &str) -> bool {
        self.pairs.insert(self.matching.pair(first, second))
    }

    /// Whether the pair is there, in either order.
    pub fn contains(&self, first: &str, second: &str) -> bool {
        !self.pairs.is_empty() && self.pairs.contains(&self.matching.pair(first, second))
    }

    /// How many of `pairs` are there.
    pub fn count(&self, pairs: &[GradedPair]) -> usize {
        let hit = |pair: &&GradedPair| self.contains(&pair.first, &pair.second);
        pairs.iter().filter(hit).count()
    }

    /// How many different pairs it holds.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// What counts as the same text.
    pub fn matching(&self) -> Matching {
        self.matching
    }
}

impl Extend<GradedPair> for PairIndex {
    fn extend<I: IntoIterator<Item = GradedPair>>(&mut self, pairs: I) {
        for pair in pairs {
            self.insert(&pair.first, &pair.second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching_decides_what_is_the_same() {
        let mut exact = PairIndex::new(Matching::Exact);
        let mut words = PairIndex::new(Matching::Normalised);
        for index in [&mut exact, &mut words] {
            assert!(index.insert("It isn't \u{c9}t\u{e9}.", "B 2"));
            assert!(!index.insert(" B 2", "It isn't \u{c9}t\u{e9}. "));
            assert_eq!(index.len(), 1);
        }
        let tokenised = ("b 2", "it isn ' t \u{e9}t\u{e9} .");
        assert!(!exact.contains(tokenised.0, tokenised.1));
        assert!(words.contains(tokenised.0, tokenised.1));
        assert!(!words.contains("b2", "it isn't \u{e9}t\u{e9}"));
        assert!(!words.contains("b 2", "b 2"));
    }

    #[test]
    fn texts_without_words_differ_by_their_signs() {
        let mut index = PairIndex::new(Matching::Normalised);
        index.insert("?!", "...");
        assert!(index.contains("...", " ?!"));
        assert!(!index.contains("...", "!!"));
    }
}
