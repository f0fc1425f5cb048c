//! Inserts or removes a negation.

use super::phrase::{is_auxiliary, is_determiner, is_link, is_participle};
use super::verbs::{base_of, is_base, is_past, is_third};
use super::{Change, Draw, Sentence};
use crate::data::negatives::words::{capitalised, splice, uncapitalised, with_case_of, without};

/// Words that deny, with what says the opposite.
const DENIALS: [(&str, &str); 6] = [
    ("nobody", "somebody"),
    ("nothing", "something"),
    ("nowhere", "somewhere"),
    ("none", "some"),
    ("neither", "either"),
    ("cannot", "can"),
];

/// Auxiliaries with their denied form, for questions.
const CONTRACTIONS: [(&str, &str); 18] = [
    ("is", "isn't"),
    ("are", "aren't"),
    ("was", "wasn't"),
    ("were", "weren't"),
    ("has", "hasn't"),
    ("have", "haven't"),
    ("had", "hadn't"),
    ("do", "don't"),
    ("does", "doesn't"),
    ("did", "didn't"),
    ("can", "can't"),
    ("could", "couldn't"),
    ("will", "won't"),
    ("would", "wouldn't"),
    ("should", "shouldn't"),
    ("must", "mustn't"),
    ("might", "mightn't"),
    ("shall", "shan't"),
];

/// Pronouns whose `'s`, `'re`, `'ll` and `'m` is a verb.
const SHORT: [&str; 12] = [
    "i'm", "it's", "he's", "she's", "that's", "there's", "they're", "we're", "you're", "it'll",
    "they'll", "we'll",
];

/// Adverbs between `have` and its participle.
const ADVERBS: [&str; 6] = ["already", "just", "also", "always", "recently", "now"];

/// Participles without a regular end.
const PARTICIPLES: [&str; 24] = [
    "been", "done", "gone", "made", "had", "got", "put", "left", "won", "lost", "found", "begun",
    "come", "become", "run", "said", "told", "met", "held", "kept", "paid", "sent", "built", "led",
];

/// Removes a negation where there is one, else inserts one.
pub(super) fn apply(sentence: &Sentence, draw: &mut Draw) -> Option<Change> {
    let places = 0..sentence.words.len();
    let removed: Vec<Change> = places.filter_map(|i| removed(sentence, i)).collect();
    match removed.is_empty() {
        false => draw.one(removed),
        true => inserted(sentence),
    }
}

/// The sentence without the negation at word `i`.
fn removed(sentence: &Sentence, i: usize) -> Option<Change> {
    let (word, lower) = (&sentence.words[i], sentence.lower[i].as_str());
    let swap = |range: std::ops::Range<usize>, new: &str| {
        let old = &sentence.text[range.clone()];
        let new = with_case_of(new, old);
        Some(Change {
            text: splice(sentence.text, range.clone(), &new),
            from: old.to_owned(),
            to: new,
        })
    };
    let before = i.checked_sub(1).filter(|p| sentence.joined(*p));
    if let Some((_, opposite)) = DENIALS.iter().find(|(denial, _)| *denial == lower) {
        return swap(word.start..word.end, opposite);
    }
    match lower {
        "not" | "never" if !sentence.is_at(i + 1, &["only"]) => Some(Change {
            text: without(sentence.text, &sentence.words, i),
            from: word.text.to_owned(),
            to: "(removed)".into(),
        }),
        // As tokenizers of treebanks part it.
        "n't" => {
            let before = before?;
            let verb = &sentence.words[before];
            let whole = match sentence.lower[before].as_str() {
                "ca" => "can",
                "wo" => "will",
                "sha" => "shall",
                other => other,
            };
            swap(verb.start..word.end, whole)
        }
        "no" if sentence.is_at(i + 1, &["one"]) => {
            swap(word.start..sentence.words[i + 1].end, "someone")
        }
        "no" if sentence.joined(i) => {
            let next = sentence.lower[i + 1].as_str();
            let plural = next.ends_with('s') && !next.ends_with("ss");
            let article = crate::data::negatives::words::article_of(next);
            swap(word.start..word.end, if plural { "some" } else { article })
        }
        _ => {
            let bare = lower.strip_suffix("n't")?;
            let bare = match bare {
                "ca" => "can",
                "wo" => "will",
                "sha" => "shall",
                "ai" => "is",
                bare => bare,
            };
            is_auxiliary(bare).then(|| swap(word.start..word.end, bare))?
        }
    }
}

