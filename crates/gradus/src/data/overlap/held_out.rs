//! Test sets, and what a training row shares with them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Matching, NearIndex, TestSet};

/// How alike two texts or pairs are, the closest first. A pair is as alike as
/// the less alike of its texts, in the better of both orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// The same characters ([`Matching::Exact`]).
    Exact,
    /// The same words ([`Matching::Normalised`]).
    Normalised,
    /// Most letter trigrams of the words ([`NearIndex`]).
    Near,
}

/// Something of a test set that a training row has too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Its number among the pairs or sentences of all test sets.
    pub index: u32,
    /// How alike they are.
    pub likeness: Likeness,
    /// The Jaccard index of the trigrams, of a pair the lower one; 1 where the
    /// words are the same.
    pub similarity: f64,
}

/// What a training row shares with the test sets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hits {
    /// The test pairs that the row is.
    pub pairs: Vec<Hit>,
    /// The test sentences that are among the row's.
    pub sentences: Vec<Hit>,
}

/// A test pair, by its set and its texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldPair {
    pub set: u32,
    pub texts: [u32; 2],
}

/// A test sentence, by its set and its text. A set has each text once.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldSentence {
    pub set: u32,
    pub text: u32,
}

/// Test sets to look training rows up in.
#[derive(Debug, Clone, Default)]
pub struct HeldOut {
    pub(super) names: Vec<String>,
    pub(super) pairs: Vec<HeldPair>,
    pub(super) sentences: Vec<HeldSentence>,
    /// The texts by number, without blanks at their ends.
    pub(super) texts: Vec<String>,
    text_numbers: HashMap<String, u32>,
    /// The words of texts, and their numbers.
    keys: HashMap<String, u32>,
    key_of_text: Vec<u32>,
    /// The sentences with these words.
    sentences_of_key: Vec<Vec<u32>>,
    /// The pairs with these words, in either order.
    pairs_of_keys: HashMap<(u32, u32), Vec<u32>>,
    /// The words that these are paired with, each once.
    partners: Vec<Vec<u32>>,
    near: Option<NearIndex>,
    remembered: HashMap<String, Vec<(u32, f64)>>,
}

/// How many look-ups of near texts are remembered: training sets repeat their
/// texts, mostly within a few rows.
const REMEMBERED: usize = 1 << 14;

impl HeldOut {
    /// Indexes test sets. With `near`, texts also count that share as many of
    /// their trigrams: a Jaccard index above 0 and at most 1.
    pub fn new(sets: &[TestSet], near: Option<f64>) -> Self {
        let mut held = Self::default();
        for set in sets {
            held.add(set);
        }
        if let Some(threshold) = near {
            let mut keys: Vec<(&str, u32)> =
                held.keys.iter().map(|(k, n)| (k.as_str(), *n)).collect();
            keys.sort_unstable_by_key(|(_, number)| *number);
            held.near = Some(NearIndex::new(threshold, keys.into_iter().map(|k| k.0)));
        }
        held
    }

    /// The sets' names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The least likeness of near texts; `None` where they are not looked for.
    pub fn near(&self) -> Option<f64> {
        self.near.as_ref().map(NearIndex::threshold)
    }

    fn add(&mut self, set: &TestSet) {
        let number = self.names.len() as u32;
        self.names.push(set.name.clone());
        let first_new = self.sentences.len();
        let mut own: HashMap<u32, ()> = HashMap::new();
        for (first, second) in &set.pairs {
            let texts = [first, second].map(|text| self.text(text));
            for text in texts {
                if own.insert(text, ()).is_none() {
                    let sentence = HeldSentence { set: number, text };
                    self.sentences.push(sentence);
                }
            }
            let keys = texts.map(|text| self.key_of_text[text as usize]);
            let place = self.pairs.len() as u32;
            self.pairs.push(HeldPair { set: number, texts });
            let found = self.pairs_of_keys.entry(ordered(keys)).or_default();
            if found.is_empty() {
                let [a, b] = keys;
                self.partners[a as usize].push(b);
                if a != b {
                    self.partners[b as usize].push(a);
                }
            }
            found.push(place);
        }
        for (i, sentence) in self.sentences.iter().enumerate().skip(first_new) {
            let key = self.key_of_text[sentence.text as usize];
            self.sentences_of_key[key as usize].push(i as u32);
        }
    }

