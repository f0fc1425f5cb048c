//! A model's folder, and which of its files a run wrote.

use super::OutputError;
use crate::calibration::Calibration;
use crate::util::atomic::{Unfinished, write_bytes};
use crate::util::content_hash::sha256_of_file;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The list's name; hidden, and no part of the model.
const LIST: &str = ".gradus-files";

/// What a model's folder has directly, where there is no list.
const NAMES: [&str; 15] = [
    "README.md",
    "config.json",
    "config_sentence_transformers.json",
    "gradus_head.json",
    "gradus_training.json",
    "model.safetensors",
    "modules.json",
    "regression_head.safetensors",
    "sentence_bert_config.json",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
];

/// More of them.
const MORE_NAMES: [&str; 3] = ["vocab.json", "merges.txt", CALIBRATION];

/// Made anew for every model: it must not outlive the weights.
const CALIBRATION: &str = "calibration.json";

/// What a run wrote into a model's folder.
#[derive(Debug, Serialize, Deserialize)]
struct Owned {
    run: String,
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    bytes: u64,
    /// In nanoseconds; where it is the same, the content is not read.
    modified: u64,
    sha256: String,
}

impl Entry {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self {
            bytes: meta.len(),
            modified: modified(&meta),
            sha256: sha256_of_file(path)?,
        })
    }

    fn is_still(&self, path: &Path) -> bool {
        let Ok(meta) = fs::symlink_metadata(path) else {
            return false;
        };
        meta.is_file()
            && meta.len() == self.bytes
            && (modified(&meta) == self.modified
                || sha256_of_file(path).is_ok_and(|found| found == self.sha256))
    }
}

fn modified(meta: &Metadata) -> u64 {
    let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
    let since = meta.modified().ok().and_then(since);
    since.map_or(0, |since| since.as_nanos() as u64)
}

