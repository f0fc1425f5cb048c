//! What a pull of a data set wrote: a small file beside it, so that a set that
//! is whole is not fetched again, one that is not is, and nobody else's file is
//! overwritten.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Progress;
use crate::data::HubSet;
use crate::util::atomic::{Unfinished, write_bytes, write_file};
use crate::{Error, Result};

/// Raised when sets are written in another way than before, so that those on
/// disk are written anew.
const FORM: u32 = 1;

/// The record of one set.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pulled {
    form: u32,
    repository: String,
    /// As asked for: `main`, unless somebody named another.
    pub(super) revision: String,
    /// The commit that it was.
    pub(super) commit: String,
    whole: bool,
    files: Vec<PulledFile>,
    /// What was out of the ordinary.
    pub(super) notes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PulledFile {
    name: String,
    rows: usize,
    bytes: u64,
}

fn path(folder: &Path, set: &HubSet) -> PathBuf {
    folder.join(format!("{}.pulled.json", set.known.name()))
}

impl Pulled {
    /// The record in `folder`; a damaged one counts as none.
    pub(super) fn read(folder: &Path, set: &HubSet) -> Option<Self> {
        serde_json::from_slice(&fs::read(path(folder, set)).ok()?).ok()
    }

    /// Begins a pull: from here on the set's files in `folder` are this
    /// program's, unless they were somebody's before.
    pub(super) fn begin(set: &HubSet, revision: &str, commit: &str, before: Option<Self>) -> Self {
        Pulled {
            form: FORM,
            repository: set.repository.into(),
            revision: revision.into(),
            commit: commit.into(),
            whole: false,
            files: before.map_or_else(Vec::new, |before| before.files),
            notes: Vec::new(),
        }
    }

    /// Whether everything is there as it was written.
    pub(super) fn is_whole(&self, folder: &Path) -> bool {
        let there = |file: &PulledFile| {
            fs::metadata(folder.join(&file.name)).is_ok_and(|m| m.len() == file.bytes)
        };
        self.form == FORM && self.whole && self.files.iter().all(there)
    }

    /// Writes a file of the set. Another's file of this name is put aside.
    pub(super) fn write(
        &mut self,
        folder: &Path,
        name: &str,
        progress: &mut dyn Progress,
        fill: impl FnOnce(&mut dyn std::io::Write) -> Result<usize>,
    ) -> Result<usize> {
        let target = folder.join(name);
        let fresh = Unfinished::beside(&target);
        let mut rows = 0;
        write_file(fresh.path(), |out| {
            rows = fill(out)?;
            Ok(())
        })?;
        let bytes = fs::metadata(fresh.path())
            .map_err(Error::io(fresh.path()))?
            .len();
        let ours = self.files.iter().any(|file| {
            let length = fs::metadata(&target).map(|m| m.len()).ok();
            file.name == name && length == Some(file.bytes)
        });
        if !ours && target.exists() && !same(&target, fresh.path())? {
            let aside = aside(&target);
            fs::rename(&target, &aside).map_err(Error::io(&aside))?;
            progress.note(&format!(
                "{} was there already, not as this program writes it: kept as {}",
                target.display(),
                aside.display()
            ));
        }
        fresh.commit(&target).map_err(Error::io(&target))?;
        self.files.retain(|file| file.name != name);
        self.files.push(PulledFile {
            name: name.into(),
            rows,
            bytes,
        });
        Ok(rows)
    }

    /// Records that the set is not whole yet, but which files are whose.
    pub(super) fn keep(&self, folder: &Path, set: &HubSet) -> Result<()> {
        // Strings and numbers only: this cannot fail.
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_bytes(&path(folder, set), &json)
    }

    /// Records that the set is whole.
    pub(super) fn finish(&mut self, folder: &Path, set: &HubSet) -> Result<()> {
        self.whole = true;
        self.keep(folder, set)
    }
}

/// Whether files that nobody recorded are the published set: all splits are
/// there, with as many lines as they have rows.
pub(super) fn is_published(folder: &Path, set: &HubSet) -> bool {
    set.splits.iter().all(|split| {
        let header = usize::from(split.file.ends_with(".csv"));
        let read = fs::read(folder.join(split.file));
        read.is_ok_and(|bytes| {
            let lines = bytes.split(|b| *b == b'\n');
            let rows = lines.filter(|line| !line.trim_ascii().is_empty()).count();
            rows == split.rows + header
        })
    })
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    let open = |path: &Path| fs::File::open(path).map_err(Error::io(path));
    let mut chunks = [vec![0; 1 << 16], vec![0; 1 << 16]];
    let (mut a_file, mut b_file) = (open(a)?, open(b)?);
    loop {
        let [x, y] = &mut chunks;
        let n = fill(&mut a_file, x).map_err(Error::io(a))?;
        let m = fill(&mut b_file, y).map_err(Error::io(b))?;
        if x[..n] != y[..m] {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut fs::File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// A free name for what is put aside.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let named = |i: u32| match i {
        1 => path.with_file_name(format!("{name}.old")),
        i => path.with_file_name(format!("{name}.old{i}")),
    };
    (1..)
        .map(named)
        .find(|path| !path.exists())
        .unwrap_or_else(|| named(1))
}
