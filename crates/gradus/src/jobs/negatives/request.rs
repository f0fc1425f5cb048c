//! One request to a language model, and what it is known by.

use super::{ModelSettings, Prompt};
use crate::util::content_hash::ContentHash;
use serde_json::{Map, Value, json};

/// A part of every key, to be changed with the meaning of keys.
const VERSION: &str = "negatives 1";

/// What is asked for one sentence.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The sentence.
    pub sentence: &'a str,
    /// Its variant of the prompt.
    pub prompt: &'a Prompt,
    /// By what its answers are known: a hash of model, prompt, parameters and sentence.
    pub key: String,
}

impl<'a> Request<'a> {
    /// For the sentence with this number, counted from 0 among different ones.
    pub fn new(
        settings: &'a ModelSettings,
        sentence: &'a str,
        number: u64,
        (seed, negatives): (u64, usize),
    ) -> Self {
        let prompt = settings.prompts.of(seed, number);
        let mut hash = ContentHash::default();
        hash.part(VERSION);
        hash.part(&settings.model);
        hash.part(&prompt.id);
        hash.part(prompt.hash());
        hash.part(Value::Object(parameters(settings)).to_string());
        hash.part(negatives.to_string());
        hash.part(sentence);
        let mut key = hash.finish();
        key.truncate(40);
        Self {
            sentence,
            prompt,
            key,
        }
    }

    /// The request's body.
    pub fn body(&self, settings: &ModelSettings, negatives: usize) -> Value {
        let (system, user) = self.prompt.filled(self.sentence, negatives);
        let mut messages = vec![];
        if !system.is_empty() {
            messages.push(json!({"role": "system", "content": system}));
        }
        messages.push(json!({"role": "user", "content": user}));
        let mut body = Map::new();
        body.insert("model".into(), settings.model.clone().into());
        body.insert("messages".into(), messages.into());
        body.insert("stream".into(), false.into());
        body.extend(parameters(settings));
        Value::Object(body)
    }

    /// About how many tokens request and answer take, at four characters each.
    pub fn tokens(&self, settings: &ModelSettings, negatives: usize) -> (u64, u64) {
        let (system, user) = self.prompt.filled(self.sentence, negatives);
        let of = |characters: usize| (characters as u64).div_ceil(4);
        let input = of(system.chars().count() + user.chars().count()) + 12;
        // Each text, and the object around them.
        let texts = (negatives as u64 + 1) * (of(self.sentence.chars().count()) + 6);
        let output = texts + 16;
        let most = settings.max_tokens.unwrap_or(u64::MAX);
        (input, output.min(most))
    }
}

/// What each request says besides model and messages.
fn parameters(settings: &ModelSettings) -> Map<String, Value> {
    let mut all = Map::new();
    if let Some(temperature) = settings.temperature {
        all.insert("temperature".into(), temperature.into());
    }
    if let Some(most) = settings.max_tokens {
        all.insert("max_tokens".into(), most.into());
    }
    all.extend(settings.extra.clone());
    all
}
