//! The words of a sentence, and changes to them.

use std::ops::Range;

/// A word: a run of letters and digits, with apostrophes within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// The word as it stands.
    pub text: &'a str,
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
}

impl Word<'_> {
    /// In lower case, with straight apostrophes.
    pub fn lower(&self) -> String {
        self.text.to_lowercase().replace('’', "'")
    }

    /// Whether its first letter is a capital.
    pub fn is_capitalised(&self) -> bool {
        self.text.chars().next().is_some_and(char::is_uppercase)
    }
}

fn is_apostrophe(c: char) -> bool {
    c == '\'' || c == '’'
}

/// The words of a sentence, in their order.
pub(super) fn words(sentence: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut start = None;
    let mut chars = sentence.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let within = start.is_some() && is_apostrophe(c) && next.is_some_and(char::is_alphanumeric);
        if c.is_alphanumeric() || within {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take() {
            let text = &sentence[start..at];
            found.push(Word {
                text,
                start,
                end: at,
            });
        }
    }
    if let Some(start) = start {
        let (text, end) = (&sentence[start..], sentence.len());
        found.push(Word { text, start, end });
    }
    found
}

/// The words in lower case, by which texts are compared.
pub(super) fn normalised(text: &str) -> Vec<String> {
    words(text).iter().map(Word::lower).collect()
}

/// Whether only white space stands between two words.
pub(super) fn adjacent(sentence: &str, a: &Word, b: &Word) -> bool {
    let between = sentence.get(a.end..b.start).unwrap_or("-");
    !between.is_empty() && between.chars().all(char::is_whitespace)
}

/// The sentence with `new` in the place of a range of its bytes.
pub(super) fn splice(sentence: &str, range: Range<usize>, new: &str) -> String {
    let (before, after) = (&sentence[..range.start], &sentence[range.end..]);
    format!("{before}{new}{after}")
}

/// The sentence without word `i` and the white space at one side of it. The next
/// word takes over the capital of a first word.
pub(super) fn without(sentence: &str, words: &[Word], i: usize) -> String {
    let word = &words[i];
    match (i.checked_sub(1).map(|p| &words[p]), words.get(i + 1)) {
        (_, Some(next)) if adjacent(sentence, word, next) => {
            let next_text = match word.is_capitalised() {
                true => capitalised(next.text),
                false => next.text.to_owned(),
            };
            splice(sentence, word.start..next.end, &next_text)
        }
        (Some(before), _) if adjacent(sentence, before, word) => {
            splice(sentence, before.end..word.end, "")
        }
        _ => splice(sentence, word.start..word.end, ""),
    }
}

/// The text with a capital first letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// The text with a small first letter.
pub(super) fn uncapitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// `new` with capitals where `old` has them.
pub(super) fn with_case_of(new: &str, old: &str) -> String {
    let letters = old.chars().filter(|c| c.is_alphabetic());
    let (mut count, mut upper) = (0, 0);
    for c in letters {
        count += 1;
        upper += usize::from(c.is_uppercase());
    }
    match () {
        () if count > 1 && upper == count => new.to_uppercase(),
        () if old.chars().next().is_some_and(char::is_uppercase) => capitalised(new),
        () => new.to_owned(),
    }
}

/// The sentence with word `i` replaced, and `a` or `an` before it made to fit.
pub(super) fn replaced(sentence: &str, words: &[Word], i: usize, new: &str) -> String {
    let word = &words[i];
    let article = i.checked_sub(1).map(|p| &words[p]).filter(|before| {
        ["a", "an"].contains(&before.lower().as_str()) && adjacent(sentence, before, word)
    });
    let Some(article) = article else {
        return splice(sentence, word.start..word.end, new);
    };
    let fitting = with_case_of(article_of(new), article.text);
    // A lone "A" is no word in capitals.
    let fitting = match article.is_capitalised() && word.text != word.text.to_uppercase() {
        true => capitalised(article_of(new)),
        false => fitting,
    };
    let between = &sentence[article.end..word.start];
    splice(
        sentence,
        article.start..word.end,
        &format!("{fitting}{between}{new}"),
    )
}

/// `a` or `an`, by the sound that a word usually begins with.
pub(super) fn article_of(word: &str) -> &'static str {
    let word = word.to_lowercase();
    let silent = ["hour", "honest", "honor", "honour", "heir"];
    let consonant = ["uni", "use", "usu", "eu", "one", "once", "ubi", "uti"];
    let begins = |all: &[&str]| all.iter().any(|begin| word.starts_with(begin));
    match word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true if begins(&consonant) => "a",
        true => "an",
        false if begins(&silent) => "an",
        false => "a",
    }
}

/// How much of their words two texts share in the same order: twice the longest
/// common subsequence over the words of both, from 0 to 1. Texts without words
/// share all or nothing.
pub(super) fn overlap(a: &[String], b: &[String]) -> f64 {
    let total = a.len() + b.len();
    if total == 0 {
        return 1.0;
    }
    let mut row = vec![0usize; b.len() + 1];
    for x in a {
        let mut corner = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = match x == y {
                true => corner + 1,
                false => above.max(row[j]),
            };
            corner = above;
        }
    }
    2.0 * row[b.len()] as f64 / total as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_with_apostrophes_within() {
        let found = |text| -> Vec<&str> { words(text).iter().map(|w| w.text).collect() };
        assert_eq!(
            found("The dogs' owner doesn't run, 'sits'."),
            ["The", "dogs", "owner", "doesn't", "run", "sits"]
        );
        assert_eq!(found("do n't — été 3.5"), ["do", "n't", "été", "3", "5"]);
        assert!(found("... ' !").is_empty());
    }

    #[test]
    fn words_are_replaced_with_their_article_and_case() {
        let text = "A big dog is an old friend.";
        let all = words(text);
        assert_eq!(
            replaced(text, &all, 1, "ugly"),
            "An ugly dog is an old friend."
        );
        assert_eq!(
            replaced(text, &all, 5, "young"),
            "A big dog is a young friend."
        );
        assert_eq!(with_case_of("small", "BIG"), "SMALL");
        assert_eq!(with_case_of("small", "Big"), "Small");
        assert_eq!(article_of("hour"), "an");
        assert_eq!(article_of("university"), "a");
    }

    #[test]
    fn a_word_is_taken_out_with_its_space() {
        for (text, i, expected) in [
            ("He never ran.", 1, "He ran."),
            ("Never run.", 0, "Run."),
            ("He did not.", 2, "He did."),
            ("Not!", 0, "!"),
        ] {
            assert_eq!(without(text, &words(text), i), expected);
        }
    }

    #[test]
    fn overlap_is_that_of_words_in_order() {
        let of = |a, b| overlap(&normalised(a), &normalised(b));
        assert_eq!(of("A dog.", "a DOG"), 1.0);
        assert_eq!(of("a b c", "c b a"), 1.0 / 3.0);
        assert_eq!(of("a b", "c d"), 0.0);
        assert_eq!(of("", "!"), 1.0);
        assert_eq!(of("a", "!"), 0.0);
    }
}
