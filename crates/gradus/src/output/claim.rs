//! Folders that are claimed for a run.

use super::owned::{adopt, holds_model, list, owner_of, recover, remove_empty, remove_owned};
use super::place::real;
use super::{Inputs, Marker, OutputError, RunKind};
use crate::util::tensorboard;
use crate::{Error, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What to do about a run that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse.
    Refuse,
    /// Begin anew: what the run wrote is removed.
    Overwrite,
    /// Go on with it.
    GoOn,
}

/// A folder that a run may begin in. Nothing was written yet.
#[derive(Debug)]
pub struct Claim {
    root: PathBuf,
    kind: RunKind,
    existing: Existing,
    within: Option<Marker>,
}

/// A run's folder, which no other process has.
#[derive(Debug)]
pub struct Held {
    root: PathBuf,
    marker: Marker,
    left: Vec<PathBuf>,
    _lock: File,
}

impl Claim {
    /// Makes sure that a run may begin in `root`: a folder that does not exist, is
    /// empty, or holds a run of the same kind where `existing` allows for that;
    /// and that it is apart from the `inputs`, which must not be those that the
    /// run makes itself.
    ///
    /// # Errors
    /// [`OutputError`], which names what is in the way and what to do.
    pub fn check(root: &Path, kind: RunKind, existing: Existing, inputs: &Inputs) -> Result<Self> {
        inputs.check_folder(root, "--output")?;
        Self::apart(root, kind, existing, None)
    }

    /// The same for a run that is part of the one that holds `parent`.
    ///
    /// # Errors
    /// As [`Claim::check`].
    pub fn check_within(parent: &Held, root: &Path, kind: RunKind) -> Result<Self> {
        Self::apart(root, kind, Existing::Refuse, Some(parent.marker.clone()))
    }

    fn apart(
        root: &Path,
        kind: RunKind,
        existing: Existing,
        within: Option<Marker>,
    ) -> Result<Self> {
        let place = real(root).map_err(Error::io(root))?;
        for above in place.ancestors().skip(1) {
            // Folders that cannot be looked into are not ours.
            let marker = Marker::read(above).ok().flatten();
            let parent = within.as_ref().map(|marker| &marker.id);
            if let Some(marker) = marker.filter(|marker| Some(&marker.id) != parent) {
                let (path, found) = (above.to_path_buf(), marker.kind);
                return Err(OutputError::OtherRun { path, found }.into());
            }
        }
        let claim = Self {
            root: root.to_path_buf(),
            kind,
            existing,
            within,
        };
        claim.look()?;
        Ok(claim)
    }

    /// What is in the folder, if it may stay or be replaced.
    fn look(&self) -> Result<Option<Marker>> {
        let (root, path) = (self.root.as_path(), self.root.clone());
        match fs::metadata(root) {
            Ok(meta) if !meta.is_dir() => return Err(OutputError::NotAFolder { path }.into()),
            Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => {
                return Err(OutputError::NotAFolder { path }.into());
            }
            Ok(_) => {}
            Err(_) => return Ok(None),
        }
        let marker = Marker::read(root)?;
        let earlier = || RunKind::of_earlier_version(root);
        let (found, begun) = match &marker {
            Some(marker) => (Some(marker.kind), marker.has_begun(root)),
            None => (earlier(), true),
        };
        match found {
            Some(found) if found != self.kind => Err(OutputError::OtherRun { path, found }.into()),
            Some(_) if begun && self.existing == Existing::Refuse => Err(OutputError::Occupied {
                path,
                what: "a run",
                command: self.command(),
            }
            .into()),
            Some(_) => Ok(marker),
            None => match others(root)? {
                entries if entries.is_empty() => Ok(None),
                entries => Err(OutputError::Foreign { path, entries }.into()),
            },
        }
    }

