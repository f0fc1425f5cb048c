//! Negatives by rules, without any model.
//!
//! Each rule changes one thing of a sentence, so that most words stay and the
//! meaning does not. Rules know English words and no grammar: some of what they make
//! is odd, and some sentences none applies to. SNCSE (Wang & Dou 2023) found
//! negation alone to be useful.

mod antonym;
mod draw;
mod entity;
mod names;
mod negation;
mod number;
mod phrase;
mod preposition;
mod role;
mod verbs;

use super::words::{Word, normalised, words};
use draw::Draw;
use names::Names;
use serde::Serialize;

/// One way to change a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Inserts or removes "not", "n't", "never" and their like.
    Negation,
    /// Puts a word's opposite in its place.
    Antonym,
    /// Changes a digit or a number's word.
    Number,
    /// Swaps who does something and to whom, two names, or "from X to Y".
    Role,
    /// Turns before into after, above into below and their like.
    Preposition,
    /// Puts another name of the texts in a name's place.
    Entity,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 6] = [
        Self::Negation,
        Self::Antonym,
        Self::Number,
        Self::Role,
        Self::Preposition,
        Self::Entity,
    ];

    /// Its name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negation => "negation",
            Self::Antonym => "antonym",
            Self::Number => "number",
            Self::Role => "role",
            Self::Preposition => "preposition",
            Self::Entity => "entity",
        }
    }

    /// The rule of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    fn apply(self, sentence: &Sentence, names: &Names, draw: &mut Draw) -> Option<Change> {
        match self {
            Self::Negation => negation::apply(sentence, draw),
            Self::Antonym => antonym::apply(sentence, draw),
            Self::Number => number::apply(sentence, draw),
            Self::Role => role::apply(sentence, draw),
            Self::Preposition => preposition::apply(sentence, draw),
            Self::Entity => entity::apply(sentence, names, draw),
        }
    }
}

/// A sentence and its words.
struct Sentence<'a> {
    text: &'a str,
    words: Vec<Word<'a>>,
    /// The words in lower case.
    lower: Vec<String>,
}

impl<'a> Sentence<'a> {
    fn new(text: &'a str) -> Self {
        let words = words(text);
        let lower = words.iter().map(Word::lower).collect();
        Self { text, words, lower }
    }

    /// Whether only white space stands between word `i` and the next.
    fn joined(&self, i: usize) -> bool {
        match (self.words.get(i), self.words.get(i + 1)) {
            (Some(a), Some(b)) => super::words::adjacent(self.text, a, b),
            _ => false,
        }
    }

    /// The words in lower case from word `i` on that stand side by side, at most
    /// `count`.
    fn is_at(&self, i: usize, wanted: &[&str]) -> bool {
        let found = self.lower.get(i..i + wanted.len());
        found.is_some_and(|found| found == wanted)
            && (i..i + wanted.len() - 1).all(|i| self.joined(i))
    }
}

/// What a rule did.
struct Change {
    /// The sentence it made.
    text: String,
    /// What it applied to.
    from: String,
    /// What stands there now.
    to: String,
}

/// A negative that a rule made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The sentence.
    pub text: String,
    /// The rule.
    pub rule: Rule,
    /// What it applied to and what it made of that, as in `big -> small`.
    pub change: String,
}

impl Made {
    /// Rule and change, as files hold them.
    pub fn describe(&self) -> String {
        format!("{}: {}", self.rule.name(), self.change)
    }
}

/// Rules, ready for the sentences of a file.
#[derive(Debug)]
pub struct Rules {
    selected: Vec<Rule>,
    seed: u64,
    names: Names,
}

/// How often all rules are tried, each time with other draws, for the negatives
/// that are still wanted.
const ROUNDS: u64 = 4;

impl Rules {
    /// The rules `selected`, for `sentences`, whose names may take each other's
    /// places.
    pub fn new(selected: &[Rule], seed: u64, sentences: &[String]) -> Self {
        Self {
            selected: selected.to_vec(),
            seed,
            names: match selected.contains(&Rule::Entity) {
                true => Names::of(sentences),
                false => Names::default(),
            },
        }
    }

    /// At most `count` different negatives of the sentence with this number, none of
    /// which has its words. Which rules come first depends on seed and number alone.
    pub fn make(&self, number: u64, sentence: &str, count: usize) -> Vec<Made> {
        let sentence = Sentence::new(sentence);
        let mut order = self.selected.clone();
        Draw::new(self.seed, number, 0).shuffle(&mut order);
        let mut seen = vec![normalised(sentence.text)];
        let mut made = Vec::new();
        for round in 0..ROUNDS {
            for rule in &order {
                if made.len() >= count {
                    return made;
                }
                let mut draw = Draw::new(self.seed, number, 1 + round * 16 + *rule as u64);
                let Some(change) = rule.apply(&sentence, &self.names, &mut draw) else {
                    continue;
                };
                let words = normalised(&change.text);
                if words.is_empty() || seen.contains(&words) {
                    continue;
                }
                seen.push(words);
                made.push(Made {
                    text: change.text,
                    rule: *rule,
                    change: format!("{} -> {}", change.from, change.to),
                });
            }
        }
        made
    }
}

#[cfg(test)]
mod tests;
