//! Swaps two parts of a sentence: who does something and to whom, two names, or the
//! ends of "from X to Y".

use super::names::{Class, spans};
use super::phrase::{
    are_symmetric, is_auxiliary, is_determiner, is_link, is_participle, noun_phrase,
};
use super::verbs::is_form;
use super::{Change, Draw, Sentence};
use crate::data::negatives::words::{capitalised, uncapitalised};

/// The most words between two phrases that a verb joins.
const VERB_WORDS: usize = 4;

pub(super) fn apply(sentence: &Sentence, draw: &mut Draw) -> Option<Change> {
    let found = [
        subject_and_object(sentence),
        from_and_to(sentence),
        names(sentence, draw),
    ];
    draw.one(found.into_iter().flatten().collect())
}

/// Two ranges of words, the second behind the first, in each other's places.
fn swapped(
    sentence: &Sentence,
    (a_start, a_end): (usize, usize),
    (b_start, b_end): (usize, usize),
) -> Option<Change> {
    let text = sentence.text;
    let bytes = |start: usize, end: usize| sentence.words[start].start..sentence.words[end - 1].end;
    let (a, b) = (bytes(a_start, a_end), bytes(b_start, b_end));
    if a.end > b.start {
        return None;
    }
    let (old_a, old_b) = (&text[a.clone()], &text[b.clone()]);
    // A determiner takes and gives up the capital of a sentence's begin.
    let first = a_start == 0 && sentence.words[0].is_capitalised();
    let lowered = match first && is_determiner(&sentence.lower[a_start]) {
        true => uncapitalised(old_a),
        false => old_a.to_owned(),
    };
    let raised = match first {
        true => capitalised(old_b),
        false => old_b.to_owned(),
    };
    Some(Change {
        text: format!(
            "{}{raised}{}{lowered}{}",
            &text[..a.start],
            &text[a.end..b.start],
            &text[b.end..]
        ),
        from: format!("{old_a} ... {old_b}"),
        to: format!("{raised} ... {lowered}"),
    })
}

/// "A dog chases the cat": the phrase that the sentence begins with, and the next one
/// behind a verb.
fn subject_and_object(sentence: &Sentence) -> Option<Change> {
    let end = noun_phrase(sentence, 0)?;
    let verb = sentence.lower.get(end)?.as_str();
    if !(is_auxiliary(verb) || is_form(verb) || is_participle(verb)) || !sentence.joined(end - 1) {
        return None;
    }
    let start = (end + 1..=end + VERB_WORDS).find(|i| {
        let determiner = sentence.lower.get(*i).is_some_and(|w| is_determiner(w));
        determiner || sentence.words.get(*i).is_some_and(|w| w.is_capitalised())
    })?;
    if !(end..start).all(|i| sentence.joined(i)) || are_symmetric(&sentence.lower[end..start]) {
        return None;
    }
    swapped(sentence, (0, end), (start, noun_phrase(sentence, start)?))
}

/// "From Monday to Friday".
fn from_and_to(sentence: &Sentence) -> Option<Change> {
    let from = sentence.lower.iter().position(|word| word == "from")?;
    let to = (from + 2..=from + 5).find(|i| sentence.lower.get(*i).is_some_and(|w| w == "to"))?;
    if !(from..=to).all(|i| sentence.joined(i)) {
        return None;
    }
    let start = to + 1;
    let end = noun_phrase(sentence, start).unwrap_or_else(|| {
        let more = (start + 1..sentence.words.len()).take(1);
        let mut more = more.take_while(|i| sentence.joined(i - 1) && !is_link(&sentence.lower[*i]));
        // A bare word, or two where the other end has two.
        match to - from {
            2 => start + 1,
            _ => more.next().map_or(start + 1, |i| i + 1),
        }
    });
    swapped(sentence, (from + 1, to), (start, end))
}

/// Two names of the sentence.
fn names(sentence: &Sentence, draw: &mut Draw) -> Option<Change> {
    let found = spans(sentence);
    let mut pairs = Vec::new();
    for (i, a) in found.iter().enumerate() {
        for b in &found[i + 1..] {
            let differ = sentence.lower[a.start..a.end] != sentence.lower[b.start..b.end];
            let both_ways = b.start == a.end || are_symmetric(&sentence.lower[a.end..b.start]);
            if a.class == b.class && differ && !both_ways && a.class != Class::Unsure {
                pairs.push((a.start, a.end, b.start, b.end));
            }
        }
    }
    let (a, a_end, b, b_end) = draw.one(pairs)?;
    swapped(sentence, (a, a_end), (b, b_end))
}
