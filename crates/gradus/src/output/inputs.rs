//! What a command reads, which it must not write to.

use super::owned::is_of_model;
use super::place::{is_same, is_within, real};
use super::{OutputError, Relation};
use crate::data::{DataRoot, Source};
use crate::format::model_key;
use crate::util::content_hash::sha256_of_file;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Files and folders that a command reads, each with what it is to it.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    list: Vec<Input>,
}

#[derive(Debug, Clone)]
struct Input {
    what: String,
    path: PathBuf,
    place: PathBuf,
}

impl Inputs {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a file or folder, such as "the recipe". What does not exist, as a
    /// model's name on the hub, is no input.
    #[must_use]
    pub fn with(mut self, what: impl Into<String>, path: impl AsRef<Path>) -> Self {
        self.add(what, path);
        self
    }

    /// Adds a file or folder.
    pub fn add(&mut self, what: impl Into<String>, path: impl AsRef<Path>) {
        let path = path.as_ref();
        if let Ok(place) = path.canonicalize() {
            self.list.push(Input {
                what: what.into(),
                path: path.to_path_buf(),
                place,
            });
        }
    }

    /// Adds all of another list.
    pub fn extend(&mut self, others: Self) {
        self.list.extend(others.list);
    }

    /// Adds the files of a source, and those whose pairs it leaves out.
    pub fn add_source(&mut self, what: &str, source: &Source, base_dir: &Path, root: &DataRoot) {
        if let Some(path) = &source.path {
            self.add(what, base_dir.join(path));
        } else if let Ok(files) = source.files(base_dir, root) {
            for file in files {
                self.add(what, &file.path);
            }
        }
        for name in &source.exclude {
            self.add("a file whose pairs are left out", base_dir.join(name));
        }
    }

    /// The hash of each one's content, by what it is and its path.
    pub(super) fn hashes(&self) -> Result<Vec<(String, String)>> {
        let of = |input: &Input| {
            let hash = match input.place.is_dir() {
                true => model_key(&input.place)?,
                false => sha256_of_file(&input.place).map_err(Error::io(&input.place))?,
            };
            Ok((format!("{} {}", input.what, input.path.display()), hash))
        };
        self.list.iter().map(of).collect()
    }

    /// Makes sure that the folder `output`, which `option` names, is none of
    /// them, holds none and lies in none.
    ///
    /// # Errors
    /// [`OutputError::Input`].
    pub fn check_folder(&self, output: &Path, option: &'static str) -> Result<()> {
        self.check(output, option, false)
    }

    /// Makes sure that the file `output` is none of them and no part of one; and
    /// that a file that exists may be replaced. An empty file, a device and a
    /// pipe may.
    ///
    /// # Errors
    /// [`OutputError::Input`], [`OutputError::Exists`].
    pub fn check_file(&self, output: &Path, option: &'static str, overwrite: bool) -> Result<()> {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        let apart = output.symlink_metadata().is_err() && !is_of_model(&name);
        self.check(output, option, apart)?;
        match std::fs::metadata(output) {
            Ok(meta) if meta.is_file() && meta.len() > 0 && !overwrite => {
                let path = output.to_path_buf();
                Err(OutputError::Exists { path }.into())
            }
            _ => Ok(()),
        }
    }

    /// With `apart` the output may lie in an input, and is no part of it.
    fn check(&self, output: &Path, option: &'static str, apart: bool) -> Result<()> {
        let place = real(output).map_err(Error::io(output))?;
        for input in &self.list {
            let relation = if is_same(&place, &input.place) {
                Relation::Is
            } else if !apart && is_within(&place, &input.place) {
                Relation::LiesIn
            } else if is_within(&input.place, &place) {
                Relation::Holds
            } else {
                continue;
            };
            return Err(OutputError::Input {
                output: output.to_path_buf(),
                option,
                what: input.what.clone(),
                input: input.path.clone(),
                relation,
            }
            .into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_input_is_never_an_output() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("work/base/1_Pooling")).unwrap();
        fs::write(at("work/pairs.tsv"), "a\tb\n").unwrap();
        fs::write(at("other.tsv"), "a\tb\n").unwrap();
        let inputs = Inputs::new()
            .with("the model", at("work/base"))
            .with("a training file", at("work/pairs.tsv"))
            .with("a name", "no-such/model");
        let folder = |name: &str| inputs.check_folder(&at(name), "--output");
        for (name, words) in [
            ("work/base", "is the model"),
            ("work/base/", "is the model"),
            ("work/new/../base", "is the model"),
            ("work", "holds the model"),
            (".", "holds the model"),
            ("work/base/runs/a", "lies in the model"),
            ("work/pairs.tsv", "is a training file"),
        ] {
            let error = folder(name).unwrap_err().to_string();
            assert!(error.contains(words), "{name}: {error}");
            assert!(error.contains("add `--output "), "{name}: {error}");
        }
        folder("work/base-2").unwrap();
        folder("work/runs/a").unwrap();
        let file = |name: &str, overwrite| inputs.check_file(&at(name), "--output", overwrite);
        assert!(file("work/pairs.tsv", true).is_err());
        assert!(file("work/base/config.json", true).is_err());
        let error = file("other.tsv", false).unwrap_err().to_string();
        assert!(error.contains("`--overwrite`"), "{error}");
        file("other.tsv", true).unwrap();
        file("new.tsv", false).unwrap();
        // New, and no file that a model has.
        file("work/base/vectors.npy", false).unwrap();
        fs::write(at("empty"), "").unwrap();
        file("empty", false).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("work/base"), at("link")).unwrap();
            assert!(folder("link").is_err() && folder("link/deeper").is_err());
            fs::hard_link(at("work/pairs.tsv"), at("hard.tsv")).unwrap();
            assert!(file("hard.tsv", true).is_err());
            file("/dev/null", false).unwrap();
        }
    }
}
