//! Which of a language model's sentences are fit for use.
//!
//! A model's answers hold refusals, words about the answer, copies of the sentence,
//! and sentences in another language. SynCSE's authors found that cleaning them out
//! moved their results. Everything here looks at texts alone and is cheap; a teacher's
//! cosines come on top ([`Filters::by_cosine`]).

mod language;
mod speech;

use super::words::{normalised, overlap};
use language::share_in_script_of;
use serde::Serialize;
use speech::is_about_itself;
pub(crate) use speech::is_refusal;
use std::collections::BTreeMap;

/// What a text is to its sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// It means the same.
    Positive,
    /// It does not.
    Negative,
}

/// Why a text is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is nothing.
    Empty,
    /// The model declines: "I'm sorry, but I can't help with that."
    Refusal,
    /// It speaks of the answer: "Here is a paraphrase: ..."
    MetaText,
    /// It has the sentence's words, or nearly.
    CopyOfSentence,
    /// It has the positive's words, or nearly.
    CopyOfPositive,
    /// It has the words of another negative of the sentence.
    Duplicate,
    /// It is too short beside the sentence.
    TooShort,
    /// It is too long beside the sentence.
    TooLong,
    /// Its letters are of another script.
    OtherScript,
    /// The teacher finds a positive too far from the sentence.
    TeacherFar,
    /// The teacher finds a negative too near to the sentence.
    TeacherNear,
}

impl Reason {
    /// In words, for tables.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Refusal => "refusal",
            Self::MetaText => "speaks of the answer",
            Self::CopyOfSentence => "copy of the sentence",
            Self::CopyOfPositive => "copy of the positive",
            Self::Duplicate => "the same as another",
            Self::TooShort => "too short",
            Self::TooLong => "too long",
            Self::OtherScript => "another script",
            Self::TeacherFar => "too far for the teacher",
            Self::TeacherNear => "too near for the teacher",
        }
    }
}

/// How many texts were left out, by what they were and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<(Part, Reason), u64>);

impl LeftOut {
    /// One more.
    pub fn add(&mut self, part: Part, reason: Reason) {
        *self.0.entry((part, reason)).or_default() += 1;
    }

    /// All counts that are not 0, positives first.
    pub fn iter(&self) -> impl Iterator<Item = (Part, Reason, u64)> + '_ {
        self.0
            .iter()
            .map(|((part, reason), n)| (*part, *reason, *n))
    }

    /// How many for one reason.
    pub fn count(&self, part: Part, reason: Reason) -> u64 {
        self.0.get(&(part, reason)).copied().unwrap_or_default()
    }
}

/// The bounds of what is fit for use.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Filters {
    /// A positive may share this much of the sentence's words, in their order (twice
    /// the longest common subsequence over the words of both). 1 leaves out equal
    /// words alone.
    pub max_positive_overlap: f64,
    /// A negative may share this much with the sentence and with the positive. Hard
    /// negatives share most words, so that this is 1 by default.
    pub max_negative_overlap: f64,
    /// The least letters and digits beside those of the sentence, as a ratio.
    pub min_length: f64,
    /// The most.
    pub max_length: f64,
    /// The least share of a text's letters that are of the sentence's script.
    pub min_script: f64,
    /// A teacher's cosine of sentence and negative must lie below this.
    pub negative_below: f64,
    /// A teacher's cosine of sentence and positive must lie above this.
    pub positive_above: f64,
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            max_positive_overlap: 0.95,
            max_negative_overlap: 1.0,
            min_length: 0.4,
            max_length: 2.5,
            min_script: 0.5,
            negative_below: 0.9,
            positive_above: 0.5,
        }
    }
}

/// A sentence that texts are held beside.
pub struct Judge<'a> {
    filters: &'a Filters,
    sentence: &'a str,
    words: Vec<String>,
    positive: Option<Vec<String>>,
    negatives: Vec<Vec<String>>,
}

/// White space becomes single spaces; quotes around a text go where the sentence has
/// none.
pub fn tidy(text: &str, sentence: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let around = |open: char, close: char| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        let plain = !inner.contains([open, close]) && !sentence.starts_with(open);
        plain.then(|| inner.trim().to_owned())
    };
    let pairs = [('"', '"'), ('“', '”'), ('\'', '\'')];
    let bare = pairs.iter().find_map(|(open, close)| around(*open, *close));
    bare.unwrap_or(text)
}