    fn command(&self) -> &'static str {
        let kind = self.within.as_ref().map_or(self.kind, |marker| marker.kind);
        kind.command()
    }

    /// Whether a run was begun there, with which this one may go on.
    pub fn has_begun(&self) -> bool {
        let marker = Marker::read(&self.root).ok().flatten();
        let has_begun = match marker {
            Some(marker) => marker.has_begun(&self.root),
            None => RunKind::of_earlier_version(&self.root).is_some(),
        };
        has_begun && self.existing != Existing::Overwrite
    }

    /// The error where `what` is there, such as "a run of other settings", with
    /// which this one cannot go on.
    pub fn occupied(&self, what: &'static str) -> Error {
        OutputError::Occupied {
            path: self.root.clone(),
            what,
            command: self.command(),
        }
        .into()
    }

    /// Takes the folder: makes it, keeps other processes out, removes what the
    /// run wrote that is to be replaced, and marks it. `data` is where the public
    /// data sets are, if that was chosen.
    ///
    /// # Errors
    /// [`OutputError::Busy`]; as [`Claim::check`], where something changed since;
    /// [`Error::Io`].
    pub fn take(self, data: Option<&Path>) -> Result<Held> {
        fs::create_dir_all(&self.root).map_err(Error::io(&self.root))?;
        let lock = lock(&self.root)?;
        let found = self.look()?;
        let mut left = Vec::new();
        let went_on = self.existing == Existing::GoOn && self.has_begun();
        if !went_on && self.root.join(self.kind.description()).exists() {
            left = remove_run(&self.root, self.kind)?;
        }
        let marker = match found {
            Some(marker) if went_on => marker,
            _ => {
                let mut marker = Marker::new(self.kind, self.within.as_ref());
                if let Some(data) = data {
                    marker.data = Some(std::path::absolute(data).map_err(Error::io(data))?);
                }
                marker.write(&self.root)?;
                marker
            }
        };
        Ok(Held {
            root: self.root,
            marker,
            left,
            _lock: lock,
        })
    }
}

impl Held {
    /// Takes the folder of a run of one of some kinds, which was begun.
    ///
    /// # Errors
    /// [`OutputError::NoRun`], [`OutputError::Busy`]; [`OutputError::WrongCommand`]
    /// for a run of another kind; [`OutputError::NotOwn`] where its `model/` was
    /// written by somebody else.
    pub fn open(root: &Path, kinds: &[RunKind]) -> Result<Self> {
        let found = Marker::read(root)?;
        let kind = match &found {
            Some(marker) => Some(marker.kind),
            None => RunKind::of_earlier_version(root),
        };
        let begun = kind.filter(|kind| root.join(kind.description()).is_file());
        match begun {
            Some(kind) if kinds.contains(&kind) => {}
            Some(found) => {
                let path = root.to_path_buf();
                return Err(OutputError::WrongCommand { path, found }.into());
            }
            None => {
                let root = root.to_path_buf();
                let file = kinds
                    .first()
                    .map_or("recipe.toml", |kind| kind.description());
                return Err(OutputError::NoRun { root, file }.into());
            }
        }
        let lock = lock(root)?;
        let has_model = !matches!(
            begun,
            Some(RunKind::Distill | RunKind::SelfDistill | RunKind::Sweep)
        );
        let model = root.join("model");
        if has_model {
            recover(&model)?;
        }
        let marker = match found {
            Some(marker) => marker,
            None => {
                let marker = Marker::new(begun.unwrap_or(RunKind::Train), above(root).as_ref());
                if has_model {
                    adopt(&model, &marker.id)?;
                }
                marker.write(root)?;
                marker
            }
        };
        let held = Self {
            root: root.to_path_buf(),
            marker,
            left: vec![],
            _lock: lock,
        };
        if has_model {
            held.check_model(&model)?;
        }
        Ok(held)
    }

    /// Makes sure that these inputs are those that the run was begun with, and
    /// notes those that are new.
    ///
    /// # Errors
    /// [`OutputError::Changed`], which names what changed; [`Error::Io`].
    pub fn check_inputs(&mut self, inputs: &Inputs) -> Result<()> {
        for (path, hash) in inputs.hashes()? {
            match self.marker.inputs.get(&path) {
                Some(before) if *before != hash => {
                    let what = path;
                    let path = self.root.clone();
                    return Err(OutputError::Changed { path, what }.into());
                }
                _ => self.marker.inputs.insert(path, hash),
            };
        }
        self.marker.write(&self.root)
    }

    /// Makes sure that a model was written by this run, or that there is none.
    fn check_model(&self, model: &Path) -> Result<()> {
        let own = match owner_of(model) {
            Some(run) => run == self.marker.id,
            None => !holds_model(model) && (model.is_dir() || !model.exists()),
        };
        match own {
            true => Ok(()),
            false => Err(OutputError::NotOwn {
                path: model.to_path_buf(),
            }
            .into()),
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its marker.
    pub fn marker(&self) -> &Marker {
        &self.marker
    }

    /// Files of others that were found where a run was replaced, and left alone.
    pub fn left(&self) -> &[PathBuf] {
        &self.left
    }
}

/// Keeps other processes out.
fn lock(root: &Path) -> Result<File> {
    let path = root.join(".lock");
    let open = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(Error::io(&path));
    let file = open?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OutputError::Busy(root.to_path_buf()).into()),
        Err(fs::TryLockError::Error(e)) => Err(Error::io(&path)(e)),
    }
}

