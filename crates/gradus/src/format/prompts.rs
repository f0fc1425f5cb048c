//! The prompts of a model, and how many values of a vector it gives.

use super::ModelError;
use super::fields::{Fields, brief, shorten};
use super::files::{is_there, read_json};
use super::keys::PROMPTS;
use crate::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The file that sentence-transformers keeps them in.
pub(crate) const FILE: &str = "config_sentence_transformers.json";

/// Texts put before others, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompts {
    /// Name and text, in the order of the file.
    pub named: Vec<(String, String)>,
    /// The name of the one that is used where none is chosen.
    pub default: Option<String>,
}

/// Which prompt goes before texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptChoice {
    /// The folder's default, where it has one.
    #[default]
    Default,
    /// The folder's prompt of this name.
    Named(String),
    /// This text.
    Text(String),
    /// What sentence-transformers' `encode_query` takes: the prompt `query`, none
    /// where there is none.
    Query,
    /// What its `encode_document` takes: the prompt `document`, none where there
    /// is none.
    Document,
}

impl Prompts {
    /// The text that a choice stands for.
    ///
    /// # Errors
    /// The known names, where there is none of that name.
    pub fn choose(&self, choice: &PromptChoice) -> std::result::Result<String, String> {
        let of = |name: &str| {
            let found = self.named.iter().find(|(known, _)| known == name);
            found.map(|(_, text)| text.clone())
        };
        match choice {
            PromptChoice::Default => {
                let named = self.default.as_deref().and_then(of);
                Ok(named.unwrap_or_default())
            }
            PromptChoice::Text(text) => Ok(text.clone()),
            PromptChoice::Query => Ok(of("query").unwrap_or_default()),
            PromptChoice::Document => Ok(of("document").unwrap_or_default()),
            PromptChoice::Named(name) => of(name).ok_or_else(|| {
                let known: Vec<&str> = self.named.iter().map(|(n, _)| n.as_str()).collect();
                match known.is_empty() {
                    true => format!("the model has no prompt `{name}`, nor any other"),
                    false => format!(
                        "the model has no prompt `{name}`; it has {}",
                        known.join(", ")
                    ),
                }
            }),
        }
    }

    /// What a user who chose nothing should know.
    pub fn note(&self) -> Option<String> {
        let filled: Vec<&str> = self
            .named
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, _)| name.as_str())
            .collect();
        let known = filled.join(", ");
        match &self.default {
            None if !filled.is_empty() => Some(format!(
                "the model has prompts ({known}) and no default: texts go without one"
            )),
            _ => None,
        }
    }
}

/// Reads the prompts in `root`, and the width that vectors are cut to.
pub(crate) fn read(root: &Path) -> Result<(Prompts, Option<usize>)> {
    let path = root.join(FILE);
    if !is_there(&path)? {
        return Ok((Prompts::default(), None));
    }
    let config = read_json(&path)?;
    let config = Fields::of(&path, &config, PROMPTS)?;
    let width = config.size("truncate_dim")?;
    let mut named = Vec::new();
    let default = config.string("default_prompt_name")?;
    match config.get("prompts") {
        None => {}
        Some(Value::Object(prompts)) => {
            for (name, text) in prompts {
                let text = match text {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => {
                        let (name, found) = (shorten(name), brief(other));
                        let message = format!("prompt `{name}` is {found}, not a text");
                        return Err(config.error(message).into());
                    }
                };
                named.push((name.clone(), text));
            }
        }
        Some(other) => {
            let message = format!("`prompts` is {}, not an object", brief(other));
            return Err(config.error(message).into());
        }
    }
    let default = match default {
        None => None,
        // These two are there in sentence-transformers, empty, in any case.
        Some("query" | "document") => default.map(str::to_owned),
        Some(name) if named.iter().any(|(known, _)| known == name) => Some(name.to_owned()),
        Some(name) => {
            let name = shorten(name);
            let message =
                format!("`default_prompt_name` is `{name}`, which `prompts` does not have");
            return Err(ModelError::Config { path, message }.into());
        }
    };
    Ok((Prompts { named, default }, width))
}
