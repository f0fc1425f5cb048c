//! Model folders whose weights are bytes: `config.json` says so by
//! `"quantization_config": {"quant_method": "gradus-int8"}`, and the values of a weight
//! `NAME` of type I8 are its bytes times the row's scale in `NAME_scale`, F32. Libraries
//! that do not know the method refuse such a folder.

use super::files::{is_there, read_json};
use super::tensor_file::TensorFile;
use crate::util::tensor_writer::{self, NamedTensor, Values};
use crate::{Error, Result};
use gradus_kernels::int8;
use safetensors::Dtype;
use serde_json::Value;
use std::path::Path;

/// The key of `config.json`.
pub(crate) const KEY: &str = "quantization_config";

/// Its value, as JSON.
pub(crate) const VALUE: &str = r#"{"quant_method": "gradus-int8"}"#;

/// What the tensor of a weight's scales is called, behind the weight's own name.
pub(super) const SCALE: &str = "_scale";

/// Whether the folder of a transformer says that its weights are bytes.
///
/// # Errors
/// Where `config.json` is no JSON.
pub(crate) fn is_quantized(folder: &Path) -> Result<bool> {
    let path = folder.join("config.json");
    Ok(is_there(&path)? && has_key(&read_json(&path)?))
}

fn has_key(config: &Value) -> bool {
    serde_json::from_str::<Value>(VALUE).is_ok_and(|value| config[KEY] == value)
}

/// `config.json` of a model whose weights are to be numbers again.
pub(crate) fn without_key(mut config: Value) -> Value {
    if let Some(fields) = config.as_object_mut() {
        fields.remove(KEY);
    }
    config
}

/// What became of a file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Weights that are bytes now.
    pub tensors: usize,
    /// The file's size before and after.
    pub bytes: (u64, u64),
}

/// Whether a tensor of this name and shape becomes bytes: the weights of an encoder's
/// layers and its table of words, which are nearly all of a model. Heads, positions,
/// segments and what scores are shifted by stay as they are.
fn becomes_bytes(name: &str, shape: &[usize], is_head: impl Fn(&str) -> bool) -> bool {
    const SMALL: [&str; 4] = [
        "position_embeddings",
        "token_type_embeddings",
        "relative_attention_bias",
        "rel_pos",
    ];
    let small = SMALL.iter().any(|part| name.contains(part));
    shape.len() == 2 && name.ends_with("weight") && !small && !is_head(name)
}

/// Makes the weights in a folder bytes, and says so in its `config.json`; it is a folder
/// that nobody reads yet.
///
/// # Errors
/// Where the folder cannot be read or written.
pub(crate) fn quantize_folder(folder: &Path, is_head: impl Fn(&str) -> bool) -> Result<Written> {
    let path = folder.join("model.safetensors");
    let file = TensorFile::open(&path, "it was written a moment ago")?;
    let mut tensors = vec![];
    let mut written = 0;
    for name in file.names() {
        let shape = file.shape(name)?.to_vec();
        let mut values = vec![];
        file.read(name, &mut values)?;
        if !becomes_bytes(name, &shape, &is_head) {
            tensors.push((name.to_owned(), shape, Values::Owned(values)));
            continue;
        }
        let (rows, width) = (shape[0], shape[1].max(1));
        let mut bytes = vec![0; values.len()];
        let rows_of = values
            .chunks_exact(width)
            .zip(bytes.chunks_exact_mut(width));
        let scales: Vec<f32> = rows_of.map(|(row, to)| int8::quantize(row, to)).collect();
        tensors.push((name.to_owned(), shape, Values::Bytes(bytes)));
        let scale = format!("{name}{SCALE}");
        tensors.push((scale, vec![rows], Values::Owned(scales)));
        written += 1;
    }
    let before = size_of_file(&path)?;
    drop(file);
    let named: Vec<NamedTensor<'_>> = tensors
        .into_iter()
        .map(|(name, shape, values)| NamedTensor {
            name: name.into(),
            shape,
            values,
        })
        .collect();
    tensor_writer::write(&path, &named, &[("format", "pt".to_owned())])?;
    let path_of_config = folder.join("config.json");
    let mut config = read_json(&path_of_config)?;
    config[KEY] = serde_json::from_str(VALUE).unwrap_or_default();
    let text = serde_json::to_string_pretty(&config)
        .map_err(|e| Error::Internal(format!("config.json: {e}")))?;
    std::fs::write(&path_of_config, text).map_err(Error::io(&path_of_config))?;
    Ok(Written {
        tensors: written,
        bytes: (before, size_of_file(&path)?),
    })
}

