//! A set of pairs to look others up in.

use std::collections::HashSet;

use super::Matching;
use crate::data::GradedPair;

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
