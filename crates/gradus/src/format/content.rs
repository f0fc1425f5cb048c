//! What vectors are computed from, as a hash.

use crate::util::content_hash::ContentHash;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Of the files of a model's folder that its vectors depend on, and of `extra`,
/// whatever else matters.
///
/// # Errors
/// [`Error::Io`].
pub fn content_key(model: &Path, extra: &str) -> Result<String> {
    let mut hash = ContentHash::default();
    let mut files = Vec::new();
    collect(model, Path::new(""), &mut files)?;
    files.sort();
    for file in files {
        hash.part(file.to_string_lossy().replace('\\', "/"));
        let path = model.join(&file);
        hash.file(&path).map_err(Error::io(&path))?;
    }
    hash.part(extra);
    Ok(hash.finish())
}

/// Of the files that make the model in a folder: those directly in it, and those
/// of its modules. What else lies below is none of them.
pub(crate) fn model_key(model: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(model, Path::new(""), &mut files)?;
    files.sort();
    let is_module = |name: &str| name.starts_with(|c: char| c.is_ascii_digit());
    let mut hash = ContentHash::default();
    for file in files {
        let name = file.to_string_lossy().replace('\\', "/");
        if name
            .split_once('/')
            .is_none_or(|(folder, _)| is_module(folder))
        {
            hash.part(&name);
            let path = model.join(&file);
            hash.file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(hash.finish())
}

/// Of a text.
pub(crate) fn text_key(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Weights, configuration and vocabularies; other files say nothing about the
/// vectors, and a calibration is made of them.
fn collect(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let folder = root.join(below);
    for entry in std::fs::read_dir(&folder).map_err(Error::io(&folder))? {
        let entry = entry.map_err(Error::io(&folder))?;
        let name = below.join(entry.file_name());
        let path = entry.path();
        let matters = |e: &std::ffi::OsStr| e == "safetensors" || e == "json" || e == "txt";
        if path.is_dir() {
            collect(root, &name, files)?;
        } else if path.extension().is_some_and(matters) && entry.file_name() != "calibration.json" {
            files.push(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_matters_changes_the_key() {
        let model = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(model.path().join(name), text).unwrap();
        write("config.json", "{}");
        write("model.safetensors", "weights");
        std::fs::create_dir(model.path().join("1_Pooling")).unwrap();
        write("1_Pooling/config.json", "mean");
        let key = |extra: &str| content_key(model.path(), extra).unwrap();
        let first = key("bf16");
        assert_eq!(first, key("bf16"));
        assert_ne!(first, key("f32"));
        write("README.md", "a card says nothing about vectors");
        assert_eq!(first, key("bf16"));
        write("1_Pooling/config.json", "cls");
        let second = key("bf16");
        assert_ne!(first, second);
        write("vocab.txt", "[PAD]");
        assert_ne!(second, key("bf16"));
        assert_ne!(text_key("a"), text_key("A"));
    }
}
