//! Writing f32 tensors to safetensors files, one tensor in memory at a time.

use crate::{Error, Result};
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

/// A tensor on its way to a file.
pub(crate) struct Tensor<'a> {
    pub name: &'a str,
    pub shape: Vec<usize>,
    pub values: &'a [f32],
}

impl View for &Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes: Vec<u8> = self.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

/// Writes `tensors` and text notes to `path` and has them on the disk before it
/// returns.
pub(crate) fn write(path: &Path, tensors: &[Tensor<'_>], notes: &[(&str, String)]) -> Result<()> {
    let notes: HashMap<String, String> = notes
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.clone()))
        .collect();
    let notes = (!notes.is_empty()).then_some(notes);
    let views = tensors.iter().map(|t| (t.name, t));
    safetensors::serialize_to_file(views, notes, path).map_err(|e| match e {
        safetensors::SafeTensorError::IoError(e) => Error::io(path)(e),
        e => Error::Internal(format!("{}: {e}", path.display())),
    })?;
    File::open(path)
        .and_then(|f| f.sync_all())
        .map_err(Error::io(path))
}
