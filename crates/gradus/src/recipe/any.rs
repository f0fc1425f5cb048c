//! Recipes of either kind, and the key that tells them apart.

use super::overrides::parse;
use super::stages::refused;
use super::{CrossEncoderRecipe, Recipe, parse_recipe};
use crate::data::Source;
use crate::training::TrainError;
use crate::{Device, Precision};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::path::Path;
use toml::{Table, Value};

/// A recipe by which something is trained.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyRecipe {
    /// A sentence encoder: without `task`.
    Similarity(Box<Recipe>),
    /// A cross-encoder: `task = "cross-encoder"`.
    CrossEncoder(Box<CrossEncoderRecipe>),
}

impl From<Recipe> for AnyRecipe {
    fn from(recipe: Recipe) -> Self {
        Self::Similarity(Box::new(recipe))
    }
}

impl From<CrossEncoderRecipe> for AnyRecipe {
    fn from(recipe: CrossEncoderRecipe) -> Self {
        Self::CrossEncoder(Box::new(recipe))
    }
}

/// The same of a recipe of either kind.
macro_rules! either {
    ($any:expr, $recipe:ident => $value:expr) => {
        match $any {
            AnyRecipe::Similarity($recipe) => $value,
            AnyRecipe::CrossEncoder($recipe) => $value,
        }
    };
}

impl AnyRecipe {
    /// Parses a recipe with overrides, as [`parse_recipe`] does.
    ///
    /// # Errors
    /// As [`parse_recipe`].
    pub fn parse(path: &Path, text: &str, overrides: &[String]) -> Result<Self, TrainError> {
        match task_of(text).flatten() {
            None => Ok(Self::Similarity(Box::new(parse_recipe(
                path, text, overrides,
            )?))),
            Some(Value::String(task)) if task == "cross-encoder" => {
                let recipe: CrossEncoderRecipe = parse(path, text, overrides)?;
                recipe.validate_at(path)?;
                Ok(Self::CrossEncoder(Box::new(recipe)))
            }
            Some(Value::String(task)) if task == "self-distillation" => {
                let message = format!("it is for `gradus self-distill {}`", path.display());
                Err(refused(path, message))
            }
            Some(other) => Err(refused(
                path,
                format!(
                    "`task` is {other}; it can be \"cross-encoder\", and is left out for a sentence encoder"
                ),
            )),
        }
    }

    /// Parses a recipe that another language made, as JSON; a key that is null is taken for
    /// one that is not there. Errors call it `name`, and show its lines as TOML.
    ///
    /// # Errors
    /// As [`parse_recipe`].
    pub fn parse_json(name: &Path, json: &str, overrides: &[String]) -> Result<Self, TrainError> {
        let fail = |e: &dyn std::fmt::Display| refused(name, e.to_string());
        let mut value: Json = serde_json::from_str(json).map_err(|e| fail(&e))?;
        drop_nulls(&mut value);
        let text = toml::to_string(&value).map_err(|e| fail(&e))?;
        Self::parse(name, &text, overrides)
    }

    /// The folder that it names for the run.
    pub fn output(&self) -> Option<&str> {
        either!(self, recipe => recipe.output.as_deref())
    }

    /// What the model is multiplied in.
    pub fn precision(&self) -> Precision {
        either!(self, recipe => recipe.precision)
    }

    /// What the model runs on.
    pub fn device(&self) -> Device {
        either!(self, recipe => recipe.device)
    }

    /// The same with the precision and the device of another.
    pub fn computed_as(mut self, other: &Self) -> Self {
        let (precision, device) = (other.precision(), other.device());
        either!(&mut self, recipe => {
            recipe.precision = precision;
            recipe.device = device;
        });
        self
    }

    /// What everything random is drawn from.
    pub fn seed(&self) -> u64 {
        either!(self, recipe => recipe.seed)
    }

    /// The model that the run begins with.
    pub fn model(&self) -> &str {
        either!(self, recipe => &recipe.model)
    }

    /// Teachers and other models that it needs in addition.
    pub fn auxiliary_models(&self) -> Vec<&str> {
        match self {
            Self::Similarity(recipe) => {
                let stages = recipe.stages.iter();
                stages.flat_map(|s| s.auxiliary_models()).collect()
            }
            Self::CrossEncoder(_) => vec![],
        }
    }

    /// What its stages learn from.
    pub fn sources(&self) -> Vec<&Source> {
        either!(self, recipe => recipe.stages.iter().flat_map(|s| &s.train).collect())
    }

    /// What its models are chosen by.
    pub fn dev(&self) -> Option<&Source> {
        either!(self, recipe => recipe.evaluation.dev.as_ref())
    }

    /// The recipe as a file has it.
    pub(super) fn text(&self) -> Result<String, toml::ser::Error> {
        either!(self, recipe => toml::to_string(recipe))
    }
}

/// Takes keys that are null out of tables.
fn drop_nulls(value: &mut Json) {
    match value {
        Json::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(drop_nulls);
        }
        Json::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// A file's key `task`; `None` where the file cannot be read.
fn task_of(text: &str) -> Option<Option<Value>> {
    let table = toml::from_str::<Table>(text).ok()?;
    Some(table.get("task").cloned())
}

/// Parses a file of some task, with overrides as [`parse_recipe`] takes them.
///
/// # Errors
/// [`TrainError::Recipe`], also where the file is of another task.
pub(crate) fn parse_of_task<T: DeserializeOwned>(
    task: &str,
    path: &Path,
    text: &str,
    overrides: &[String],
) -> Result<T, TrainError> {
    if let Some(found) = task_of(text)
        && found.as_ref().and_then(Value::as_str) != Some(task)
    {
        let found = found.map_or("no task".to_owned(), |found| format!("`task = {found}`"));
        return Err(refused(
            path,
            format!(
                "it has {found}, and `task = \"{task}\"` is expected; `gradus train` takes other recipes"
            ),
        ));
    }
    parse(path, text, overrides)
}
