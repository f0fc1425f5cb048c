//! Files seen as memory.

#![allow(unsafe_code)]

// Values lie in files as they lie in memory.
#[cfg(target_endian = "big")]
compile_error!("indexes are read and written on little-endian processors alone");

use crate::{IndexError, Result};
use gradus_words::Words;
use memmap2::Mmap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A file seen as memory.
pub(super) struct Map {
    path: PathBuf,
    /// None of an empty file, which cannot be mapped.
    map: Option<Mmap>,
}

impl Map {
    /// Opens a file that must have so many bytes.
    pub fn open(path: &Path, bytes: u64) -> Result<Self> {
        let file = File::open(path).map_err(IndexError::io(path))?;
        let found = file.metadata().map_err(IndexError::io(path))?.len();
        if found != bytes {
            let what = format!("it has {found} bytes, and {bytes} were written");
            return Err(IndexError::damaged(path, what));
        }
        let map = match bytes {
            0 => None,
            // SAFETY: files of an index are never changed or cut once a manifest names
            // them, by this program; where another does so, reads may see other values
            // or end the process, as with any file that is mapped.
            _ => Some(unsafe { Mmap::map(&file) }.map_err(IndexError::io(path))?),
        };
        let path = path.to_path_buf();
        Ok(Self { path, map })
    }

    pub fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// Its values.
    pub fn values<T: bytemuck::AnyBitPattern>(&self) -> Result<&[T]> {
        // An empty file has no address.
        if self.map.is_none() {
            return Ok(&[]);
        }
        // A map begins at a page.
        bytemuck::try_cast_slice(self.bytes())
            .map_err(|e| IndexError::damaged(&self.path, e.to_string()))
    }

    /// Opens it as words of texts.
    pub fn into_words(self) -> std::result::Result<Words, String> {
        let map = self.map.ok_or("it is empty")?;
        Words::open(map).map_err(|e| e.to_string())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
