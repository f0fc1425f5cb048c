//! Puts another name of the texts in a name's place.

use super::names::{Class, Names, name_of, spans};
use super::{Change, Draw, Sentence};
use crate::data::negatives::words::splice;

/// How often another name is drawn that the sentence does not hold.
const DRAWS: usize = 8;

pub(super) fn apply(sentence: &Sentence, names: &Names, draw: &mut Draw) -> Option<Change> {
    let found = spans(sentence).into_iter();
    let found = found.filter(|span| names.class(sentence, span) != Class::Unsure);
    let span = draw.one(found.collect())?;
    let old = name_of(sentence, &span);
    let all = names.all(names.class(sentence, &span));
    if all.is_empty() {
        return None;
    }
    for _ in 0..DRAWS {
        let new = &all[draw.below(all.len())];
        if sentence.text.contains(new.as_str()) || new.to_lowercase() == old.to_lowercase() {
            continue;
        }
        let start = sentence.words[span.start].start;
        let last = &sentence.words[span.end - 1];
        let possessive = ["'s", "’s"].iter().any(|end| last.text.ends_with(end));
        let ending = last
            .text
            .char_indices()
            .rev()
            .nth(1)
            .map_or(0, |(at, _)| at);
        let end = match possessive {
            true => last.start + ending,
            false => last.end,
        };
        return Some(Change {
            text: splice(sentence.text, start..end, new),
            from: old,
            to: new.clone(),
        });
    }
    None
}
