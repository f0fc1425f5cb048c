//! Folders of results that may be made again.

use crate::{IndexError, Result};
use gradus::output::Unfinished;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A folder for the results of a command, whose files replace earlier ones of the same
/// command when they are whole.
pub(super) struct ResultFolder {
    path: PathBuf,
}

/// Says which command a folder is of.
const MARKER: &str = "gradus-results.txt";

impl ResultFolder {
    /// Takes a folder that is new, empty, or of the same command.
    pub fn claim(path: &Path, command: &str) -> Result<Self> {
        if path.exists() && !path.is_dir() {
            let what = format!("{}: not a folder; choose another name", path.display());
            return Err(IndexError::Settings(what));
        }
        fs::create_dir_all(path).map_err(IndexError::io(path))?;
        let marker = path.join(MARKER);
        let own = format!("Results of `gradus {command}`.\n");
        match fs::read_to_string(&marker) {
            Ok(text) if text == own => {}
            Ok(_) => return Err(IndexError::Foreign(path.to_path_buf())),
            Err(_) => {
                let mut entries = fs::read_dir(path).map_err(IndexError::io(path))?;
                if entries.next().is_some() {
                    return Err(IndexError::Foreign(path.to_path_buf()));
                }
                fs::write(&marker, own).map_err(IndexError::io(&marker))?;
            }
        }
        Ok(Self {
            path: path.to_path_buf(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file whole: `write` fills it under a passing name.
    pub fn file(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
    ) -> Result<PathBuf> {
        let path = self.path.join(name);
        let passing = Unfinished::beside(&path);
        let file = File::create(passing.path()).map_err(IndexError::io(&path))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        write(&mut file)?;
        let file = file.into_inner().map_err(|e| e.into_error());
        let synced = file.and_then(|file| file.sync_all());
        let named = synced.and_then(|()| passing.commit(&path));
        named.map_err(IndexError::io(&path))?;
        Ok(path)
    }

    /// Removes a file of an earlier run that this one does not have.
    pub fn without(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(IndexError::io(&path)(e)),
            _ => Ok(()),
        }
    }
}

/// Writes an object as a line.
pub(super) fn line(
    file: &mut impl Write,
    path: &Path,
    value: &impl serde::Serialize,
) -> Result<()> {
    let text = serde_json::to_string(value);
    let text = text.map_err(|e| IndexError::damaged(path, e.to_string()))?;
    writeln!(file, "{text}").map_err(IndexError::io(path))
}
