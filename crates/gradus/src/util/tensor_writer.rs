//! Writing tensors of f32, or of bytes, to safetensors files.

use crate::{Error, Result};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensorError};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// A tensor on its way to a file.
pub(crate) struct NamedTensor<'a> {
    pub name: Cow<'a, str>,
    pub shape: Vec<usize>,
    pub values: Values<'a>,
}

/// What a tensor holds.
pub(crate) enum Values<'a> {
    F32(&'a [f32]),
    Owned(Vec<f32>),
    Bytes(Vec<i8>),
}

impl Values<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) | Self::Owned(_) => Dtype::F32,
            Self::Bytes(_) => Dtype::I8,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::F32(values) => size_of_val(*values),
            Self::Owned(values) => size_of_val(&values[..]),
            Self::Bytes(values) => values.len(),
        }
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        const SOME: usize = 1 << 16;
        let values = match self {
            Self::F32(values) => values,
            Self::Owned(values) => &values[..],
            Self::Bytes(values) => {
                for values in values.chunks(SOME) {
                    let bytes: Vec<u8> = values.iter().map(|v| v.cast_unsigned()).collect();
                    out.write_all(&bytes)?;
                }
                return Ok(());
            }
        };
        for values in values.chunks(SOME) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            out.write_all(&bytes)?;
        }
        Ok(())
    }
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
    // Larger numbers first, so that each begins at a multiple of its size.
    sorted.sort_by_key(|tensor| (tensor.values.dtype() == Dtype::I8, &tensor.name));
    let header = header(&sorted, notes);
    let header = header.map_err(|e| Error::Internal(format!("{}: {e}", path.display())))?;
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for tensor in sorted {
            tensor.values.write(&mut out)?;
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
        let end = begin + tensor.values.size();
        let info = TensorInfo {
            dtype: tensor.values.dtype(),
            shape: tensor.shape.clone(),
            data_offsets: (begin, end),
        };
        begin = end;
        (tensor.name.clone().into_owned(), info)
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
        let tensor = |name: &'static str, shape, values| NamedTensor {
            name: name.into(),
            shape,
            values,
        };
        let tensors = [
            tensor("b", vec![1], Values::F32(&b)),
            tensor("a.weight", vec![3], Values::Owned(a.to_vec())),
            tensor("a.bytes", vec![1, 3], Values::Bytes(vec![-1, 127, -128])),
        ];
        write(&path, &tensors, &[("format", "pt".into())]).unwrap();
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|t| {
                let mut bytes = vec![];
                t.values.write(&mut bytes).unwrap();
                bytes
            })
            .collect();
        assert_eq!(bytes[0], 7.0f32.to_le_bytes());
        assert_eq!(bytes[2], [0xFF, 0x7F, 0x80]);
        let views = tensors.iter().zip(&bytes).map(|(t, bytes)| {
            let view = TensorView::new(t.values.dtype(), t.shape.clone(), bytes);
            (t.name.clone(), view.unwrap())
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
