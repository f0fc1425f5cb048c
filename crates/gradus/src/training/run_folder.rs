use super::Checkpoint;
use crate::format::Provenance;
use crate::models::SentenceEncoder;
use crate::output::{Claim, Existing, Held, Inputs, Marker, Replacement, RunKind};
use crate::util::atomic::write_bytes;
use crate::{Error, Result};
use gradus_kernels::Backend;
use std::path::{Path, PathBuf};

/// A run's folder: `recipe.toml` (resolved), `run.json`, `overlap.json`,
/// `metrics.jsonl`, `tensorboard/`, `checkpoints/`, and `model/`, the best
/// model. That of a pretraining has `pretrain.toml` in place of a recipe. A
/// marker says that it is a run's, and whose.
///
/// Holding one keeps other processes out of the run.
#[derive(Debug)]
pub struct RunFolder {
    held: Held,
}

/// Holds the folder of the recipe that was given.
const BASE_DIR: &str = ".base_dir";

impl RunFolder {
    /// The folder, in a run's folder, of an untrained model that it begins with.
    pub const START: &str = "start";

    /// A folder that was taken for a run.
    pub fn new(held: Held) -> Self {
        Self { held }
    }

    /// The folder `root` for a run of the caller's own task, in a few words: begun, or
    /// opened where the same program began it before.
    ///
    /// # Errors
    /// Those of [`Claim::check`] and [`Held::open`]: nothing else may be in the folder.
    pub fn of_task(root: &Path, description: &str) -> Result<Self> {
        let kinds = [RunKind::Task];
        if root.join(RunKind::Task.description()).is_file() {
            return Ok(Self::open_with(root, &kinds)?.0);
        }
        let claim = Claim::check(root, RunKind::Task, Existing::Refuse, &Inputs::new())?;
        let here = Path::new(".");
        Self::new(claim.take(None)?).with_description(kinds[0].description(), description, here)
    }

    /// Writes the text `description`, which describes the run.
    pub(crate) fn with_description(
        self,
        file: &str,
        description: &str,
        base_dir: &Path,
    ) -> Result<Self> {
        let base = std::path::absolute(base_dir).map_err(Error::io(base_dir))?;
        let path = self.root().join(BASE_DIR);
        write_bytes(&path, base.to_string_lossy().as_bytes())?;
        write_bytes(&self.root().join(file), description.as_bytes())?;
        Ok(self)
    }

    /// Whether a run was begun in `root`.
    pub fn is_taken(root: &Path) -> bool {
        [RunKind::Train, RunKind::Pretrain]
            .iter()
            .any(|kind| root.join(kind.description()).exists())
    }

    /// Opens the folder of a run of one of some kinds; also returns the path and
    /// text of the file that describes it.
    pub(crate) fn open_with(root: &Path, kinds: &[RunKind]) -> Result<(Self, PathBuf, String)> {
        let held = Held::open(root, kinds)?;
        let path = root.join(held.marker().kind.description());
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        Ok((Self { held }, path, text))
    }

    /// Where the recipe's relative paths start.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn base_dir(&self) -> Result<PathBuf> {
        let path = self.root().join(BASE_DIR);
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        Ok(PathBuf::from(text))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        self.held.root()
    }

    /// What says whose folder it is.
    pub fn marker(&self) -> &Marker {
        self.held.marker()
    }

    /// The best model.
    pub fn model(&self) -> PathBuf {
        self.root().join("model")
    }

    /// Puts `model` there, with its model card. Files of others stay; `warn` hears of
    /// those that somebody changed.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save<B: Backend>(
        &self,
        model: &SentenceEncoder<B>,
        card: &str,
        provenance: &Provenance,
        warn: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let save =
            |owner: &str, target: &Path| model.save_as(Some(owner), target, card, provenance);
        self.save_by(save, warn)
    }

    /// The same with a model of any kind, which `save` writes into a folder in the
    /// name of an owner.
    pub(crate) fn save_by(
        &self,
        save: impl FnOnce(&str, &Path) -> Result<Replacement>,
        warn: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let done = save(&self.marker().id, &self.model())?;
        for path in done.set_aside {
            let path = path.display();
            warn(&format!(
                "a file of the model was changed by somebody else; that is now {path}"
            ));
        }
        Ok(())
    }

    /// One JSON object a line.
    pub fn metrics(&self) -> PathBuf {
        self.root().join("metrics.jsonl")
    }

    /// Event files, by which TensorBoard follows the run.
    pub fn tensorboard(&self) -> PathBuf {
        self.root().join("tensorboard")
    }

    /// The checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root().join("checkpoints")
    }

    /// Removes the checkpoints of a run that is over.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_checkpoints(&self) -> Result<()> {
        let folder = self.checkpoints();
        for path in Checkpoint::list(&folder)? {
            std::fs::remove_file(&path).map_err(Error::io(&path))?;
        }
        // Stays where somebody else has put something into it.
        let _ = std::fs::remove_dir(&folder);
        Ok(())
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

    /// The latest checkpoint that can be read; `warn` hears what is wrong with
    /// later ones.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be listed.
    pub fn latest_checkpoint(&self, warn: &mut dyn FnMut(&str)) -> Result<Option<Checkpoint>> {
        for path in Checkpoint::list(&self.checkpoints())? {
            match Checkpoint::read(&path) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(error) => warn(&format!("{error}; the one before it is used")),
            }
        }
        Ok(None)
    }
}
