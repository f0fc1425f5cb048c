//! A sweep's options in its folder, so that it goes on without them.

use super::Args;
use crate::commands::train::read_recipe;
use crate::exit::Failure;
use crate::output::Output;
use gradus::Error;
use gradus::data::Known;
use gradus::output::RunKind;
use gradus::training::TrainError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// All that decides what a sweep runs and shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Saved {
    pub recipes: Vec<SavedRecipe>,
    grid: Vec<String>,
    seeds: Vec<u64>,
    set: Vec<String>,
    before: bool,
    against: Option<String>,
    no_tests: bool,
    tasks: Vec<String>,
    keep_models: bool,
}

/// A recipe as it was when the sweep began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SavedRecipe {
    /// As it was typed.
    pub shown: PathBuf,
    /// The same from anywhere.
    pub path: PathBuf,
    pub text: String,
}

impl Saved {
    /// What was typed.
    pub fn of(args: &Args) -> Result<Self, Failure> {
        let recipes = args.recipes.iter().map(|shown| {
            Ok(SavedRecipe {
                shown: shown.clone(),
                path: std::path::absolute(shown).map_err(Error::io(shown))?,
                text: read_recipe(shown)?,
            })
        });
        Ok(Self {
            recipes: recipes.collect::<Result<_, Failure>>()?,
            grid: args.grid.clone(),
            seeds: args.seeds.clone(),
            set: args.set.clone(),
            before: args.before,
            against: args.against.clone(),
            no_tests: args.no_tests,
            tasks: args.tasks.iter().map(|k| k.name().to_owned()).collect(),
            keep_models: args.keep_models,
        })
    }

    /// As if it had been typed again.
    pub fn put_into(&self, args: &mut Args) {
        args.recipes = self.recipes.iter().map(|r| r.shown.clone()).collect();
        args.grid.clone_from(&self.grid);
        args.seeds.clone_from(&self.seeds);
        args.set.clone_from(&self.set);
        args.before = self.before;
        args.against.clone_from(&self.against);
        if args.tasks.is_empty() {
            args.no_tests |= self.no_tests;
            let known = self.tasks.iter().filter_map(|name| Known::parse(name).ok());
            args.tasks = known.collect();
        }
        args.keep_models = self.keep_models;
    }

    fn path(root: &Path) -> PathBuf {
        root.join(RunKind::Sweep.description())
    }

    pub fn read(root: &Path) -> Result<Self, Failure> {
        let path = Self::path(root);
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let saved = serde_json::from_str(&text).map_err(|e| TrainError::Folder {
            path,
            message: format!("no options of a sweep ({e}); begin it anew with --overwrite"),
        });
        Ok(saved.map_err(Error::from)?)
    }

    pub fn write(&self, root: &Path) -> Result<(), Failure> {
        let json =
            serde_json::to_string_pretty(self).map_err(|e| Error::Internal(e.to_string()))?;
        let mut file = Output::open(Some(&Self::path(root)))?;
        file.line(&json)?;
        file.finish()
    }
}
