//! The recipes of a sweep.

use super::{Args, Saved};
use crate::commands::train::base_of;
use crate::exit::Failure;
use gradus::Error;
use gradus::data;
use gradus::recipe::{Recipe, parse_recipe};
use std::path::{Path, PathBuf};

/// A recipe of a sweep.
pub(super) struct Source {
    pub path: PathBuf,
    /// As it was typed.
    pub shown: PathBuf,
    pub text: String,
    /// As it was read with `--set`.
    pub recipe: Recipe,
    /// What tables call it; empty where it is the only one.
    pub name: String,
}

impl Source {
    /// Reads all; they share a dev set.
    pub fn all(args: &Args, saved: &Saved) -> Result<Vec<Self>, Failure> {
        let stem = |path: &Path| path.file_stem().unwrap_or_default().display().to_string();
        let stems: Vec<String> = args.recipes.iter().map(|path| stem(path)).collect();
        let mut sources: Vec<Self> = vec![];
        for (i, saved) in saved.recipes.iter().enumerate() {
            let path = &saved.path;
            let twice = stems.iter().filter(|other| **other == stems[i]).count() > 1;
            let folder = path.parent().and_then(Path::file_name).filter(|_| twice);
            let name = match folder {
                _ if stems.len() == 1 => String::new(),
                Some(folder) => format!("{}/{}", folder.display(), stems[i]),
                None => stems[i].clone(),
            };
            let text = saved.text.clone();
            let recipe = parse_recipe(&saved.shown, &text, &args.set).map_err(Error::from)?;
            let other = sources
                .first()
                .filter(|s| dev(&s.path, &s.recipe) != dev(path, &recipe));
            if let Some(first) = other {
                return Err(Failure::Usage(format!(
                    "{} and {} have different dev sets, so that their scores cannot be compared; --set evaluation.dev=... gives them one",
                    first.shown.display(),
                    saved.shown.display()
                )));
            }
            sources.push(Self {
                path: path.clone(),
                shown: saved.shown.clone(),
                text,
                recipe,
                name,
            });
        }
        Ok(sources)
    }
}

/// The dev set of a recipe, its path as it is for everybody.
fn dev(path: &Path, recipe: &Recipe) -> Option<data::Source> {
    let mut dev = recipe.evaluation.dev.clone()?;
    dev.path = dev.path.map(|p| {
        let p = base_of(path).join(p);
        p.canonicalize().unwrap_or(p)
    });
    Some(dev)
}
