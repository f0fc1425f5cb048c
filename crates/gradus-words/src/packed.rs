//! The files of an index of tantivy as one: a line of JSON that says where each begins, and
//! the files behind it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, WatchCallback, WatchHandle, WritePtr,
};

/// Where files are, counted from the end of the line.
#[derive(Serialize, Deserialize)]
struct Table {
    files: BTreeMap<PathBuf, Range<usize>>,
}

/// Writes files one behind the other.
pub(crate) fn pack(files: &[(PathBuf, Vec<u8>)]) -> serde_json::Result<Vec<u8>> {
    let mut from = 0;
    let place = |(path, bytes): &(PathBuf, Vec<u8>)| {
        let range = from..from + bytes.len();
        from = range.end;
        (path.clone(), range)
    };
    let table = Table {
        files: files.iter().map(place).collect(),
    };
    let mut all = serde_json::to_vec(&table)?;
    all.push(b'\n');
    files.iter().for_each(|(_, bytes)| all.extend(bytes));
    Ok(all)
}

/// What was packed, to be read. There is nothing to lock: it is never changed.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    files: Arc<BTreeMap<PathBuf, OwnedBytes>>,
}

impl Packed {
    /// `None` where these are not files that were packed.
    pub fn new(bytes: OwnedBytes) -> Option<Self> {
        let line = bytes.iter().position(|byte| *byte == b'\n')?;
        let table: Table = serde_json::from_slice(&bytes[..line]).ok()?;
        let rest = bytes.slice(line + 1..bytes.len());
        let mut files = BTreeMap::new();
        for (path, range) in table.files {
            if range.start > range.end || range.end > rest.len() {
                return None;
            }
            files.insert(path, rest.slice(range));
        }
        Some(Self {
            files: Arc::new(files),
        })
    }

    fn file(&self, path: &Path) -> Result<OwnedBytes, OpenReadError> {
        let file = self.files.get(path).cloned();
        file.ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_path_buf()))
    }
}

fn read_only() -> io::Error {
    io::Error::new(
        io::ErrorKind::ReadOnlyFilesystem,
        "packed files are not changed",
    )
}

impl Directory for Packed {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(self.file(path)?))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError {
            io_error: Arc::new(read_only()),
            filepath: path.to_path_buf(),
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.files.contains_key(path))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(
            read_only(),
            path.to_path_buf(),
        ))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        Ok(self.file(path)?.to_vec())
    }

    fn atomic_write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