/// Some of the names in a folder, but for those that mean nothing.
fn others(root: &Path) -> Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root).map_err(Error::io(root))? {
        let entry = entry.map_err(Error::io(root))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let empty_lock = name == ".lock" && entry.metadata().is_ok_and(|meta| meta.len() == 0);
        let passing = name.starts_with(&format!(".{}.", Marker::FILE));
        let idle = [".gitkeep", ".gitignore", ".DS_Store", "lost+found"];
        if !(empty_lock || passing || idle.contains(&name.as_str())) {
            names.push(name);
        }
    }
    names.sort_unstable();
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let shown = names.join(", ");
    Ok(match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    })
}

/// What a run leaves in its folder, besides models.
const FILES: [&str; 20] = [
    "self-distillation.toml",
    "recipe.toml",
    "pretrain.toml",
    "distill.toml",
    "sweep.json",
    ".base_dir",
    "run.json",
    "overlap.json",
    "outcome.json",
    "metrics.jsonl",
    "table.json",
    "table.md",
    "report/before.json",
    "report/after.json",
    "texts/train.txt",
    "texts/held-out.txt",
    "texts/held-out.tsv",
    "data/train.tsv",
    "data/dev.tsv",
    "data/test.tsv",
];

/// The folders that these are in.
const FOLDERS: [&str; 7] = [
    "pairs",
    "checkpoints",
    "tensorboard",
    "report",
    "texts",
    "data",
    "runs",
];

/// Removes what the run in `root` wrote, but for its marker; returns what stays.
fn remove_run(root: &Path, kind: RunKind) -> Result<Vec<PathBuf>> {
    for model in [root.join("model"), root.join("start")] {
        remove_owned(&model)?;
    }
    if kind == RunKind::SelfDistill {
        for name in ["bi-encoder", "cross-encoder"] {
            for end in ["", "-1", "-2"] {
                remove_owned(&root.join(format!("{name}{end}")))?;
            }
        }
        remove_named(&root.join("pairs"), ("", ".jsonl"))?;
    }
    for begin in ["stage-", ".stage-"] {
        remove_named(&root.join("checkpoints"), (begin, ""))?;
    }
    remove_named(&root.join("tensorboard"), tensorboard::NAMES)?;
    let within = match kind {
        RunKind::Distill => Some(root.to_path_buf()),
        RunKind::Sweep | RunKind::SelfDistill => Some(root.join("runs")),
        _ => None,
    };
    for part in within.iter().flat_map(|folder| parts_of(folder)) {
        remove_run(&part, RunKind::Train)?;
        remove_files(&part, &[Marker::FILE, ".lock"])?;
        let _ = fs::remove_dir(&part);
    }
    // The description last: until then it is known what the rest is.
    let description = kind.description();
    remove_files(
        root,
        &FILES.map(|name| if name == description { "" } else { name }),
    )?;
    remove_files(root, &[description])?;
    for folder in FOLDERS {
        remove_empty(&root.join(folder));
    }
    let left = list(root)?.into_iter();
    let own = [Path::new(".lock"), Path::new(Marker::FILE)];
    let left = left.filter(|file| !own.contains(&file.as_path()));
    Ok(left.map(|name| root.join(name)).collect())
}

fn remove_files(root: &Path, names: &[&str]) -> Result<()> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    for name in names.iter().filter(|name| !name.is_empty()) {
        let path = root.join(name);
        match fs::remove_file(&path) {
            Err(e) if ![NotFound, NotADirectory].contains(&e.kind()) => {
                return Err(Error::io(&path)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The distillation or sweep that a run without marker is part of.
fn above(root: &Path) -> Option<Marker> {
    let root = real(root).ok()?;
    let mut folders = root.ancestors().skip(1).take(2);
    folders.find_map(|folder| Marker::read(folder).ok().flatten())
}

/// The runs that lie directly in a folder.
fn parts_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let is_run = |path: &PathBuf| match Marker::read(path) {
        Ok(Some(marker)) => marker.within.is_some(),
        _ => RunKind::of_earlier_version(path) == Some(RunKind::Train),
    };
    paths.filter(is_run).collect()
}

/// Removes the files whose names begin and end so.
fn remove_named(folder: &Path, (begin, end): (&str, &str)) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(begin) && name.ends_with(end) {
            let path = entry.path();
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}
