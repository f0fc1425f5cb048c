//! Files that are whole on the disk before anything names them.

use crate::{IndexError, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Rows of a panel, part of the format.
pub(super) const PANEL: usize = 32;

const _: () = assert!(PANEL == gradus_kernels::cpu::search::PANEL);

/// Writes a new file and brings it to the disk.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(IndexError::io(path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(IndexError::io(path))
}

/// Replaces a file, so that a reader sees the old one or the new one.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    write_new(&beside, bytes)?;
    fs::rename(&beside, path).map_err(IndexError::io(path))?;
    match path.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// Brings the names in a folder to the disk.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    let opened = File::open(folder).and_then(|folder| folder.sync_all());
    opened.map_err(IndexError::io(folder))
}
