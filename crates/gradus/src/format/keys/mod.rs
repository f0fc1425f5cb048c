//! What is done with each key of a model folder's descriptions: one list per
//! file. A key that no list has is refused by name, so that nothing in a folder
//! is passed over by accident.

mod modules;
mod tokenizer;

pub(crate) use modules::{
    CROSS_ENCODER, CROSS_TRANSFORMER, DENSE, MODULE, NORMALIZE, POOLING, PROMPTS, TEMPLATE,
    TRANSFORMER,
};
pub(crate) use tokenizer::{SPECIAL_TOKENS, TOKENIZER};

use serde_json::Value;

/// What is done with a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Treatment {
    /// It is read, and does what its library says.
    Obeyed,
    /// It changes no vector, for this reason.
    NoEffect(&'static str),
    /// These values, as JSON, change nothing; others are refused, for what they
    /// would do.
    Only(&'static [&'static str], &'static str),
}

/// Keys that are treated alike.
pub(crate) type Group = (Treatment, &'static [&'static str]);

/// The keys of one file, or of one kind of object in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Keys {
    /// The file, for the documentation.
    pub title: &'static str,
    /// Later groups add to earlier ones.
    pub groups: &'static [&'static [Group]],
}

/// What is wrong with a key.
pub(crate) enum Problem {
    /// No list has it.
    Unknown,
    /// Its value is not one of these, which matter for this reason.
    Value(&'static [&'static str], &'static str),
}

impl Keys {
    /// How `key` is treated, if it is known.
    pub fn treatment(&self, key: &str) -> Option<Treatment> {
        let groups = self.groups.iter().flat_map(|list| list.iter());
        let found = groups.filter(|(_, keys)| keys.contains(&key));
        found.map(|(treatment, _)| *treatment).next()
    }

    /// What is wrong with a key and its value. Null counts as absent, as in the
    /// libraries that write these files.
    pub fn problem(&self, key: &str, value: &Value) -> Option<Problem> {
        if value.is_null() {
            return None;
        }
        match self.treatment(key) {
            None => Some(Problem::Unknown),
            Some(Treatment::Only(values, why)) => {
                let is =
                    |text: &&str| serde_json::from_str::<Value>(text).is_ok_and(|v| v == *value);
                (!values.iter().any(is)).then_some(Problem::Value(values, why))
            }
            Some(Treatment::Obeyed | Treatment::NoEffect(_)) => None,
        }
    }

    /// Whether a reader may look at `key`.
    pub fn is_read(&self, key: &str) -> bool {
        !matches!(self.treatment(key), None | Some(Treatment::NoEffect(_)))
    }
}
