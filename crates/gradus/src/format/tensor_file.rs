use super::ModelError;
use super::fields::shorten;
use super::files::require;
use super::quantized;
use crate::{Error, Result};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Room for a thousand layers; a parser may need many times its text's size.
const MAX_HEADER: u64 = 16 << 20;

/// The length of the header stands before it, in this many bytes.
const LENGTH: u64 = 8;

/// A safetensors file whose header is known to fit the file.
///
/// Values are read one tensor at a time, so that a caller can judge every
/// shape before it makes room for any values.
pub(crate) struct TensorFile {
    path: PathBuf,
    file: File,
    /// Where the values begin.
    start: u64,
    tensors: BTreeMap<String, TensorInfo>,
    /// The scales of weights that are bytes, by the weights' names.
    scales: BTreeMap<String, TensorInfo>,
}

impl TensorFile {
    /// Opens the file at `path`; `remedy` says what to do where it is missing.
    pub fn open(path: &Path, remedy: &'static str) -> Result<Self> {
        require(path, remedy)?;
        let fail = |message: String| ModelError::Weights {
            path: path.to_path_buf(),
            message,
        };
        let mut file = File::open(path).map_err(Error::io(path))?;
        let len = file.metadata().map_err(Error::io(path))?.len();
        if len < LENGTH {
            return Err(fail(format!("it is {len} bytes long")).into());
        }
        let mut size = [0; LENGTH as usize];
        file.read_exact(&mut size).map_err(Error::io(path))?;
        let size = u64::from_le_bytes(size);
        if size > (len - LENGTH).min(MAX_HEADER) {
            let message = format!("its header claims {size} bytes, in a file of {len}");
            return Err(fail(message).into());
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(Error::io(path))?;
        // Checks the offsets against shapes and types, and that they leave
        // neither gaps nor overlaps.
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|e| fail(format!("its header: {e}")))?;
        let start = LENGTH + size;
        let (values, expected) = (len - start, metadata.data_len() as u64);
        if values != expected {
            let message = format!("its values take {values} bytes, its header says {expected}");
            return Err(fail(message).into());
        }
        let tensors = metadata.tensors().into_iter();
        let mut tensors: BTreeMap<String, TensorInfo> =
            tensors.map(|(name, info)| (name, info.clone())).collect();
        let scales = take_scales(&mut tensors);
        Ok(Self {
            path: path.to_path_buf(),
            file,
            start,
            tensors,
            scales,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every tensor's name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    fn info(&self, tensor: &str) -> Result<&TensorInfo, ModelError> {
        self.tensors
            .get(tensor)
            .ok_or_else(|| ModelError::MissingTensor {
                path: self.path.clone(),
                tensor: tensor.to_owned(),
            })
    }

    /// A tensor's shape.
    pub fn shape(&self, tensor: &str) -> Result<&[usize], ModelError> {
        Ok(&self.info(tensor)?.shape)
    }

    /// Fails unless `tensor` is there with this shape and a type that can be
    /// read.
    pub fn check(&self, tensor: &str, expected: Vec<usize>) -> Result<(), ModelError> {
        let info = self.info(tensor)?;
        if info.shape != expected {
            return Err(ModelError::Shape {
                path: self.path.clone(),
                tensor: tensor.to_owned(),
                found: info.shape.clone(),
                expected,
            });
        }
        let scaled = info.dtype == Dtype::I8 && self.scales.contains_key(tensor);
        if !scaled && !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(ModelError::TensorType {
                path: self.path.clone(),
                tensor: tensor.to_owned(),
                found: format!("{:?}", info.dtype),
            });
        }
        Ok(())
    }

    /// Fails unless every tensor is one of `known`.
    pub fn only(&self, known: &[&str], owner: &str) -> Result<(), ModelError> {
        match self.names().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => Err(self.unknown(name, owner)),
        }
    }

    /// The error for a tensor that `owner` has no place for.
    pub fn unknown(&self, tensor: &str, owner: &str) -> ModelError {
        ModelError::UnknownTensor {
            path: self.path.clone(),
            tensor: shorten(tensor),
            owner: owner.to_owned(),
        }
    }

    /// The bytes of a tensor.
    fn content(&self, info: &TensorInfo) -> Result<Vec<u8>> {
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0; to - from];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.start + from as u64))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(Error::io(&self.path))?;
        Ok(bytes)
    }

    /// Appends the values of `tensor`, which has passed [`TensorFile::check`].
    pub fn read(&self, tensor: &str, values: &mut Vec<f32>) -> Result<()> {
        let info = self.info(tensor)?;
        let bytes = self.content(info)?;
        let first = values.len();
        match self.scales.get(tensor) {
            Some(scales) => {
                let mut numbers = vec![];
                widen(scales.dtype, &self.content(scales)?, &mut numbers);
                quantized::widen(&bytes, &numbers, values);
            }
            None => widen(info.dtype, &bytes, values),
        }
        match values[first..].iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(index) => Err(ModelError::NotFinite {
                path: self.path.clone(),
                tensor: tensor.to_owned(),
                index,
            }
            .into()),
        }
    }
}

/// Takes out the tensors that are the scales of others, which are bytes.
fn take_scales(tensors: &mut BTreeMap<String, TensorInfo>) -> BTreeMap<String, TensorInfo> {
    let bytes = tensors.iter().filter(|(_, info)| info.dtype == Dtype::I8);
    let scaled: Vec<(String, String)> = bytes
        .map(|(name, info)| (name, format!("{name}{}", quantized::SCALE), info))
        .filter(|(_, scale, info)| {
            tensors.get(scale).is_some_and(|scales| {
                quantized::are_scales(scales.dtype, &scales.shape, &info.shape)
            })
        })
        .map(|(name, scale, _)| (name.clone(), scale))
        .collect();
    let taken = scaled.into_iter();
    taken
        .filter_map(|(name, scale)| Some((name, tensors.remove(&scale)?)))
        .collect()
}

/// Appends little-endian numbers as f32.
fn widen(dtype: Dtype, bytes: &[u8], values: &mut Vec<f32>) {
    let pairs = bytes
        .chunks_exact(2)
        .map(|b| u16::from_le_bytes([b[0], b[1]]));
    match dtype {
        Dtype::F16 => values.extend(pairs.map(half_to_f32)),
        Dtype::BF16 => values.extend(pairs.map(|b| f32::from_bits(u32::from(b) << 16))),
        _ => values.extend(
            bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        ),
    }
}

/// IEEE 754 binary16 to binary32, exact.
fn half_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 0x1F;
    let fraction = u32::from(bits) & 0x3FF;
    let magnitude = match exponent {
        0 => return f32::from_bits(sign | (fraction as f32 / (1 << 24) as f32).to_bits()),
        31 => 0x7F80_0000 | (fraction << 13),
        e => ((e + 112) << 23) | (fraction << 13),
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_widen_exactly() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x03FF, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half_to_f32(bits), value);
        }
        assert!(half_to_f32(0x7C00).is_infinite() && half_to_f32(0x7E00).is_nan());
        assert!(half_to_f32(0x8000).is_sign_negative());
    }
}