    /// The number of a text, which may be new.
    fn text(&mut self, text: &str) -> u32 {
        let text = Matching::Exact.key(text);
        if let Some(&number) = self.text_numbers.get(&text) {
            return number;
        }
        let number = self.texts.len() as u32;
        let fresh = self.keys.len() as u32;
        let key = *self
            .keys
            .entry(Matching::Normalised.key(&text))
            .or_insert(fresh);
        if key == fresh {
            self.sentences_of_key.push(Vec::new());
            self.partners.push(Vec::new());
        }
        self.key_of_text.push(key);
        self.text_numbers.insert(text.clone(), number);
        self.texts.push(text);
        number
    }

    /// What a row of two sentences, or of one, shares with the sets. Hits are
    /// in the order of the sets.
    pub fn look_up(&mut self, first: &str, second: Option<&str>) -> Hits {
        let first = self.like(first);
        let second = second.map(|text| self.like(text));
        let mut hits = Hits::default();
        for like in [Some(&first), second.as_ref()].into_iter().flatten() {
            hits.sentences.extend(self.sentences_like(like));
        }
        if let Some(second) = &second {
            hits.pairs = self.pairs_like(&first, second);
        }
        closest(&mut hits.sentences);
        closest(&mut hits.pairs);
        hits
    }

    /// The test texts like a text.
    fn like(&mut self, text: &str) -> Like {
        let exact = Matching::Exact.key(text);
        let number = self.text_numbers.get(&exact).copied();
        let words = Matching::Normalised.key(&exact);
        let same = self.keys.get(&words).copied();
        let keys = match &mut self.near {
            None => same.map(|key| (key, 1.0)).into_iter().collect(),
            Some(index) => match self.remembered.get(&words) {
                Some(found) => found.clone(),
                None => {
                    let mut found = index.near(&words);
                    // A text without any trigram is like itself alone.
                    if let Some(key) = same.filter(|k| found.iter().all(|f| f.0 != *k)) {
                        found.push((key, 1.0));
                    }
                    if self.remembered.len() >= REMEMBERED {
                        self.remembered.clear();
                    }
                    self.remembered.insert(words, found.clone());
                    found
                }
            },
        };
        Like {
            text: number,
            same,
            keys,
        }
    }

    fn sentences_like<'a>(&'a self, like: &'a Like) -> impl Iterator<Item = Hit> + 'a {
        like.keys.iter().flat_map(move |&(key, similarity)| {
            let sentences = self.sentences_of_key[key as usize].iter();
            sentences.map(move |&index| Hit {
                index,
                likeness: like.to(key, self.sentences[index as usize].text),
                similarity,
            })
        })
    }

    fn pairs_like(&self, first: &Like, second: &Like) -> Vec<Hit> {
        let mut hits = Vec::new();
        let near_second: HashMap<u32, f64> = second.keys.iter().copied().collect();
        for &(a, of_a) in &first.keys {
            for &b in &self.partners[a as usize] {
                let Some(of_b) = near_second.get(&b) else {
                    continue;
                };
                for &index in self
                    .pairs_of_keys
                    .get(&ordered([a, b]))
                    .into_iter()
                    .flatten()
                {
                    let [x, y] = self.pairs[index as usize].texts;
                    let key = |text: u32| self.key_of_text[text as usize];
                    // Both orders, where the keys allow them.
                    for (x, y) in [(x, y), (y, x)] {
                        if (key(x), key(y)) == (a, b) {
                            hits.push(Hit {
                                index,
                                likeness: first.to(a, x).max(second.to(b, y)),
                                similarity: of_a.min(*of_b),
                            });
                        }
                    }
                }
            }
        }
        hits
    }
}

