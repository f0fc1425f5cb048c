//! Writing f32 tensors to safetensors files, one tensor in memory at a time.

use crate::{Error, Result};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensorError};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// A tensor on its way to a file.
pub(crate) struct NamedTensor<'a> {
    pub name: &'a str,
    pub shape: Vec<usize>,
    pub values: &'a [f32],
}

/// Writes `tensors` and text notes to a new file at `path` and has them on the
/// disk before it returns. The file is readable as any new file is; the crate's
/// own writer goes by way of a private one.
pub(crate) fn write(
    path: &Path,
    tensors: &[NamedTensor<'_>],
    notes: &[(&str, String)],
) -> Result<()> {
    let mut sorted: Vec<&NamedTensor<'_>> = tensors.iter().collect();
    sorted.sort_by_key(|tensor| tensor.name);
    let header = header(&sorted, notes);
    let header = header.map_err(|e| Error::Internal(format!("{}: {e}", path.display())))?;
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for tensor in sorted {
            for values in tensor.values.chunks(1 << 16) {
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                out.write_all(&bytes)?;
            }
        }
        out.into_inner()?.sync_all()
    };
    write().map_err(Error::io(path))
}

/// The description of tensors that follow each other in this order.
fn header(
    tensors: &[&NamedTensor<'_>],
    notes: &[(&str, String)],
) -> Result<Vec<u8>, SafeTensorError> {
    let notes: HashMap<String, String> = notes
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.clone()))
        .collect();
    let mut begin = 0;
    let described = tensors.iter().map(|tensor| {
        let end = begin + 4 * tensor.values.len();
        let info = TensorInfo {
            dtype: Dtype::F32,
            shape: tensor.shape.clone(),
            data_offsets: (begin, end),
        };
        begin = end;
        (tensor.name.to_owned(), info)
    });
    let described = described.collect();
    let metadata = Metadata::new((!notes.is_empty()).then_some(notes), described)?;
    let mut header = serde_json::to_vec(&metadata)?;
    // The values begin at a multiple of 8 bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    #[test]
    fn files_are_those_of_the_crate_and_readable_as_new_files_are() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.safetensors");
        let (a, b) = ([1.5f32, -2.0, 3.25], [7.0f32]);
        let tensor = |name, values| NamedTensor {
            name,
            shape: vec![<[f32]>::len(values)],
            values,
        };
        let tensors = [tensor("b", &b[..]), tensor("a.weight", &a[..])];
        write(&path, &tensors, &[("format", "pt".into())]).unwrap();
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|t| t.values.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let views = tensors.iter().zip(&bytes).map(|(t, bytes)| {
            let view = TensorView::new(Dtype::F32, t.shape.clone(), bytes);
            (t.name, view.unwrap())
        });
        let notes = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let expected = safetensors::serialize(views, Some(notes)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), expected);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
            let plain = place.path().join("plain");
            std::fs::write(&plain, "").unwrap();
            assert_eq!(mode(&path), mode(&plain));
        }
    }
}
