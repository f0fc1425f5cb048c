//! The recipes of a sweep.

use super::SweepSettings;
use crate::Result;
use crate::data::Source;
use crate::jobs::JobError;
use crate::jobs::recipes::base_of;
use crate::recipe::AnyRecipe;
use std::path::{Path, PathBuf};

/// A recipe of a sweep.
pub(super) struct SweptRecipe {
    pub path: PathBuf,
    /// Its path as it was given.
    pub shown: PathBuf,
    pub text: String,
    /// With the changes that all have.
    pub recipe: AnyRecipe,
    /// What tables call it; empty where it is the only one.
    pub name: String,
}

impl SweptRecipe {
    /// Parses all; they share a dev set.
    pub fn all(settings: &SweepSettings) -> Result<Vec<Self>> {
        let mut all: Vec<Self> = vec![];
        for (name, saved) in names(settings).into_iter().zip(&settings.recipes) {
            let recipe = AnyRecipe::parse(&saved.shown, &saved.text, &settings.set)?;
            let swept = Self {
                path: saved.path.clone(),
                shown: saved.shown.clone(),
                text: saved.text.clone(),
                recipe,
                name,
            };
            match all.first() {
                Some(first) if first.dev() != swept.dev() => {
                    return Err(JobError::Settings(format!(
                        "{} and {} have different dev sets, so that their scores cannot be compared; --set evaluation.dev=... gives them one",
                        first.shown.display(),
                        swept.shown.display()
                    ))
                    .into());
                }
                _ => all.push(swept),
            }
        }
        Ok(all)
    }

    /// Where its relative paths start.
    pub fn base(&self) -> &Path {
        base_of(&self.path)
    }

    /// The dev set, its path as it is for everybody.
    fn dev(&self) -> Option<Source> {
        let mut dev = self.recipe.dev()?.clone();
        dev.path = dev.path.map(|path| {
            let path = self.base().join(path);
            path.canonicalize().unwrap_or(path)
        });
        Some(dev)
    }
}

/// The names of the files, with their folders' where there are several of one name.
fn names(settings: &SweepSettings) -> Vec<String> {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().display().to_string();
    let stems: Vec<String> = settings.recipes.iter().map(|r| stem(&r.shown)).collect();
    let name = |(saved, own): (&super::SavedRecipe, &String)| {
        let twice = stems.iter().filter(|other| *other == own).count() > 1;
        let folder = saved.path.parent().and_then(Path::file_name);
        match folder.filter(|_| twice) {
            _ if stems.len() == 1 => String::new(),
            Some(folder) => format!("{}/{own}", folder.display()),
            None => own.clone(),
        }
    };
    settings.recipes.iter().zip(&stems).map(name).collect()
}