/// The test texts like one text.
struct Like {
    /// The very text.
    text: Option<u32>,
    /// The same words.
    same: Option<u32>,
    /// All words that count, with their likeness.
    keys: Vec<(u32, f64)>,
}

impl Like {
    /// How alike the text is to one with these words.
    fn to(&self, key: u32, text: u32) -> Likeness {
        if self.text == Some(text) {
            Likeness::Exact
        } else if self.same == Some(key) {
            Likeness::Normalised
        } else {
            Likeness::Near
        }
    }
}

fn ordered([a, b]: [u32; 2]) -> (u32, u32) {
    (a.min(b), a.max(b))
}

/// Keeps the closest hit on each thing, in the things' order.
fn closest(hits: &mut Vec<Hit>) {
    hits.sort_by(|a, b| {
        (a.index, a.likeness)
            .cmp(&(b.index, b.likeness))
            .then(b.similarity.total_cmp(&a.similarity))
    });
    hits.dedup_by_key(|hit| hit.index);
}

#[cfg(test)]
mod tests {
    use super::*;
    use Likeness::{Exact, Near, Normalised};

    fn held(near: Option<f64>) -> HeldOut {
        let set = |name: &str, pairs: &[(&str, &str)]| TestSet {
            name: name.into(),
            pairs: pairs
                .iter()
                .map(|(a, b)| (a.to_string(), b.to_string()))
                .collect(),
        };
        let sets = [
            set(
                "one",
                &[
                    ("A man is playing a guitar.", "Two dogs run."),
                    ("Two dogs run.", "a man is playing a guitar"),
                ],
            ),
            set("two", &[("?!", "?!"), ("Two dogs run.", "Two dogs run.")]),
        ];
        HeldOut::new(&sets, near)
    }

    fn found(hits: &[Hit]) -> Vec<(u32, Likeness)> {
        hits.iter().map(|hit| (hit.index, hit.likeness)).collect()
    }

    #[test]
    fn rows_are_found_by_characters_words_and_trigrams() {
        let mut exact = held(None);
        let hits = exact.look_up(" A man is playing a guitar.", Some("Two dogs run."));
        assert_eq!(found(&hits.pairs), [(0, Exact), (1, Normalised)]);
        // Sentences: 0 and 1 of the first pair, 2 the other spelling, 4 of set two.
        assert_eq!(
            found(&hits.sentences),
            [(0, Exact), (1, Exact), (2, Normalised), (4, Exact)]
        );
        let near = ("A man is playing the guitar", Some("TWO DOGS RUN"));
        assert_eq!(found(&exact.look_up(near.0, near.1).pairs), []);
        let mut all = held(Some(0.7));
        let hits = all.look_up(near.0, near.1);
        assert_eq!(found(&hits.pairs), [(0, Near), (1, Near)]);
        assert!(hits.pairs[0].similarity > 0.7 && hits.pairs[0].similarity < 1.0);
        assert_eq!(all.look_up(near.0, near.1), hits);
        let alone = all.look_up("two dogs run", None);
        assert_eq!(found(&alone.pairs), []);
        assert_eq!(found(&alone.sentences), [(1, Normalised), (4, Normalised)]);
    }

    #[test]
    fn a_pair_of_one_text_twice_is_itself_alone() {
        for near in [None, Some(0.5)] {
            let mut held = held(near);
            assert_eq!(found(&held.look_up("?!", Some("?!")).pairs), [(2, Exact)]);
            let hits = held.look_up("Two dogs run!", Some("Two dogs run."));
            assert_eq!(found(&hits.pairs), [(3, Normalised)]);
            assert_eq!(found(&held.look_up("", Some(" ")).pairs), []);
        }
    }
}
