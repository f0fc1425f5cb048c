//! Changes a number: one of its digits, or its word.

use super::{Change, Draw, Sentence};
use crate::data::negatives::words::{replaced, splice, with_case_of};

/// Words of which each may stand in another's place. "One" and "second" are often no
/// numbers, and are only put in.
const CLASSES: [(&[&str], &[&str]); 5] = [
    (
        &[
            "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
            "twelve",
        ],
        &[],
    ),
    (
        &[
            "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
        ],
        &[],
    ),
    (&["hundred", "thousand", "million", "billion"], &[]),
    (
        &[
            "first", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
        ],
        &["second"],
    ),
    (&["once", "twice"], &[]),
];

pub(super) fn apply(sentence: &Sentence, draw: &mut Draw) -> Option<Change> {
    let mut found = Vec::new();
    for (i, word) in sentence.lower.iter().enumerate() {
        if word.bytes().any(|b| b.is_ascii_digit()) {
            found.extend(digits(sentence, i, draw));
        }
        let class = CLASSES.iter().find(|(all, _)| all.contains(&word.as_str()));
        if let Some((all, more)) = class {
            let others = all.iter().chain(*more).filter(|other| *other != word);
            let new = draw.one(others.collect())?;
            let old = sentence.words[i].text;
            let new = with_case_of(new, old);
            found.push(Change {
                text: replaced(sentence.text, &sentence.words, i, &new),
                from: old.to_owned(),
                to: new,
            });
        }
    }
    draw.one(found)
}

/// Word `i` with another digit in one place: 1984 may become 1954. A first digit does
/// not become 0.
fn digits(sentence: &Sentence, i: usize, draw: &mut Draw) -> Option<Change> {
    let word = &sentence.words[i];
    let places: Vec<usize> = word
        .text
        .bytes()
        .enumerate()
        .filter_map(|(at, b)| b.is_ascii_digit().then_some(at))
        .collect();
    let first = *places.first()?;
    let at = draw.one(places)?;
    let old = word.text.as_bytes()[at] - b'0';
    let least = u8::from(at == first);
    let choices = (least..=9).filter(|digit| *digit != old).collect();
    let new = draw.one(choices)?;
    let text = splice(word.text, at..at + 1, &new.to_string());
    Some(Change {
        text: splice(sentence.text, word.start..word.end, &text),
        from: word.text.to_owned(),
        to: text,
    })
}
