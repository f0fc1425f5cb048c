//! Names: runs of capitalised words.

use super::Sentence;
use std::collections::{BTreeMap, BTreeSet};

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

const MONTHS: [&str; 11] = [
    "january",
    "february",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "march",
];

/// Capitalised words that are no names.
const COMMON: [&str; 12] = [
    "i", "i'm", "i'll", "i've", "i'd", "ok", "tv", "mr", "mrs", "ms", "dr", "o",
];

/// What may take a name's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A day of the week.
    Weekday,
    /// A month.
    Month,
    /// Any other name.
    Name,
    /// A sentence's first word, which has its capital anyway.
    Unsure,
}

/// Where a name stands: words from `start` to before `end`.
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub class: Class,
}

/// The names of a sentence. None where most words have capitals, as in headlines, or
/// in languages whose nouns do.
pub(super) fn spans(sentence: &Sentence) -> Vec<Span> {
    let words = &sentence.words;
    let capitals = words.iter().filter(|w| w.is_capitalised()).count();
    if capitals * 2 > words.len() && words.len() > 3 {
        return vec![];
    }
    let is_name = |i: usize| {
        let letters = words[i]
            .text
            .chars()
            .all(|c| c.is_alphabetic() || c == '\'' || c == '’');
        words[i].is_capitalised() && letters && !COMMON.contains(&sentence.lower[i].as_str())
    };
    let (mut found, mut i) = (Vec::new(), 0);
    while i < words.len() {
        if !is_name(i) {
            i += 1;
            continue;
        }
        let mut end = i + 1;
        while end < words.len() && is_name(end) && sentence.joined(end - 1) {
            end += 1;
        }
        let lower = sentence.lower[i].as_str();
        let class = match end - i {
            1 if WEEKDAYS.contains(&lower) => Class::Weekday,
            1 if MONTHS.contains(&lower) && i > 0 => Class::Month,
            1 if begins(sentence, i) => Class::Unsure,
            // "The Thames": the first word belongs to the sentence.
            _ if begins(sentence, i) && super::phrase::is_determiner(lower) => {
                i += 1;
                continue;
            }
            _ => Class::Name,
        };
        found.push(Span {
            start: i,
            end,
            class,
        });
        i = end;
    }
    found
}

/// Whether word `i` is the first of a sentence or of a quotation in it.
fn begins(sentence: &Sentence, i: usize) -> bool {
    let Some(before) = i.checked_sub(1) else {
        return true;
    };
    let between = &sentence.text[sentence.words[before].end..sentence.words[i].start];
    between.contains(['.', '!', '?', ':', '"', '“', '”'])
}

/// The names of all sentences.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_class: BTreeMap<Class, Vec<String>>,
    /// In lower case, to know those that begin a sentence.
    known: BTreeSet<String>,
}

impl Names {
    /// Gathers the names that stand within sentences.
    pub fn of(sentences: &[String]) -> Self {
        let mut by_class: BTreeMap<Class, BTreeSet<String>> = BTreeMap::new();
        for text in sentences {
            let sentence = Sentence::new(text);
            for span in spans(&sentence).iter().filter(|s| s.class != Class::Unsure) {
                let name = name_of(&sentence, span);
                by_class.entry(span.class).or_default().insert(name);
            }
        }
        let names = by_class.get(&Class::Name).into_iter().flatten();
        let known = names.map(|name| name.to_lowercase()).collect();
        let lists = by_class.into_iter();
        Self {
            by_class: lists
                .map(|(class, all)| (class, all.into_iter().collect()))
                .collect(),
            known,
        }
    }

    /// The class of a span, now that all names are known.
    pub fn class(&self, sentence: &Sentence, span: &Span) -> Class {
        match span.class {
            Class::Unsure if self.known.contains(&sentence.lower[span.start]) => Class::Name,
            class => class,
        }
    }

    /// The names of a class.
    pub fn all(&self, class: Class) -> &[String] {
        self.by_class.get(&class).map_or(&[], Vec::as_slice)
    }
}

/// The name as it stands, with single spaces and without a possessive's end.
pub(super) fn name_of(sentence: &Sentence, span: &Span) -> String {
    let words = &sentence.words[span.start..span.end];
    let mut name = words.iter().map(|w| w.text).collect::<Vec<_>>().join(" ");
    for end in ["'s", "’s"] {
        if let Some(bare) = name.strip_suffix(end) {
            name.truncate(bare.len());
        }
    }
    name
}