fn size_of_file(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io(path))?.len())
}

/// Appends the values of bytes and their rows' scales.
pub(super) fn widen(bytes: &[u8], scales: &[f32], values: &mut Vec<f32>) {
    let width = bytes.len() / scales.len().max(1);
    for (row, scale) in bytes.chunks_exact(width.max(1)).zip(scales) {
        values.extend(row.iter().map(|b| int8::value(b.cast_signed(), *scale)));
    }
}

/// Whether the tensor beside a weight of bytes is that of its scales.
pub(super) fn are_scales(dtype: Dtype, shape: &[usize], of: &[usize]) -> bool {
    dtype == Dtype::F32 && of.len() == 2 && shape == [of[0]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(tensors: &[(&str, Vec<usize>, Values<'static>)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        let named: Vec<NamedTensor<'_>> = tensors
            .iter()
            .map(|(name, shape, values)| NamedTensor {
                name: (*name).into(),
                shape: shape.clone(),
                values: match values {
                    Values::Bytes(bytes) => Values::Bytes(bytes.clone()),
                    Values::Owned(values) => Values::Owned(values.clone()),
                    Values::F32(values) => Values::F32(values),
                },
            })
            .collect();
        tensor_writer::write(&place.path().join("model.safetensors"), &named, &[]).unwrap();
        fs::write(place.path().join("config.json"), "{\"a\": 1}").unwrap();
        place
    }

    fn open(place: &tempfile::TempDir) -> TensorFile {
        TensorFile::open(&place.path().join("model.safetensors"), "").unwrap()
    }

    fn read(file: &TensorFile, name: &str) -> Result<Vec<f32>> {
        let mut values = vec![];
        file.read(name, &mut values)?;
        Ok(values)
    }

    #[test]
    fn weights_of_layers_and_words_become_bytes_and_are_read_as_numbers() {
        let weight: Vec<f32> = (0..12).map(|i| i as f32 - 6.5).collect();
        let values = || Values::Owned(weight.clone());
        let place = folder(&[
            ("embeddings.word_embeddings.weight", vec![4, 3], values()),
            (
                "embeddings.position_embeddings.weight",
                vec![4, 3],
                values(),
            ),
            ("pooler.dense.weight", vec![4, 3], values()),
            ("encoder.layer.0.output.dense.weight", vec![3, 4], values()),
            ("encoder.layer.0.output.dense.bias", vec![12], values()),
        ]);
        assert!(!is_quantized(place.path()).unwrap());
        let written = quantize_folder(place.path(), |name| name.starts_with("pooler.")).unwrap();
        assert_eq!(written.tensors, 2);
        assert!(is_quantized(place.path()).unwrap());
        let file = open(&place);
        assert_eq!(
            file.names().count(),
            5,
            "scales are no tensors of their own"
        );
        for name in file.names() {
            let far = read(&file, name).unwrap().into_iter().zip(&weight);
            let most = far.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let exact = !["word", "output.dense.weight"]
                .iter()
                .any(|p| name.contains(p));
            assert!(most < if exact { 1e-9 } else { 0.03 }, "{name}: {most}");
            let shape = file.shape(name).unwrap().to_vec();
            file.check(name, shape).unwrap();
        }
        let config = read_json(&place.path().join("config.json")).unwrap();
        assert_eq!(without_key(config), serde_json::json!({"a": 1}));
    }

    #[test]
    fn bytes_without_scales_that_fit_are_refused() {
        let bytes = || Values::Bytes(vec![1; 6]);
        let name = "a.weight";
        for scales in [
            None,
            Some((vec![3], Values::Owned(vec![1.0; 3]))),
            Some((vec![2, 1], Values::Owned(vec![1.0; 2]))),
            Some((vec![2], Values::Bytes(vec![1; 2]))),
        ] {
            let mut tensors = vec![(name, vec![2, 3], bytes())];
            if let Some((shape, values)) = scales {
                tensors.push(("a.weight_scale", shape, values));
            }
            let file = open(&folder(&tensors));
            assert!(file.check(name, vec![2, 3]).is_err());
        }
        let scale = Values::Owned(vec![1.0, f32::NAN]);
        let place = folder(&[
            (name, vec![2, 3], bytes()),
            ("a.weight_scale", vec![2], scale),
        ]);
        let file = open(&place);
        file.check(name, vec![2, 3]).unwrap();
        let error = read(&file, name).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("3"), "{error}");
    }
}
