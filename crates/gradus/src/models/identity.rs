//! Whether two folders hold the same model.

use crate::util::content_hash::ContentHash;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a model's vectors and scores come from: weights, descriptions, vocabularies.
const KINDS: [&str; 4] = ["safetensors", "json", "txt", "model"];

/// In a folder of a model, and without effect on its vectors and scores.
const APART: [&str; 2] = ["calibration.json", "requirements.txt"];

/// Modules lie one below the model, their weights in them.
const DEPTH: usize = 3;

/// A hash of all that a model's vectors and scores come from: the files of the folder,
/// by name, that hold weights, descriptions or vocabularies. The same for copies of a
/// model in other places; another where a value differs, or the way it is written.
///
/// # Errors
/// [`Error::Io`] where a file cannot be read.
pub fn content_hash(folder: &Path) -> Result<String> {
    let mut files = BTreeSet::new();
    gather(folder, Path::new(""), DEPTH, &mut files)?;
    let mut hash = ContentHash::default();
    for name in &files {
        let path = folder.join(name);
        hash.part(name.to_string_lossy().as_bytes());
        hash.file(&path)
            .map_err(|source| Error::Io { path, source })?;
    }
    Ok(hash.finish())
}

fn gather(root: &Path, below: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    let folder = root.join(below);
    let fail = |source| Error::Io {
        path: folder.clone(),
        source,
    };
    for entry in fs::read_dir(&folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') || APART.contains(&&*text) {
            continue;
        }
        // Through links, as caches of models are made of them.
        let is_folder = entry.path().is_dir();
        let extension = Path::new(&name).extension();
        let kind = extension.is_some_and(|e| KINDS.iter().any(|kind| e == *kind));
        match is_folder {
            true if depth > 1 => gather(root, &below.join(&name), depth - 1, files)?,
            false if kind => drop(files.insert(below.join(&name))),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_have_one_hash_and_changes_another() {
        let made = |config: &str| {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("1_Pooling")).unwrap();
            for (name, text) in [
                ("config.json", config),
                ("1_Pooling/config.json", "{}"),
                ("model.safetensors", "weights"),
            ] {
                fs::write(folder.path().join(name), text).unwrap();
            }
            folder
        };
        let (a, b) = (made("{}"), made("{}"));
        let first = content_hash(a.path()).unwrap();
        assert_eq!(first, content_hash(b.path()).unwrap());
        fs::write(b.path().join("README.md"), "a card").unwrap();
        fs::write(b.path().join("calibration.json"), "{}").unwrap();
        assert_eq!(first, content_hash(b.path()).unwrap());
        fs::write(b.path().join("1_Pooling/config.json"), "{} ").unwrap();
        assert_ne!(first, content_hash(b.path()).unwrap());
        assert!(content_hash(Path::new("nowhere")).is_err());
    }
}
