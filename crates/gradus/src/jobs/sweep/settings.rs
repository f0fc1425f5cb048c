use crate::data::Known;
use crate::jobs::{TestSets, recipes};
use crate::output::RunKind;
use crate::training::TrainError;
use crate::util::atomic::write_bytes;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// All that decides what a sweep runs and shows. Its folder holds them, so that it
/// goes on without them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepSettings {
    /// The recipes, which share a dev set.
    pub recipes: Vec<SavedRecipe>,
    /// Keys of the recipes and the values they take, as
    /// [`Axis::parse`](super::Axis::parse) reads them; every combination is run.
    pub grid: Vec<String>,
    /// The seeds that each setting is trained with; where there are none, that of
    /// the first recipe.
    pub seeds: Vec<u64>,
    /// Changes of all recipes, `key=value`.
    pub set: Vec<String>,
    /// Whether the models that training begins with are scored, too.
    pub before: bool,
    /// The row that the others are compared with, as the table calls it; by default
    /// the best by the dev set.
    pub against: Option<String>,
    /// Whether nothing but the dev set is scored.
    pub no_tests: bool,
    /// Those of the seven STS tasks that are scored; all where none are named.
    #[serde(with = "names")]
    pub tasks: Vec<Known>,
    /// Whether the models of all runs stay, not only that of the best.
    pub keep_models: bool,
}

/// A recipe as it was when a sweep began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedRecipe {
    /// Its path as it was given.
    pub shown: PathBuf,
    /// The same from anywhere.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl SweepSettings {
    /// Reads recipes, to be trained as they are.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn new(recipes: &[PathBuf]) -> Result<Self> {
        let read = |shown: &PathBuf| {
            Ok(SavedRecipe {
                shown: shown.clone(),
                path: std::path::absolute(shown).map_err(Error::io(shown))?,
                text: recipes::read(shown)?,
            })
        };
        Ok(Self {
            recipes: recipes.iter().map(read).collect::<Result<_>>()?,
            grid: vec![],
            seeds: vec![],
            set: vec![],
            before: false,
            against: None,
            no_tests: false,
            tasks: vec![],
            keep_models: false,
        })
    }

    /// What is scored besides the dev set.
    pub(super) fn tests(&self) -> TestSets {
        match (self.no_tests, &self.tasks[..]) {
            (true, _) => TestSets::None,
            (false, []) => TestSets::All,
            (false, tasks) => TestSets::Only(tasks.to_vec()),
        }
    }

    fn path(root: &Path) -> PathBuf {
        root.join(RunKind::Sweep.description())
    }

    /// Reads those of the sweep in `root`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`TrainError::Folder`] for a file that holds none.
    pub fn read(root: &Path) -> Result<Self> {
        let path = Self::path(root);
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let settings = serde_json::from_str(&text).map_err(|e| TrainError::Folder {
            path,
            message: format!("no options of a sweep ({e}); begin it anew with --overwrite"),
        })?;
        Ok(settings)
    }

    /// Writes them into the sweep's folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, root: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self);
        let json = json.map_err(|e| Error::Internal(format!("sweep: {e}")))? + "\n";
        write_bytes(&Self::path(root), json.as_bytes())
    }
}

/// Tasks by name. Names that a later version may know are passed over.
mod names {
    use super::Known;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(tasks: &[Known], to: S) -> Result<S::Ok, S::Error> {
        let names: Vec<&str> = tasks.iter().map(|known| known.name()).collect();
        names.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Known>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        let known = names.iter().filter_map(|name| Known::parse(name).ok());
        Ok(known.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_their_file() {
        let place = tempfile::tempdir().unwrap();
        let recipe = place.path().join("a.toml");
        std::fs::write(&recipe, "model = \"x\"\n").unwrap();
        let mut settings = SweepSettings::new(std::slice::from_ref(&recipe)).unwrap();
        assert_eq!(settings.tests(), TestSets::All);
        settings.grid = vec!["stage.0.epochs=1,2".into()];
        settings.tasks = vec![Known::StsB];
        assert_eq!(settings.tests(), TestSets::Only(vec![Known::StsB]));
        settings.write(place.path()).unwrap();
        assert_eq!(SweepSettings::read(place.path()).unwrap(), settings);
        std::fs::write(place.path().join("sweep.json"), "{}").unwrap();
        let error = SweepSettings::read(place.path()).unwrap_err().to_string();
        assert!(error.contains("no options of a sweep"), "{error}");
        assert!(SweepSettings::new(&[place.path().join("none.toml")]).is_err());
    }
}
