//! What the files beside a tokenizer's vocabulary say.

use super::class::Class;
use crate::Result;
use crate::format::ModelError;
use crate::format::fields::{Fields, brief};
use crate::format::files::{is_there, read_json};
use crate::format::keys::{Keys, SPECIAL_TOKENS, TOKENIZER};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// What a model's own description adds to what its tokenizer's files say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TokenizerOverrides {
    /// Put over what `tokenizer_config.json` says.
    pub config: Map<String, Value>,
    /// Texts become lower case before anything else.
    pub lower_case: bool,
}

/// A description that is there or not, with its keys checked.
#[derive(Debug, Clone)]
struct File {
    path: PathBuf,
    value: Value,
    keys: Keys,
}

impl File {
    fn read(path: PathBuf, keys: Keys) -> Result<Self> {
        let value = match is_there(&path)? {
            true => read_json(&path)?,
            false => Value::Object(Map::new()),
        };
        let file = Self { path, value, keys };
        file.fields()?;
        Ok(file)
    }

    fn fields(&self) -> Result<Fields<'_>, ModelError> {
        Fields::of(&self.path, &self.value, self.keys)
    }
}

/// `tokenizer_config.json` with what is put over it, and its neighbours.
#[derive(Debug, Clone)]
pub(crate) struct TokenizerSettings {
    config: File,
    special_tokens: File,
    /// What `added_tokens.json` lists.
    pub added_tokens: Vec<(String, u32)>,
    /// The class that transformers would take.
    pub class: Class,
    /// Its name.
    pub class_name: String,
    /// Texts become lower case before anything else.
    pub lower_case: bool,
    /// Whether the family counts positions from the beginning of padding on.
    counts_padding: bool,
    /// Ids of special tokens in `config.json`, with their keys.
    pub ids_of_config: Vec<(&'static str, u64)>,
}

impl TokenizerSettings {
    /// Reads those of the model in `folder`.
    pub fn read(folder: &Path, overrides: &TokenizerOverrides) -> Result<Self> {
        let mut config = File::read(folder.join("tokenizer_config.json"), TOKENIZER)?;
        if let Value::Object(config) = &mut config.value {
            config.extend(overrides.config.clone());
        }
        let special_tokens = File::read(folder.join("special_tokens_map.json"), SPECIAL_TOKENS)?;
        // Its own keys are checked where the encoder is read.
        let of_model = folder.join("config.json");
        let of_model = match is_there(&of_model)? {
            true => read_json(&of_model)?,
            false => Value::Null,
        };
        let text = |key: &str| {
            let text = of_model.get(key).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        let fields = config.fields()?;
        let named = fields.string("tokenizer_class")?.map(str::to_owned);
        let (class, class_name) = match named.or_else(|| text("tokenizer_class")) {
            None => Class::of_family(text("model_type").as_deref().unwrap_or("bert")),
            Some(name) => match Class::named(&name) {
                Some(class) => (class, name),
                None => {
                    let known = Class::KNOWN;
                    return Err(fields.unsupported("tokenizer_class", name, known).into());
                }
            },
        };
        const IDS: [(&str, &str); 6] = [
            ("pad_token", "pad_token_id"),
            ("bos_token", "bos_token_id"),
            ("eos_token", "eos_token_id"),
            ("cls_token", "cls_token_id"),
            ("sep_token", "sep_token_id"),
            ("mask_token", "mask_token_id"),
        ];
        let ids = IDS.iter().filter_map(|(token, key)| {
            let id = of_model.get(key).and_then(Value::as_u64)?;
            Some((*token, id))
        });
        let ids_of_config = ids.collect();
        let counts_padding = match text("model_type").as_deref() {
            Some("bert") => text("position_embedding_type").as_deref() != Some("alibi"),
            family => family == Some("distilbert"),
        };
        let added_tokens = read_added(&folder.join("added_tokens.json"))?;
        Ok(Self {
            config,
            special_tokens,
            added_tokens,
            class,
            class_name,
            lower_case: overrides.lower_case,
            counts_padding,
            ids_of_config,
        })
    }

    /// `tokenizer_config.json`, merged.
    pub fn config(&self) -> Result<Fields<'_>, ModelError> {
        self.config.fields()
    }

    /// The same as JSON, which names the class.
    pub fn with_class(&self) -> Value {
        let mut json = self.config.value.clone();
        json["tokenizer_class"] = self.class_name.as_str().into();
        json
    }

    /// `special_tokens_map.json`.
    pub fn special_tokens(&self) -> Result<Fields<'_>, ModelError> {
        self.special_tokens.fields()
    }

    /// Whether texts are cut at their beginning, where `tokenizer_config.json`
    /// says it.
    pub fn cuts_beginnings(&self) -> Result<Option<bool>, ModelError> {
        let config = self.config()?;
        match config.string("truncation_side")? {
            None => Ok(None),
            Some("left") => Ok(Some(true)),
            Some("right") => Ok(Some(false)),
            Some(other) => {
                let found = crate::format::fields::shorten(other);
                Err(config.unsupported("truncation_side", found, "right, left"))
            }
        }
    }

    /// Refuses padding in front of texts where it would move their positions;
    /// `filed` says that tokenizer.json has it.
    pub fn check_padding(&self, filed: bool) -> Result<(), ModelError> {
        let config = self.config()?;
        let left = match config.string("padding_side")? {
            None => filed,
            Some(side) => side == "left",
        };
        if !(left && self.counts_padding) {
            return Ok(());
        }
        let found = "left (a text's vector would depend on the longest text of its batch, as positions are counted from the padding on)";
        Err(config.unsupported("padding_side", found.into(), "right"))
    }

    /// Whether the model is given segments, where `tokenizer_config.json` says
    /// it; by default as the class has it.
    pub fn gives_segments(&self) -> Result<bool, ModelError> {
        let config = self.config()?;
        let Some(names) = config.get("model_input_names") else {
            return Ok(self.class == Class::Bert);
        };
        let bad = || {
            let found = brief(names);
            config.error(format!(
                "`model_input_names` is {found}, not a list of names"
            ))
        };
        let names = names.as_array().ok_or_else(bad)?;
        Ok(names.iter().any(|n| n == "token_type_ids"))
    }
}

/// Tokens and their ids.
fn read_added(path: &Path) -> Result<Vec<(String, u32)>> {
    if !is_there(path)? {
        return Ok(Vec::new());
    }
    let json = read_json(path)?;
    let fields = Fields::new(path, &json)?;
    let Value::Object(map) = &json else {
        return Ok(Vec::new());
    };
    let read = |(token, id): (&String, &Value)| match id.as_u64() {
        Some(id) if id <= u64::from(u32::MAX) => Ok((token.clone(), id as u32)),
        _ => {
            let token = crate::format::fields::shorten(token);
            let message = format!("`{token}` is {}, not an id", brief(id));
            Err(fields.error(message).into())
        }
    };
    map.iter().map(read).collect()
}
