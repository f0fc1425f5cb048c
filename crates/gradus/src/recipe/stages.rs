//! What holds of the stages of every recipe.

use crate::data::Source;
use crate::training::TrainError;
use std::path::Path;

/// What is wrong with the recipe in a file.
pub(super) fn refused(path: &Path, message: impl Into<String>) -> TrainError {
    TrainError::Recipe {
        path: path.to_path_buf(),
        message: message.into(),
    }
}

/// Refuses a recipe that does nothing.
pub(super) fn some_stages<S>(path: &Path, stages: &[S]) -> Result<(), TrainError> {
    match stages.is_empty() {
        true => Err(refused(path, "there is no [[stage]]")),
        false => Ok(()),
    }
}

/// Refuses a stage that has the name of one before it.
pub(super) fn own_name<'a>(
    path: &Path,
    mut before: impl Iterator<Item = &'a str>,
    name: &str,
) -> Result<(), TrainError> {
    match before.any(|other| other == name) {
        true => Err(refused(path, format!("two stages are called `{name}`"))),
        false => Ok(()),
    }
}

/// Refuses a stage that has nothing to learn from.
pub(super) fn some_sources(train: &[Source]) -> Result<(), String> {
    match train.is_empty() {
        true => Err("`train` names no source".into()),
        false => Ok(()),
    }
}
