//! What a language model's answer holds.

use crate::data::negatives::filters::is_refusal;
use serde_json::{Map, Value};

/// An answer, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A paraphrase and negatives, none of them judged yet.
    Texts {
        /// The paraphrase; empty where there is none.
        positive: String,
        /// The negatives.
        negatives: Vec<String>,
    },
    /// The model declines.
    Refusal,
    /// Nothing that can be read.
    Unreadable,
}

impl Answer {
    /// Finds the object that was asked for, in code fences, behind a model's thoughts
    /// or other talk, and under names near those asked for.
    pub fn parse(text: &str) -> Self {
        let text = match text.rfind("</think>") {
            Some(end) => &text[end + "</think>".len()..],
            None => text,
        };
        // The last object counts: the first may be the form repeated.
        let mut found = None;
        let mut from = 0;
        while let Some(open) = text[from..].find('{') {
            let start = from + open;
            let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter();
            match values.next() {
                Some(Ok(Value::Object(object))) => {
                    let texts = texts_of(&object);
                    // Else within it.
                    from = start + texts.as_ref().map_or(1, |_| values.byte_offset().max(1));
                    found = texts.or(found);
                }
                _ => from = start + 1,
            }
        }
        match found {
            Some(found) => found,
            None if is_refusal(text) => Self::Refusal,
            None => Self::Unreadable,
        }
    }

    /// Whether asking again may give more.
    pub fn is_readable(&self) -> bool {
        *self != Self::Unreadable
    }
}

fn texts_of(object: &Map<String, Value>) -> Option<Answer> {
    let get = |names: &[&str]| {
        let mut entries = object.iter();
        entries.find_map(|(key, value)| {
            let key = key.to_lowercase().replace([' ', '-'], "_");
            names.contains(&key.as_str()).then_some(value)
        })
    };
    let positive = get(&["positive", "paraphrase", "positive_1"]).and_then(text_of);
    let mut negatives: Vec<String> =
        match get(&["negatives", "hard_negatives", "negative", "hard_negative"]) {
            Some(Value::Array(all)) => all.iter().filter_map(text_of).collect(),
            Some(one) => text_of(one).into_iter().collect(),
            None => vec![],
        };
    let numbered =
        (1..100).map_while(|i| text_of(get(&[&format!("negative_{i}"), &format!("negative{i}")])?));
    negatives.extend(numbered);
    (positive.is_some() || !negatives.is_empty()).then(|| Answer::Texts {
        positive: positive.unwrap_or_default(),
        negatives,
    })
}

/// A text, or an object with one.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => {
            let names = ["sentence", "text", "negative", "positive"];
            let found = names.iter().find_map(|name| object.get(*name)?.as_str());
            found.map(str::to_owned)
        }
        Value::Array(all) => all.first().and_then(text_of),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(positive: &str, negatives: &[&str]) -> Answer {
        Answer::Texts {
            positive: positive.into(),
            negatives: negatives.iter().map(|n| n.to_string()).collect(),
        }
    }

    #[test]
    fn objects_are_found_in_all_kinds_of_talk() {
        let plain = r#"{"positive": "p", "negatives": ["a", "b"]}"#;
        for text in [
            plain.to_owned(),
            format!("```json\n{plain}\n```"),
            format!("Sure! Here is {{what}} you asked for: {plain} I hope it helps."),
            format!("<think>maybe {{\"positive\": \"x\"}}</think>\n{plain}"),
            format!("The form is {{\"positive\": \"...\", \"negatives\": []}}, so: {plain}"),
            r#"{"Paraphrase": "p", "negative_1": "a", "negative_2": "b"}"#.to_owned(),
            r#"{"positive": {"text": "p"}, "hard negatives": [{"sentence": "a"}, "b", 3]}"#
                .to_owned(),
            format!(r#"{{"result": {plain}}}"#),
        ] {
            assert_eq!(Answer::parse(&text), texts("p", &["a", "b"]), "{text}");
        }
        assert_eq!(Answer::parse(r#"{"negative": "a"}"#), texts("", &["a"]));
    }

    #[test]
    fn refusals_and_what_cannot_be_read() {
        assert_eq!(
            Answer::parse("I'm sorry, but I can't help."),
            Answer::Refusal
        );
        for text in ["", "{\"positive\": \"p\", \"neg", "{}", "[1]", "no idea"] {
            assert_eq!(Answer::parse(text), Answer::Unreadable, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text: String, broken in "[{}\":,a\\[\\]\\\\ é<>/think]{0,60}") {
            Answer::parse(&text);
            Answer::parse(&broken);
        }
    }
}
