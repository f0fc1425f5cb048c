//! One process at a time per file, in step with `huggingface_hub`.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use super::Progress;
use crate::{Error, Result};

/// Holds a lock file; dropping it releases the lock. The file itself stays, as
/// removing it would let two others each lock a different one.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until no other process works on what `path` stands for.
    pub(super) fn acquire(path: &Path, what: &str, progress: &mut dyn Progress) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::io(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.note(&format!("waiting for another process that fetches {what}"));
                file.lock().map_err(Error::io(path))?;
            }
            // Some network file systems cannot lock. The checksum still keeps a
            // file that two processes wrote into from being taken for whole.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(Lock { _file: file })
    }
}
