//! Writing so that a reader sees the whole file or folder, or none.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::{Error, Result};

/// What is being written at the moment, under names that do not count yet.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(|e| e.into_inner())
}

/// A file or folder under a passing name, which gets its own name when it is
/// whole ([`Unfinished::commit`]) and is removed otherwise: when this is dropped,
/// and when a program that is told to stop calls [`remove_unfinished`].
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    /// Watches over what will be written at `path`.
    pub fn at(path: PathBuf) -> Self {
        unfinished().insert(path.clone());
        Self(path)
    }

    /// Watches over a hidden name next to `path` that no other thread or process
    /// uses.
    pub fn beside(path: &Path) -> Self {
        Self::at(beside(path))
    }

    /// The passing name.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it the name `target`.
    ///
    /// # Errors
    /// What the system says; it is removed then.
    pub fn commit(self, target: &Path) -> io::Result<()> {
        // Under the lock: what is removed at a stop is not renamed meanwhile.
        let mut all = unfinished();
        fs::rename(&self.0, target)?;
        all.remove(&self.0);
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if unfinished().remove(&self.0) {
            remove(&self.0);
        }
    }
}

/// Removes all that is unfinished, for a process that ends before its work does.
/// Nothing else gets its name from now on: whoever tries waits for the end.
pub fn remove_unfinished() {
    let all = unfinished();
    for path in all.iter() {
        remove(path);
    }
    std::mem::forget(all);
}

fn remove(path: &Path) {
    // Another thread may still be adding files to a folder. Nobody is left to
    // hear of a failure, and it does no harm.
    for _ in 0..3 {
        let gone = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
        if gone.is_ok() || !path.exists() {
            break;
        }
    }
}

/// A hidden name next to `path` that no other thread or process uses.
pub(crate) fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    path.with_file_name(format!(".{name}.{process}-{count}.tmp"))
}

/// Writes `path` by way of a temporary file beside it.
pub(crate) fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    let temporary = Unfinished::beside(path);
    let file = File::create_new(temporary.path()).map_err(Error::io(temporary.path()))?;
    let mut writer = BufWriter::new(file);
    fill(&mut writer)?;
    let done = writer.into_inner().map_err(io::Error::from);
    done.and_then(|file| file.sync_all())
        .and_then(|()| temporary.commit(path))
        .map_err(Error::io(path))
}

/// Writes `bytes` to `path` by way of a temporary file beside it.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_file(path, |out| out.write_all(bytes).map_err(Error::io(path)))
}

/// Copies a file's content; the copy's permissions are those of a new file,
/// whatever those of the original.
pub(crate) fn copy_content(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(Error::io(from))?;
    let mut copy = File::create(to).map_err(Error::io(to))?;
    io::copy(&mut source, &mut copy).map_err(Error::io(to))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_whole_gets_its_name() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.txt");
        let failed = write_file(&path, |out| {
            out.write_all(b"half").map_err(Error::io("a"))?;
            Err(Error::Internal("no more".into()))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
        write_bytes(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