/// The sentence with a negation at its first verb.
fn inserted(sentence: &Sentence) -> Option<Change> {
    let behind = |i: usize, new: &str| {
        let word = &sentence.words[i];
        Some(Change {
            text: splice(sentence.text, word.end..word.end, &format!(" {new}")),
            from: word.text.to_owned(),
            to: format!("{} {new}", word.text),
        })
    };
    for (i, lower) in sentence.lower.iter().enumerate() {
        let word = &sentence.words[i];
        let swap = |new: &str| {
            let new = with_case_of(new, word.text);
            Some(Change {
                text: splice(sentence.text, word.start..word.end, &new),
                from: word.text.to_owned(),
                to: new,
            })
        };
        let lower = lower.as_str();
        if SHORT.contains(&lower) {
            return behind(i, "not");
        }
        if !is_auxiliary(lower) || ["be", "been", "being"].contains(&lower) {
            continue;
        }
        if i == 0 {
            // A question; "Do" and "Have" may begin a request too.
            let found = CONTRACTIONS.iter().find(|(verb, _)| *verb == lower);
            return found.and_then(|(_, denied)| swap(denied));
        }
        let lexical = match lower {
            "has" | "have" | "had" => !is_followed_by_participle(sentence, i),
            "do" | "does" | "did" => {
                let next = sentence.lower.get(i + 1);
                !next.is_some_and(|next| is_base(next) && sentence.joined(i))
            }
            _ => false,
        };
        match (lexical, lower) {
            (false, "can") => return swap("cannot"),
            (false, _) => return behind(i, "not"),
            (true, "has") => return swap("does not have"),
            (true, "have") => return swap("do not have"),
            (true, "had") => return swap("did not have"),
            (true, "does") => return swap("does not do"),
            (true, "did") => return swap("did not do"),
            (true, _) => {}
        }
    }
    at_verb(sentence).or_else(|| at_participle(sentence))
}

fn is_followed_by_participle(sentence: &Sentence, i: usize) -> bool {
    let mut next = i + 1;
    while sentence
        .lower
        .get(next)
        .is_some_and(|w| ADVERBS.contains(&w.as_str()))
    {
        next += 1;
    }
    let word = sentence.lower.get(next).map_or("", String::as_str);
    let ends = word.len() > 3 && (word.ends_with("ed") || word.ends_with("en"));
    let noun = [
        "children", "men", "women", "kitchen", "chicken", "garden", "ten",
    ]
    .contains(&word);
    (ends && !noun) || PARTICIPLES.contains(&word)
}

/// "plays" becomes "does not play", "played" "did not play", "play" "do not play".
fn at_verb(sentence: &Sentence) -> Option<Change> {
    for i in 1..sentence.words.len() {
        let (before, verb) = (sentence.lower[i - 1].as_str(), sentence.lower[i].as_str());
        // Behind these it is a noun.
        let noun = is_determiner(before) || is_link(before) || !sentence.joined(i - 1);
        if noun || sentence.words[i].is_capitalised() {
            continue;
        }
        let plural = before.ends_with('s') && !before.ends_with("ss");
        let many = [
            "people", "men", "women", "children", "they", "we", "you", "i",
        ];
        let plural = plural || many.contains(&before);
        let helper = match () {
            () if is_third(verb) => "does",
            () if is_base(verb) && plural => "do",
            () if is_past(verb) => "did",
            () => continue,
        };
        let word = &sentence.words[i];
        let new = format!("{helper} not {}", base_of(verb)?);
        return Some(Change {
            text: splice(sentence.text, word.start..word.end, &new),
            from: word.text.to_owned(),
            to: new,
        });
    }
    None
}

/// "A man playing" becomes "A man not playing".
fn at_participle(sentence: &Sentence) -> Option<Change> {
    for i in 1..sentence.words.len() {
        let (before, word) = (sentence.lower[i - 1].as_str(), sentence.lower[i].as_str());
        let noun = is_determiner(before) || is_link(before) || !sentence.joined(i - 1);
        if noun || !is_participle(word) || !word.ends_with("ing") {
            continue;
        }
        let at = sentence.words[i].start;
        return Some(Change {
            text: splice(sentence.text, at..at, "not "),
            from: sentence.words[i].text.to_owned(),
            to: format!("not {}", sentence.words[i].text),
        });
    }
    // "Playing the guitar" alone.
    let first = sentence.words.first()?;
    if !is_participle(&sentence.lower[0]) || !sentence.lower[0].ends_with("ing") {
        return None;
    }
    let bare = uncapitalised(first.text);
    let new = match first.is_capitalised() {
        true => capitalised(&format!("not {bare}")),
        false => format!("not {bare}"),
    };
    Some(Change {
        text: splice(sentence.text, first.start..first.end, &new),
        from: first.text.to_owned(),
        to: new,
    })
}