impl Owned {
    fn read(folder: &Path) -> Option<Self> {
        let text = fs::read(folder.join(LIST)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the list of all files in `folder`, as those of `run`.
    fn write(folder: &Path, run: &str) -> Result<()> {
        let mut files = BTreeMap::new();
        for file in list(folder)? {
            let name = name_of(&file);
            if name != LIST && name != CALIBRATION {
                let path = folder.join(&file);
                let entry = Entry::of(&path).map_err(Error::io(&path))?;
                files.insert(name, entry);
            }
        }
        let run = run.to_owned();
        let json = serde_json::to_vec(&Self { run, files })
            .map_err(|e| Error::Internal(format!("list of files: {e}")))?;
        write_bytes(&folder.join(LIST), &json)
    }
}

/// Whose a file in a model's folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// As it was written.
    Own,
    /// Under the name of one that was written, with another content.
    Changed,
    /// Somebody else's.
    Foreign,
}

/// Of each file below a model's folder, whose it is.
fn sorted(folder: &Path) -> Result<Vec<(PathBuf, Whose)>> {
    let owned = Owned::read(folder);
    let of = |name: &str| match &owned {
        _ if name == LIST => Whose::Own,
        _ if name == CALIBRATION => match Calibration::is_own(&folder.join(name)) {
            true => Whose::Own,
            false => Whose::Foreign,
        },
        Some(owned) => match owned.files.get(name) {
            Some(entry) if entry.is_still(&folder.join(name)) => Whose::Own,
            Some(_) => Whose::Changed,
            None => Whose::Foreign,
        },
        None if is_of_model(name) => Whose::Own,
        None => Whose::Foreign,
    };
    let files = list(folder)?.into_iter();
    let sorted = files.map(|file| {
        let whose = of(&name_of(&file));
        (file, whose)
    });
    Ok(sorted.collect())
}

/// A file's path in lists.
fn name_of(file: &Path) -> String {
    file.to_string_lossy().replace('\\', "/")
}

/// Whether a model is saved with a file of this name.
pub(super) fn is_of_model(name: &str) -> bool {
    match name.split_once('/') {
        None => NAMES.contains(&name) || MORE_NAMES.contains(&name),
        Some((module, file)) => {
            let numbered = module.split_once('_').is_some_and(|(number, kind)| {
                let kinds = ["Pooling", "Dense", "Normalize", "Template"];
                number.bytes().all(|b| b.is_ascii_digit()) && kinds.contains(&kind)
            });
            numbered && ["config.json", "model.safetensors"].contains(&file)
        }
    }
}

/// The files below a folder, links as what they are, by their paths from there.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    fn walk(root: &Path, below: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
        let folder = root.join(below);
        for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let entry = entry.map_err(Error::io(&folder))?;
            let name = below.join(entry.file_name());
            let kind = entry.file_type().map_err(Error::io(entry.path()))?;
            match kind.is_dir() {
                true => walk(root, &name, found)?,
                false => found.push(name),
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(folder, Path::new(""), &mut found)?;
    found.sort_unstable();
    Ok(found)
}

/// The run that wrote the model in `folder`; `None` where no list says so.
pub(super) fn owner_of(folder: &Path) -> Option<String> {
    Owned::read(folder).map(|owned| owned.run)
}

/// Whether there is a model in `folder`, or part of one.
pub(super) fn holds_model(folder: &Path) -> bool {
    let files = list(folder).unwrap_or_default();
    files.iter().any(|file| is_of_model(&name_of(file)))
}

/// Notes that what is in `folder` was written by `run`, of an earlier version,
/// which did not note it.
pub(super) fn adopt(folder: &Path, run: &str) -> Result<()> {
    match folder.is_dir() && Owned::read(folder).is_none() {
        true => Owned::write(folder, run),
        false => Ok(()),
    }
}

/// How a folder was replaced.
#[derive(Debug, Default)]
pub(crate) struct Replacement {
    /// Where files now are that were changed since they were written.
    pub set_aside: Vec<PathBuf>,
}

/// Writes a folder beside `target` and puts it in its place: a reader sees the
/// old one or the new one. Files that are somebody else's go along; those that
/// were changed since they were written stay under another name. The folder is
/// noted as that of the run `owner`, if one is named.
pub(crate) fn replace_folder(
    target: &Path,
    owner: Option<&str>,
    write: impl FnOnce(&Path) -> Result<()>,
) -> Result<Replacement> {
    let (fresh, old) = passing_names(target);
    recover(target)?;
    remove(&fresh)?;
    let unfinished = Unfinished::at(fresh.clone());
    fs::create_dir_all(&fresh).map_err(Error::io(&fresh))?;
    write(&fresh)?;
    if let Some(run) = owner {
        Owned::write(&fresh, run)?;
    }
    match fs::metadata(target) {
        Ok(meta) if meta.is_dir() => fs::rename(target, &old).map_err(Error::io(target))?,
        Ok(_) => {
            let path = target.to_path_buf();
            return Err(OutputError::NotOwn { path }.into());
        }
        Err(_) => {}
    }
    unfinished.commit(target).map_err(Error::io(target))?;
    let set_aside = bring_over(&old, target)?;
    Ok(Replacement { set_aside })
}

/// Ends what a process that was killed in [`replace_folder`] had begun: between
/// its two renames the old folder comes back, behind them the files of others
/// are brought over.
pub(super) fn recover(target: &Path) -> Result<()> {
    let (_, old) = passing_names(target);
    match (target.exists(), old.is_dir()) {
        (false, true) => fs::rename(&old, target).map_err(Error::io(target)),
        (true, true) => bring_over(&old, target).map(|_| ()),
        _ => Ok(()),
    }
}

fn passing_names(target: &Path) -> (PathBuf, PathBuf) {
    let name = target.file_name().unwrap_or("model".as_ref());
    let name = name.to_string_lossy();
    (
        target.with_file_name(format!(".{name}.new")),
        target.with_file_name(format!(".{name}.old")),
    )
}

/// Moves what is not ours from `old` into `new` and removes the rest; returns the
/// new places of files that were changed.
fn bring_over(old: &Path, new: &Path) -> Result<Vec<PathBuf>> {
    let mut set_aside = Vec::new();
    // A link goes, and what it led to stays.
    let is_folder = fs::symlink_metadata(old).is_ok_and(|meta| meta.is_dir());
    for (file, whose) in if is_folder { sorted(old)? } else { vec![] } {
        let mut place = new.join(&file);
        if whose == Whose::Own {
            continue;
        }
        if whose == Whose::Changed || place.symlink_metadata().is_ok() {
            place = aside(&place);
            set_aside.push(place.clone());
        }
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        fs::rename(old.join(file), &place).map_err(Error::io(&place))?;
    }
    remove(old)?;
    Ok(set_aside)
}

/// A free name for a changed file.
fn aside(place: &Path) -> PathBuf {
    let numbered = |i: u32| {
        let mut name = place.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".changed-{i}"));
        place.with_file_name(name)
    };
    let free = (1..1000)
        .map(numbered)
        .find(|place| place.symlink_metadata().is_err());
    free.unwrap_or_else(|| numbered(1000))
}

