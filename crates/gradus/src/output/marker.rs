//! The file that says which run a folder belongs to.

use super::{OutputError, quoted};
use crate::util::atomic::write_bytes;
use crate::util::content_hash::hex;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

const FORMAT: u32 = 1;

/// What made a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A training by a recipe.
    Train,
    /// A pretraining on plain text.
    Pretrain,
    /// A distillation: students in folders of their own.
    Distill,
    /// A self distillation: runs in folders of their own.
    SelfDistill,
    /// A sweep: runs in folders of their own.
    Sweep,
    /// The training of `gradus quickstart`.
    Quickstart,
    /// A task of a program that uses this library.
    Task,
}

impl RunKind {
    /// The command that makes such folders and goes on with them.
    pub fn command(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Pretrain => "pretrain",
            Self::Distill => "distill",
            Self::SelfDistill => "self-distill",
            Self::Sweep => "sweep",
            Self::Quickstart => "quickstart",
            Self::Task => "train",
        }
    }

    /// What made such a folder, for people.
    pub(super) fn maker(self) -> String {
        match self {
            Self::Task => "another program".into(),
            _ => format!("`gradus {}`", self.command()),
        }
    }

    /// What goes on with the run in `root`, for people.
    pub(super) fn resumed_by(self, root: &Path) -> String {
        match self {
            Self::Task => "the program that began it".into(),
            _ => format!("`gradus {} --resume {}`", self.command(), quoted(root)),
        }
    }

    /// The file that describes what is done there: with it, the run has begun.
    pub fn description(self) -> &'static str {
        match self {
            Self::Train | Self::Quickstart => "recipe.toml",
            Self::Pretrain => "pretrain.toml",
            Self::Distill => "distill.toml",
            Self::SelfDistill => "self-distillation.toml",
            Self::Sweep => "sweep.json",
            Self::Task => "task.txt",
        }
    }

    /// What a folder without marker is, that an earlier version made.
    pub(super) fn of_earlier_version(root: &Path) -> Option<Self> {
        let has = |name: &str| root.join(name).is_file();
        // A user's own recipe may bear the name of a run's.
        if has(".base_dir") {
            let kinds = [Self::Train, Self::Pretrain];
            return kinds.into_iter().find(|kind| has(kind.description()));
        }
        if has("distill.toml") {
            return Some(Self::Distill);
        }
        let cells = std::fs::read_dir(root.join("runs")).ok()?;
        let is_cell = |path: PathBuf| path.join(".base_dir").is_file();
        let mut cells = cells.filter_map(|entry| Some(entry.ok()?.path()));
        cells.any(is_cell).then_some(Self::Sweep)
    }
}

/// Whose folder it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    format: u32,
    /// What made it.
    pub kind: RunKind,
    /// Different for every run.
    pub id: String,
    /// The version that began it.
    pub version: String,
    /// The id of the distillation or sweep that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// The folder of the public data sets, where one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// The hashes of what it reads that no part of it keeps itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) inputs: BTreeMap<String, String>,
}

impl Marker {
    /// Its file's name.
    pub const FILE: &str = ".gradus-run.json";

    /// For a new run.
    pub(super) fn new(kind: RunKind, within: Option<&Self>) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let seen = format!("{now:?} {} {count}", std::process::id());
        let hash = Sha256::digest(seen.as_bytes());
        Self {
            format: FORMAT,
            kind,
            id: hex(&hash[..8]),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            within: within.map(|marker| marker.id.clone()),
            data: within.and_then(|marker| marker.data.clone()),
            inputs: BTreeMap::new(),
        }
    }

    /// Reads that of a folder, if it has one.
    ///
    /// # Errors
    /// [`OutputError::Marker`] for a file that cannot be read as one.
    pub fn read(root: &Path) -> Result<Option<Self>> {
        let path = root.join(Self::FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
            Err(e) => return Err(Error::io(&path)(e)),
        };
        let fail = |message: String| OutputError::Marker {
            path: path.clone(),
            message,
        };
        let marker: Self =
            serde_json::from_str(&text).map_err(|e| fail(format!("no marker of a run ({e})")))?;
        match marker.format {
            FORMAT => Ok(Some(marker)),
            _ => Err(fail("a later version of Gradus wrote it".into()).into()),
        }
    }

    pub(super) fn write(&self, root: &Path) -> Result<()> {
        let json =
            serde_json::to_vec_pretty(self).map_err(|e| Error::Internal(format!("marker: {e}")))?;
        write_bytes(&root.join(Self::FILE), &json)
    }

    /// Whether the run whose folder this marks was begun.
    pub(super) fn has_begun(&self, root: &Path) -> bool {
        root.join(self.kind.description()).is_file()
    }
}