fn length(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

impl Filters {
    /// Begins with a sentence.
    pub fn judge<'a>(&'a self, sentence: &'a str) -> Judge<'a> {
        Judge {
            filters: self,
            sentence,
            words: normalised(sentence),
            positive: None,
            negatives: vec![],
        }
    }

    /// Why a teacher's cosine of the sentence and a text leaves the text out.
    pub fn by_cosine(&self, part: Part, cosine: f64) -> Option<Reason> {
        match part {
            Part::Positive => (cosine <= self.positive_above).then_some(Reason::TeacherFar),
            Part::Negative => (cosine >= self.negative_below).then_some(Reason::TeacherNear),
        }
    }
}

impl Judge<'_> {
    /// Takes the positive in, or says why not. A model's positive must not be a copy;
    /// where the sentence itself is the positive, nothing is to be judged.
    ///
    /// # Errors
    /// The reason.
    pub fn positive(&mut self, text: &str) -> Result<(), Reason> {
        let words = self.fit(text, self.filters.max_positive_overlap)?;
        self.positive = Some(words);
        Ok(())
    }

    /// Takes a negative in, or says why not.
    ///
    /// # Errors
    /// The reason.
    pub fn negative(&mut self, text: &str) -> Result<(), Reason> {
        let most = self.filters.max_negative_overlap;
        let words = self.fit(text, most)?;
        if let Some(positive) = &self.positive
            && is_copy(&words, positive, most)
        {
            return Err(Reason::CopyOfPositive);
        }
        if self.negatives.contains(&words) {
            return Err(Reason::Duplicate);
        }
        self.negatives.push(words);
        Ok(())
    }

    /// The text's words, if it is fit for use.
    fn fit(&self, text: &str, most: f64) -> Result<Vec<String>, Reason> {
        let words = normalised(text);
        let shared = overlap(&words, &self.words);
        if words.is_empty() {
            return Err(Reason::Empty);
        }
        // "I cannot help him" may be the negative of a sentence.
        let own = shared >= 0.5;
        if !own && is_refusal(text) && !is_refusal(self.sentence) {
            return Err(Reason::Refusal);
        }
        if is_about_itself(text) && !is_about_itself(self.sentence) {
            return Err(Reason::MetaText);
        }
        if is_copy(&words, &self.words, most) {
            return Err(Reason::CopyOfSentence);
        }
        let ratio = length(text) as f64 / length(self.sentence).max(1) as f64;
        if ratio < self.filters.min_length {
            return Err(Reason::TooShort);
        }
        if ratio > self.filters.max_length {
            return Err(Reason::TooLong);
        }
        let share = share_in_script_of(self.sentence, text);
        if share.is_some_and(|share| share < self.filters.min_script) {
            return Err(Reason::OtherScript);
        }
        Ok(words)
    }
}

fn is_copy(a: &[String], b: &[String], most: f64) -> bool {
    a == b || overlap(a, b) > most
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENTENCE: &str = "A man is playing a guitar on the stage.";

    #[test]
    fn each_reason_is_found() {
        let filters = Filters::default();
        for (text, reason) in [
            ("", Reason::Empty),
            (" ... ", Reason::Empty),
            ("I'm sorry, but I can't help with that.", Reason::Refusal),
            (
                "As an AI language model, I cannot do this.",
                Reason::Refusal,
            ),
            ("Here is a paraphrase: A musician plays.", Reason::MetaText),
            (
                "a man is playing a guitar, on the stage",
                Reason::CopyOfSentence,
            ),
            ("He plays.", Reason::TooShort),
            (&"A man who plays the guitar. ".repeat(5), Reason::TooLong),
            ("Мужчина играет на гитаре на сцене.", Reason::OtherScript),
        ] {
            let mut judge = filters.judge(SENTENCE);
            assert_eq!(judge.positive(text), Err(reason), "{text}");
            assert_eq!(judge.negative(text), Err(reason), "{text}");
        }
        let mut judge = filters.judge(SENTENCE);
        judge
            .positive("Someone performs with a guitar on stage.")
            .unwrap();
        let again = judge.negative("someone performs with a guitar on stage");
        assert_eq!(again, Err(Reason::CopyOfPositive));
        judge
            .negative("A man is not playing a guitar on the stage.")
            .unwrap();
        let again = judge.negative("A man is NOT playing a guitar on the stage!");
        assert_eq!(again, Err(Reason::Duplicate));
    }

    #[test]
    fn bounds_may_be_set() {
        let near = "A man is playing the guitar on the stage.";
        let tight = Filters {
            max_positive_overlap: 0.8,
            max_negative_overlap: 0.8,
            ..Filters::default()
        };
        assert!(Filters::default().judge(SENTENCE).positive(near).is_ok());
        assert_eq!(
            tight.judge(SENTENCE).positive(near),
            Err(Reason::CopyOfSentence)
        );
        assert_eq!(
            tight.judge(SENTENCE).negative(near),
            Err(Reason::CopyOfSentence)
        );
        assert_eq!(
            tight.by_cosine(Part::Negative, 0.9),
            Some(Reason::TeacherNear)
        );
        assert_eq!(tight.by_cosine(Part::Negative, 0.89), None);
        assert_eq!(
            tight.by_cosine(Part::Positive, 0.5),
            Some(Reason::TeacherFar)
        );
        assert_eq!(tight.by_cosine(Part::Positive, 0.51), None);
    }

    #[test]
    fn a_sentence_may_speak_so_itself() {
        let filters = Filters::default();
        let mut judge = filters.judge("I can help you with the homework.");
        judge
            .negative("I cannot help you with the homework.")
            .unwrap();
        let mut judge = filters.judge("Here is a sentence that I like.");
        judge
            .negative("Here is a sentence that nobody likes.")
            .unwrap();
    }

    #[test]
    fn texts_are_tidied() {
        assert_eq!(tidy(" \"A  dog\nran.\" ", "A cat."), "A dog ran.");
        assert_eq!(tidy("\"A dog.\"", "\"A cat.\""), "\"A dog.\"");
        assert_eq!(tidy("\"A\" and \"B\"", "x"), "\"A\" and \"B\"");
        assert_eq!(tidy("\"", "x"), "\"");
    }

    proptest! {
        #[test]
        fn any_text_is_judged(sentence: String, text: String) {
            let filters = Filters::default();
            let mut judge = filters.judge(&sentence);
            let text = tidy(&text, &sentence);
            if judge.positive(&text).is_ok() {
                prop_assert!(judge.negative(&text).is_err());
            }
        }
    }
}
