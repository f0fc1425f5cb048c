use super::{Checkpoint, Recipe, RunOverlap, TrainError, parse_recipe};
use crate::atomic::write_bytes;
use crate::pretrain;
use crate::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A run's folder: `recipe.toml` (resolved), `run.json`, `overlap.json`,
/// `metrics.jsonl`, `tensorboard/`, `checkpoints/`, and `model/`, the best
/// model. That of a pretraining has `pretrain.toml` in place of a recipe.
///
/// Holding one keeps other processes out of the run.
#[derive(Debug)]
pub struct RunFolder {
    root: PathBuf,
    _lock: File,
}

/// What describes a run by training.
const RECIPE: &str = "recipe.toml";

/// Holds the folder of the recipe that was given.
const BASE_DIR: &str = ".base_dir";

impl RunFolder {
    /// Makes a folder for a new run and writes its recipe. `base_dir` is where
    /// the recipe's relative paths start; it is noted for resuming.
    ///
    /// # Errors
    /// [`TrainError::Occupied`] where there is a run already.
    pub fn create(root: &Path, recipe: &Recipe, base_dir: &Path) -> Result<Self> {
        let text = toml::to_string(recipe).map_err(|e| Error::Internal(format!("recipe: {e}")))?;
        Self::create_with(root, RECIPE, &text, base_dir)
    }

    /// Whether a run was begun in `root`.
    pub fn is_taken(root: &Path) -> bool {
        [RECIPE, pretrain::SETTINGS]
            .iter()
            .any(|file| root.join(file).exists())
    }

    /// Makes a folder for a new run that the text `description` describes.
    pub(crate) fn create_with(
        root: &Path,
        file: &str,
        description: &str,
        base_dir: &Path,
    ) -> Result<Self> {
        if Self::is_taken(root) {
            return Err(TrainError::Occupied(root.to_path_buf()).into());
        }
        std::fs::create_dir_all(root).map_err(Error::io(root))?;
        let folder = Self::locked(root)?;
        let base = std::path::absolute(base_dir).map_err(Error::io(base_dir))?;
        let path = root.join(BASE_DIR);
        std::fs::write(&path, base.to_string_lossy().as_bytes()).map_err(Error::io(&path))?;
        write_bytes(&root.join(file), description.as_bytes())?;
        Ok(folder)
    }

    /// Opens the folder of a run that was begun.
    ///
    /// # Errors
    /// [`TrainError::NoRun`], [`TrainError::Busy`], [`TrainError::Recipe`].
    pub fn open(root: &Path) -> Result<(Self, Recipe)> {
        let (folder, path, text) = Self::open_with(root, RECIPE)?;
        let recipe = parse_recipe(&path, &text, &[])?;
        Ok((folder, recipe))
    }

    /// Opens the folder of a run that `file` describes; also returns that
    /// file's path and text.
    pub(crate) fn open_with(root: &Path, file: &'static str) -> Result<(Self, PathBuf, String)> {
        let path = root.join(file);
        if !path.is_file() {
            let root = root.to_path_buf();
            return Err(TrainError::NoRun { root, file }.into());
        }
        let folder = Self::locked(root)?;
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        crate::model::recover(&folder.model())?;
        Ok((folder, path, text))
    }

    fn locked(root: &Path) -> Result<Self> {
        let path = root.join(".lock");
        let file = File::create(&path).map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self {
                root: root.to_path_buf(),
                _lock: file,
            }),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(TrainError::Busy(root.to_path_buf()).into())
            }
            Err(std::fs::TryLockError::Error(e)) => Err(Error::io(&path)(e)),
        }
    }

    /// Where the recipe's relative paths start.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn base_dir(&self) -> Result<PathBuf> {
        let path = self.root.join(BASE_DIR);
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        Ok(PathBuf::from(text))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The best model.
    pub fn model(&self) -> PathBuf {
        self.root.join("model")
    }

    /// One JSON object a line.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.jsonl")
    }

    /// What the training data shares with evaluation sets ([`RunOverlap`]).
    pub fn overlap(&self) -> PathBuf {
        self.root.join(RunOverlap::FILE)
    }

    /// What was written there; `None` where there is nothing of use.
    pub(super) fn read_overlap(&self) -> Option<RunOverlap> {
        RunOverlap::read(&self.root)
    }

    pub(super) fn write_overlap(&self, overlap: &RunOverlap) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(overlap)
            .map_err(|e| Error::Internal(format!("overlap: {e}")))?;
        json.push(b'\n');
        write_bytes(&self.overlap(), &json)
    }

    /// Event files, by which TensorBoard follows the run.
    pub fn tensorboard(&self) -> PathBuf {
        self.root.join("tensorboard")
    }

    /// The checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// What to do about values that are not finite.
    pub(crate) fn advice(&self) -> String {
        match Checkpoint::list(&self.checkpoints()) {
            Ok(list) if !list.is_empty() => format!(
                "Lower the learning rate or set `clip` and start anew; the last good checkpoint is {}.",
                list[0].display()
            ),
            _ => "Lower the learning rate or set `clip` and start anew; no checkpoint was written yet.".into(),
        }
    }

    /// The latest checkpoint that can be read; `warn` is told what is wrong with
    /// later ones.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be listed.
    pub fn take_up(&self, warn: &mut dyn FnMut(&str)) -> Result<Option<Checkpoint>> {
        for path in Checkpoint::list(&self.checkpoints())? {
            match Checkpoint::read(&path) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(error) => warn(&format!("{error}; the one before it is used")),
            }
        }
        Ok(None)
    }
}
