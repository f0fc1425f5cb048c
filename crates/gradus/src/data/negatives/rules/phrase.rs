//! Kinds of words that several rules look for.

use super::Sentence;
use super::verbs::is_form;

const DETERMINERS: [&str; 34] = [
    "a", "an", "the", "this", "that", "these", "those", "his", "her", "its", "their", "my", "our",
    "your", "some", "any", "many", "several", "each", "every", "another", "both", "one", "two",
    "three", "four", "five", "six", "seven", "eight", "nine", "ten", "no", "few",
];

const AUXILIARIES: [&str; 23] = [
    "is", "are", "was", "were", "am", "be", "been", "being", "has", "have", "had", "do", "does",
    "did", "can", "could", "will", "would", "should", "shall", "may", "might", "must",
];

/// Words that end a noun phrase.
const LINKS: [&str; 60] = [
    "of", "in", "on", "at", "to", "from", "by", "with", "without", "for", "and", "or", "but", "as",
    "than", "into", "onto", "over", "under", "above", "below", "near", "behind", "beside",
    "between", "through", "across", "along", "around", "against", "after", "before", "during",
    "while", "when", "where", "who", "whom", "whose", "which", "that", "because", "if", "so",
    "not", "never", "up", "down", "off", "out", "outside", "inside", "next", "like", "about",
    "toward", "towards", "then", "until", "since",
];

/// Whether a word begins a noun phrase.
pub(super) fn is_determiner(word: &str) -> bool {
    DETERMINERS.contains(&word)
}

/// Whether a word is a copula, an auxiliary or a modal.
pub(super) fn is_auxiliary(word: &str) -> bool {
    AUXILIARIES.contains(&word)
}

/// Whether a word is a preposition, a conjunction or its like.
pub(super) fn is_link(word: &str) -> bool {
    LINKS.contains(&word)
}

/// Whether word `i` ends in -ing or -ed as participles do.
pub(super) fn is_participle(word: &str) -> bool {
    let long = |end: &str| word.len() > end.len() + 2 && word.ends_with(end);
    let nouns = [
        "building",
        "thing",
        "something",
        "nothing",
        "anything",
        "everything",
        "morning",
        "evening",
        "ceiling",
        "string",
        "spring",
        "during",
        "wedding",
        "clothing",
        "king",
        "ring",
        "hundred",
        "breed",
        "speed",
    ];
    (long("ing") || long("ed")) && !nouns.contains(&word)
}

/// Whether a participle stands before a noun, as in "a small camouflaged airplane".
fn is_adjective(sentence: &Sentence, i: usize) -> bool {
    let next = sentence.lower.get(i + 1).map_or("", String::as_str);
    let noun = !(is_determiner(next) || is_auxiliary(next) || is_link(next));
    is_participle(&sentence.lower[i]) && sentence.joined(i) && noun
}

/// Words of relations that hold both ways, so that a swap says the same again.
const SYMMETRIC: [&str; 30] = [
    "and",
    "or",
    "with",
    "versus",
    "vs",
    "next",
    "beside",
    "besides",
    "alongside",
    "near",
    "between",
    "together",
    "same",
    "equal",
    "equals",
    "similar",
    "different",
    "meets",
    "met",
    "meeting",
    "meet",
    "married",
    "marries",
    "marrying",
    "kissing",
    "kisses",
    "kissed",
    "hugging",
    "hugs",
    "hugged",
];

/// Whether a swap around these words says the same again.
pub(super) fn are_symmetric(words: &[String]) -> bool {
    words.iter().any(|word| SYMMETRIC.contains(&word.as_str()))
}

/// The longest noun phrase at word `i`: a determiner and up to four words, or a run
/// of capitalised words. The end is the word behind it.
pub(super) fn noun_phrase(sentence: &Sentence, i: usize) -> Option<usize> {
    let first = sentence.words.get(i)?;
    let named = !is_determiner(&sentence.lower[i]);
    if named && !first.is_capitalised() {
        return None;
    }
    let mut end = i + 1;
    while end < sentence.words.len() && end - i <= 4 && sentence.joined(end - 1) {
        let word = sentence.lower[end].as_str();
        let ends = is_determiner(word) || is_auxiliary(word) || is_link(word);
        let verb = end > i + 1 && (is_form(word) || is_participle(word));
        let verb = verb && !is_adjective(sentence, end);
        let stops = match named {
            true => !sentence.words[end].is_capitalised(),
            false => verb,
        };
        if ends || stops {
            break;
        }
        end += 1;
    }
    // A determiner alone is none.
    (named || end > i + 1).then_some(end)
}
