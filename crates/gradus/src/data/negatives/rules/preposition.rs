//! Turns a preposition of time or place into its opposite.

use super::{Change, Draw, Sentence};
use crate::data::negatives::words::{splice, with_case_of};

/// Opposites. Longer ones come first where one begins like another.
const PAIRS: [(&[&str], &[&str]); 13] = [
    (&["before"], &["after"]),
    (&["above"], &["below"]),
    (&["over"], &["under"]),
    (&["in", "front", "of"], &["behind"]),
    (&["inside"], &["outside"]),
    (&["into"], &["out", "of"]),
    (&["onto"], &["off"]),
    (&["up"], &["down"]),
    (&["toward"], &["away", "from"]),
    (&["towards"], &["away", "from"]),
    (&["with"], &["without"]),
    (&["next", "to"], &["far", "from"]),
    (&["on", "top", "of"], &["underneath"]),
];

pub(super) fn apply(sentence: &Sentence, draw: &mut Draw) -> Option<Change> {
    let mut found = Vec::new();
    for (one, other) in PAIRS {
        for (old, new) in [(one, other), (other, one)] {
            // "Away from" stands for two; it becomes the first.
            let places = 0..sentence.words.len();
            let places = places.filter(|i| sentence.is_at(*i, old));
            found.extend(places.map(|i| (i, i + old.len() - 1, new)));
        }
    }
    let (first, last, new) = draw.one(found)?;
    let range = sentence.words[first].start..sentence.words[last].end;
    let old = &sentence.text[range.clone()];
    let new = with_case_of(&new.join(" "), old);
    Some(Change {
        text: splice(sentence.text, range.clone(), &new),
        from: old.to_owned(),
        to: new,
    })
}