/// Removes what was written into a model's folder, and the folder where nothing
/// is left; returns what stays, the files of others.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_owned(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(vec![]);
    }
    let mut left = Vec::new();
    for (name, whose) in sorted(folder)? {
        let path = folder.join(&name);
        match whose {
            Whose::Own => fs::remove_file(&path).map_err(Error::io(&path))?,
            _ => left.push(path),
        }
    }
    remove_empty(folder);
    Ok(left)
}

/// Removes the folders below one, and itself, that hold nothing.
pub(super) fn remove_empty(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
        }
    }
    // Fails where something is left.
    let _ = fs::remove_dir(folder);
}

/// Removes a folder if it is there.
fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(folder)(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, files: &[(&str, &str)]) -> Result<()> {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Ok(())
    }

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    const FIRST: &[(&str, &str)] = &[
        ("config.json", "{}"),
        ("README.md", "card"),
        ("gradus_head.json", "head"),
        ("1_Pooling/config.json", "mean"),
    ];
    const SECOND: &[(&str, &str)] = &[("config.json", "{2}"), ("README.md", "card 2")];

    #[test]
    fn what_others_put_there_stays() {
        let place = tempfile::tempdir().unwrap();
        let model = place.path().join("model");
        replace_folder(&model, Some("one"), |at| write(at, FIRST)).unwrap();
        assert_eq!(owner_of(&model).as_deref(), Some("one"));
        write(&model, &[("NOTES.md", "mine"), ("own/deep.txt", "mine")]).unwrap();
        write(&model, &[("README.md", "card, and my words")]).unwrap();
        let done = replace_folder(&model, Some("one"), |at| write(at, SECOND)).unwrap();
        assert_eq!(done.set_aside, [model.join("README.md.changed-1")]);
        assert_eq!(read(&model, "NOTES.md"), "mine");
        assert_eq!(read(&model, "own/deep.txt"), "mine");
        assert_eq!(read(&model, "README.md"), "card 2");
        assert_eq!(read(&model, "README.md.changed-1"), "card, and my words");
        // What the first one had and the second has not is gone.
        assert!(!model.join("gradus_head.json").exists());
        assert!(!model.join("1_Pooling").exists());
        let again = replace_folder(&model, Some("one"), |at| write(at, FIRST)).unwrap();
        assert!(again.set_aside.is_empty());
        assert_eq!(read(&model, "README.md.changed-1"), "card, and my words");
        let left = remove_owned(&model).unwrap();
        assert_eq!(left.len(), 3);
        assert!(!model.join("config.json").exists());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn without_a_list_names_decide() {
        let place = tempfile::tempdir().unwrap();
        let model = place.path().join("model");
        write(&model, FIRST).unwrap();
        write(&model, &[("NOTES.md", "mine"), ("1_Other/a.json", "mine")]).unwrap();
        replace_folder(&model, None, |at| write(at, SECOND)).unwrap();
        assert!(owner_of(&model).is_none() && holds_model(&model));
        assert_eq!(read(&model, "NOTES.md"), "mine");
        assert_eq!(read(&model, "1_Other/a.json"), "mine");
        assert_eq!(read(&model, "config.json"), "{2}");
        assert!(!model.join("1_Pooling").exists());
    }

    #[test]
    fn a_copied_folder_is_still_known() {
        let place = tempfile::tempdir().unwrap();
        let (model, copy) = (place.path().join("model"), place.path().join("copy"));
        replace_folder(&model, Some("one"), |at| write(at, FIRST)).unwrap();
        for name in list(&model).unwrap() {
            let to = copy.join(&name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(model.join(&name), to).unwrap();
        }
        assert!(remove_owned(&copy).unwrap().is_empty());
        assert!(!copy.exists());
    }
}
