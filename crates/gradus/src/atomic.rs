//! Writing so that a reader sees the whole file or folder, or none.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// A name next to `path` that no other thread or process uses.
pub(crate) fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    path.with_file_name(format!(".{name}.{process}-{count}.tmp"))
}

/// Removes a temporary file or folder when dropped; after a rename there is
/// nothing left to remove.
pub(crate) struct Temporary(pub(super) PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure, and it does no harm.
        let _ = fs::remove_file(&self.0).or_else(|_| fs::remove_dir_all(&self.0));
    }
}

/// Writes `path` by way of a temporary file beside it.
pub(crate) fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    let temporary = Temporary(beside(path));
    let file = File::create_new(&temporary.0).map_err(Error::io(&temporary.0))?;
    let mut writer = BufWriter::new(file);
    fill(&mut writer)?;
    let done = writer.into_inner().map_err(io::Error::from);
    done.and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&temporary.0, path))
        .map_err(Error::io(path))
}

/// Writes `bytes` to `path` by way of a temporary file beside it.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_file(path, |out| out.write_all(bytes).map_err(Error::io(path)))
}
