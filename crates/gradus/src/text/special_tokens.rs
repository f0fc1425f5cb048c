//! The tokens that a tokenizer finds in a text before anything else, as
//! transformers gathers them from three files.

use super::settings::TokenizerSettings;
use crate::format::ModelError;
use crate::format::fields::{Fields, brief, shorten};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use tokenizers::AddedToken;

/// The names of the tokens that have one.
pub(super) const NAMES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// The special tokens of a tokenizer.
#[derive(Debug, Clone, Default)]
pub(super) struct SpecialTokens {
    /// Those with a name.
    named: BTreeMap<&'static str, AddedToken>,
    /// Special ones without one.
    further: Vec<AddedToken>,
    /// All that are found in texts, in the order in which they get ids.
    pub added: Vec<AddedToken>,
    /// Those of them that are known by their text alone, without an id.
    pub by_class: Vec<String>,
}

impl SpecialTokens {
    /// Gathers them: the class's own where no file says otherwise, and those of
    /// `tokenizer.json`, by id.
    pub fn gather(
        settings: &TokenizerSettings,
        of_file: &BTreeMap<u32, AddedToken>,
    ) -> Result<Self, ModelError> {
        let config = settings.config()?;
        let mut tokens = Self::default();
        tokens.name(&config)?;
        let mut by_id = BTreeMap::new();
        match config.get("added_tokens_decoder") {
            Some(decoder) => by_id = decoder_of(&config, decoder)?,
            None => {
                tokens.name(&settings.special_tokens()?)?;
                for (content, id) in &settings.added_tokens {
                    let mut special = tokens.named.values().chain(&tokens.further);
                    let special = special.any(|t| t.content == *content);
                    by_id.insert(*id, AddedToken::from(content.clone(), special));
                }
                by_id.extend(of_file.iter().map(|(id, token)| (*id, token.clone())));
            }
        }
        for (name, token) in settings.class.special_tokens() {
            tokens.named.entry(name).or_insert(token);
        }
        if tokens.further.is_empty() {
            tokens.further = settings.class.further_tokens();
        }
        let known: HashMap<&str, &AddedToken> =
            by_id.values().map(|t| (t.content.as_str(), t)).collect();
        for token in tokens.named.values_mut() {
            if let Some(known) = known.get(token.content.as_str()) {
                *token = (*known).clone();
            }
        }
        tokens.added = by_id.into_values().collect();
        let named = NAMES.iter().filter_map(|name| tokens.named.get(name));
        for token in named.chain(&tokens.further) {
            let there = tokens.added.iter().any(|t| t.content == token.content);
            if !there {
                let mut token = token.clone();
                token.special = true;
                tokens.by_class.push(token.content.clone());
                tokens.added.push(token);
            }
        }
        Ok(tokens)
    }

    /// Takes what one file says.
    fn name(&mut self, fields: &Fields<'_>) -> Result<(), ModelError> {
        for name in NAMES {
            if let Some(token) = fields.get(name) {
                self.named
                    .insert(name, token_of(fields, name, token, true)?);
            }
        }
        for key in ["extra_special_tokens", "additional_special_tokens"] {
            let list: Vec<&Value> = match fields.get(key) {
                None => continue,
                Some(Value::Array(list)) => list.iter().collect(),
                Some(Value::Object(map)) => map.values().collect(),
                Some(other) => {
                    let found = brief(other);
                    return Err(fields.error(format!("`{key}` is {found}, not a list")));
                }
            };
            let read = |token: &&Value| token_of(fields, key, token, true);
            self.further = list.iter().map(read).collect::<Result<_, _>>()?;
            // The newer key wins.
            if !self.further.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// The text of the token called `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(|token| token.content.as_str())
    }

    /// The texts of all special tokens.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let all = self.named.values().chain(&self.further);
        all.map(|token| token.content.as_str())
    }
}

fn decoder_of(
    config: &Fields<'_>,
    decoder: &Value,
) -> Result<BTreeMap<u32, AddedToken>, ModelError> {
    const KEY: &str = "added_tokens_decoder";
    let Value::Object(decoder) = decoder else {
        let found = brief(decoder);
        return Err(config.error(format!("`{KEY}` is {found}, not an object")));
    };
    let read = |(id, token): (&String, &Value)| match id.parse() {
        Ok(id) => Ok((id, token_of(config, KEY, token, false)?)),
        Err(_) => Err(config.error(format!("`{KEY}` has `{}` for an id", shorten(id)))),
    };
    decoder.iter().map(read).collect()
}

/// A token: its text alone, or with how it is found.
fn token_of(
    fields: &Fields<'_>,
    key: &str,
    value: &Value,
    special: bool,
) -> Result<AddedToken, ModelError> {
    const FLAGS: [&str; 5] = ["single_word", "lstrip", "rstrip", "normalized", "special"];
    let bad = || fields.error(format!("`{key}` holds {}, not a token", brief(value)));
    let object = match value {
        Value::String(text) => return Ok(AddedToken::from(text.clone(), special)),
        Value::Object(object) => object,
        _ => return Err(bad()),
    };
    let known = |k: &String| FLAGS.contains(&k.as_str()) || k == "content" || k == "__type";
    if let Some(other) = object.keys().find(|k| !known(k)) {
        let other = shorten(other);
        return Err(fields.error(format!("`{key}` holds a token with an unknown `{other}`")));
    }
    let flag = |name: &str, default: bool| match object.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(bad()),
    };
    let text = object.get("content").and_then(Value::as_str);
    let text = text.ok_or_else(bad)?.to_owned();
    // Outside of the decoder's list all are special, whatever they say.
    let special = special || flag("special", false)?;
    Ok(AddedToken::from(text, special)
        .single_word(flag("single_word", false)?)
        .lstrip(flag("lstrip", false)?)
        .rstrip(flag("rstrip", false)?)
        .normalized(flag("normalized", !special)?))
}
