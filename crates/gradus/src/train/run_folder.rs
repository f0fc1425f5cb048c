use super::{Checkpoint, Recipe, RunOverlap, TrainError, parse_recipe};
use crate::atomic::write_bytes;
use crate::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A run's folder: `recipe.toml` (resolved), `run.json`, `overlap.json`,
/// `metrics.jsonl`, `tensorboard/`, `checkpoints/`, and `model/`, the best
/// model.
///
/// Holding one keeps other processes out of the run.
#[derive(Debug)]
pub struct RunFolder {
    root: PathBuf,
    _lock: File,
}

/// Holds the folder of the recipe that was given.
const BASE_DIR: &str = ".base_dir";

impl RunFolder {
    /// Makes a folder for a new run and writes its recipe. `base_dir` is where
    /// the recipe's relative paths start; it is noted for resuming.
    ///
    /// # Errors
    /// [`TrainError::Occupied`] where there is a run already.
    pub fn create(root: &Path, recipe: &Recipe, base_dir: &Path) -> Result<Self> {
        if root.join("recipe.toml").exists() {
            return Err(TrainError::Occupied(root.to_path_buf()).into());
        }
        std::fs::create_dir_all(root).map_err(Error::io(root))?;
        let folder = Self::locked(root)?;
        let base = std::path::absolute(base_dir).map_err(Error::io(base_dir))?;
        let path = root.join(BASE_DIR);
        std::fs::write(&path, base.to_string_lossy().as_bytes()).map_err(Error::io(&path))?;
        let text = toml::to_string(recipe).map_err(|e| Error::Internal(format!("recipe: {e}")))?;
        let (path, fresh) = (root.join("recipe.toml"), root.join(".recipe.toml.new"));
        std::fs::write(&fresh, text).map_err(Error::io(&fresh))?;
        std::fs::rename(&fresh, &path).map_err(Error::io(&path))?;
        Ok(folder)
    }

    /// Opens the folder of a run that was begun.
    ///
    /// # Errors
    /// [`TrainError::NoRun`], [`TrainError::Busy`], [`TrainError::Recipe`].
    pub fn open(root: &Path) -> Result<(Self, Recipe)> {
        let path = root.join("recipe.toml");
        if !path.is_file() {
            return Err(TrainError::NoRun(root.to_path_buf()).into());
        }
        let folder = Self::locked(root)?;
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let recipe = parse_recipe(&path, &text, &[])?;
        crate::model::recover(&folder.model())?;
        Ok((folder, recipe))
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
        self.root.join("overlap.json")
    }

    /// What was written there; `None` where there is nothing of use.
    pub(super) fn read_overlap(&self) -> Option<RunOverlap> {
        let text = std::fs::read_to_string(self.overlap()).ok()?;
        serde_json::from_str(&text).ok()
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

    /// The latest checkpoint that can be read, and what is wrong with those
    /// that cannot.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be listed.
    pub fn latest(&self) -> Result<(Option<Checkpoint>, Vec<String>)> {
        let mut damaged = Vec::new();
        for path in Checkpoint::list(&self.checkpoints())? {
            match Checkpoint::read(&path) {
                Ok(checkpoint) => return Ok((Some(checkpoint), damaged)),
                Err(error) => damaged.push(error.to_string()),
            }
        }
        Ok((None, damaged))
    }
}
