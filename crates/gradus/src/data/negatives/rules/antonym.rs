//! Puts a word's opposite in its place.

use super::{Change, Draw, Sentence};
use crate::data::negatives::words::{replaced, with_case_of};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Pairs of opposites, one a line, parted by a tab. Each stands for the other.
const PAIRS: &str = include_str!("antonyms.tsv");

/// Each word's opposites, in the order of the file.
static OPPOSITES: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let mut all: HashMap<&str, Vec<&str>> = HashMap::new();
    for (a, b) in pairs() {
        all.entry(a).or_default().push(b);
        all.entry(b).or_default().push(a);
    }
    all
});

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAIRS.lines().filter_map(|line| line.split_once('\t'))
}

pub(super) fn apply(sentence: &Sentence, draw: &mut Draw) -> Option<Change> {
    let known = sentence.lower.iter().enumerate();
    // In "black and white" the opposite is there already.
    let absent = |word: &&str| !sentence.lower.iter().any(|other| other == word);
    let known = known.flat_map(|(i, word)| {
        let opposites = OPPOSITES.get(word.as_str()).into_iter().flatten();
        opposites.copied().filter(absent).map(move |new| (i, new))
    });
    let (i, new) = draw.one(known.collect())?;
    let old = sentence.words[i].text;
    let new = with_case_of(new, old);
    Some(Change {
        text: replaced(sentence.text, &sentence.words, i, &new),
        from: old.to_owned(),
        to: new,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_list_is_sound() {
        let mut seen = HashSet::new();
        for (a, b) in pairs() {
            assert_ne!(a, b);
            let plain = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase());
            assert!(plain(a) && plain(b), "{a} {b}");
            let key = if a < b { (a, b) } else { (b, a) };
            assert!(seen.insert(key), "{a} {b} twice");
        }
        assert_eq!(seen.len(), PAIRS.lines().count());
        assert!(seen.len() >= 300, "{}", seen.len());
    }
}
