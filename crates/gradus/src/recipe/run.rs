//! Runs that a recipe describes: their folders hold it.

use super::{AnyRecipe, Recipe, parse_recipe};
use crate::output::{Claim, Existing, Inputs, RunKind};
use crate::training::RunFolder;
use crate::{Error, Result};
use std::path::Path;

impl Recipe {
    /// Makes the folder `root` for a new run of this recipe. `base_dir` is where the
    /// recipe's relative paths start; it is noted for resuming.
    ///
    /// # Errors
    /// Those of [`Claim::check`]: nothing else may be in the folder.
    pub fn begin(&self, root: &Path, base_dir: &Path) -> Result<RunFolder> {
        let inputs = Inputs::new();
        let claim = Claim::check(root, RunKind::Train, Existing::Refuse, &inputs)?;
        self.begin_in(RunFolder::new(claim.take(None)?), base_dir)
    }

    /// Writes the recipe into a folder that was taken for the run: it has begun.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn begin_in(&self, folder: RunFolder, base_dir: &Path) -> Result<RunFolder> {
        let text = toml::to_string(self).map_err(|e| Error::Internal(format!("recipe: {e}")))?;
        folder.with_description(RunKind::Train.description(), &text, base_dir)
    }

    /// Opens the folder of a run that was begun, and its recipe.
    ///
    /// # Errors
    /// Those of [`Held::open`](crate::output::Held::open); [`TrainError::Recipe`](crate::training::TrainError).
    pub fn open_run(root: &Path) -> Result<(RunFolder, Self)> {
        Self::open_run_of(root, &[RunKind::Train, RunKind::Quickstart])
    }

    /// The same for a run of one of some kinds that have recipes.
    ///
    /// # Errors
    /// As [`Recipe::open_run`].
    pub fn open_run_of(root: &Path, kinds: &[RunKind]) -> Result<(RunFolder, Self)> {
        let (folder, path, text) = RunFolder::open_with(root, kinds)?;
        let recipe = parse_recipe(&path, &text, &[])?;
        Ok((folder, recipe))
    }
}

impl AnyRecipe {
    /// Writes the recipe into a folder that was taken for the run: it has begun.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn begin_in(&self, folder: RunFolder, base_dir: &Path) -> Result<RunFolder> {
        let text = self.text();
        let text = text.map_err(|e| Error::Internal(format!("recipe: {e}")))?;
        folder.with_description(RunKind::Train.description(), &text, base_dir)
    }

    /// Opens the folder of a run that was begun, and its recipe.
    ///
    /// # Errors
    /// As [`Recipe::open_run`].
    pub fn open_run(root: &Path) -> Result<(RunFolder, Self)> {
        let kinds = [RunKind::Train, RunKind::Quickstart];
        let (folder, path, text) = RunFolder::open_with(root, &kinds)?;
        let recipe = Self::parse(&path, &text, &[])?;
        Ok((folder, recipe))
    }
}
