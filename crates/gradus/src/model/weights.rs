//! Reading safetensors, single and sharded, into an arena.

use super::folder::read_json;
use super::{Layout, ModelError, ModelFolder, NamedView};
use crate::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Prefixes under which checkpoints keep the encoder.
const PREFIXES: [&str; 7] = [
    "",
    "bert.",
    "roberta.",
    "model.",
    "0.auto_model.",
    "auto_model.",
    "encoder.",
];

/// Parts of a checkpoint that sentence vectors do not need: pre-training
/// heads, poolers, counters.
fn is_spare(name: &str) -> bool {
    ["pooler.", "cls.", "lm_head.", "classifier.", "qa_outputs."]
        .iter()
        .any(|p| name.starts_with(p) || name.contains(&format!(".{p}")))
        || name.ends_with("position_ids")
        || name.ends_with("embeddings.token_type_ids")
}

/// A tensor of the checkpoint that the encoder does not use but that goes back
/// into a saved model, so that other software finds what it expects.
#[derive(Debug, Clone)]
pub(super) struct Spare {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Everything read from a model folder's weights.
pub(super) struct Loaded {
    pub arena: Vec<f32>,
    pub spare: Vec<Spare>,
}

pub(super) fn load(folder: &ModelFolder, layout: &Layout) -> Result<Loaded> {
    let mut loaded = Loaded {
        arena: vec![0.0; layout.len()],
        spare: vec![],
    };
    let (encoder, dense): (Vec<&NamedView>, Vec<&NamedView>) =
        layout.named().iter().partition(|n| !n.name.contains('/'));

    let files = weight_files(&folder.encoder)?;
    let mut missing: BTreeSet<&str> = encoder.iter().map(|n| n.name.as_str()).collect();
    let contents = files
        .iter()
        .map(|path| std::fs::read(path).map_err(Error::io(path)))
        .collect::<Result<Vec<_>>>()?;
    let shards = files
        .iter()
        .zip(&contents)
        .map(|(path, bytes)| Ok((path, parse(path, bytes)?)))
        .collect::<Result<Vec<_>>>()?;
    let prefix = find_prefix(&shards, &folder.encoder)?;
    for (path, tensors) in &shards {
        let path = *path;
        for (name, tensor) in tensors.iter() {
            let local = modern_name(name.strip_prefix(&prefix).unwrap_or(name));
            if let Some(named) = encoder.iter().find(|n| n.name == local) {
                missing.remove(named.name.as_str());
                fill(path, name, &tensor, named, &mut loaded.arena)?;
            } else if is_spare(name) {
                if local.starts_with("pooler.") {
                    loaded.spare.push(Spare {
                        name: local,
                        shape: tensor.shape().to_vec(),
                        values: numbers(path, name, &tensor)?,
                    });
                }
            } else {
                return Err(ModelError::UnknownTensor {
                    path: path.clone(),
                    tensor: name.to_owned(),
                    architecture: folder.config.architecture.name(),
                    layers: folder.config.layers,
                }
                .into());
            }
        }
    }
    if let Some(name) = missing.first() {
        return Err(ModelError::MissingTensor {
            path: files
                .first()
                .cloned()
                .unwrap_or_else(|| folder.encoder.clone()),
            tensor: (*name).to_owned(),
        }
        .into());
    }
    loaded.spare.sort_by(|a, b| a.name.cmp(&b.name));

    for module in &folder.modules.dense {
        let path = folder.root.join(&module.folder).join("model.safetensors");
        if !path.is_file() {
            return Err(ModelError::MissingFile {
                path,
                remedy: "convert the module's pytorch_model.bin with sentence-transformers' save_pretrained",
            }
            .into());
        }
        let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
        let tensors = parse(&path, &bytes)?;
        for named in dense
            .iter()
            .filter(|n| n.name.starts_with(&format!("{}/", module.folder)))
        {
            let name = &named.name[module.folder.len() + 1..];
            let tensor = tensors
                .tensor(name)
                .map_err(|_| ModelError::MissingTensor {
                    path: path.clone(),
                    tensor: name.to_owned(),
                })?;
            fill(&path, name, &tensor, named, &mut loaded.arena)?;
        }
    }
    Ok(loaded)
}

/// Old conversions call a layer norm's parameters gamma and beta.
fn modern_name(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("LayerNorm.gamma") {
        format!("{stem}LayerNorm.weight")
    } else if let Some(stem) = name.strip_suffix("LayerNorm.beta") {
        format!("{stem}LayerNorm.bias")
    } else {
        name.to_owned()
    }
}

fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let single = folder.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index = folder.join("model.safetensors.index.json");
    if index.is_file() {
        let json = read_json(&index)?;
        let map = json["weight_map"]
            .as_object()
            .ok_or_else(|| ModelError::Config {
                path: index.clone(),
                message: "`weight_map` is missing".into(),
            })?;
        let shards: BTreeSet<&str> = map.values().filter_map(|v| v.as_str()).collect();
        return shards
            .into_iter()
            .map(|name| {
                let path = folder.join(name);
                if name.contains(['/', '\\']) || !path.is_file() {
                    let remedy = "the index names this shard; fetch the whole model again";
                    return Err(ModelError::MissingFile { path, remedy }.into());
                }
                Ok(path)
            })
            .collect();
    }
    let remedy = if folder.join("pytorch_model.bin").is_file() {
        "only safetensors are read; load pytorch_model.bin in transformers once and call save_pretrained"
    } else {
        "the weights are not in this folder; fetch the whole model"
    };
    Err(ModelError::MissingFile {
        path: single,
        remedy,
    }
    .into())
}

fn find_prefix(shards: &[(&PathBuf, SafeTensors<'_>)], folder: &Path) -> Result<String> {
    const TELLTALE: &str = "embeddings.word_embeddings.weight";
    let found = PREFIXES.iter().find(|prefix| {
        let name = format!("{prefix}{TELLTALE}");
        shards
            .iter()
            .any(|(_, tensors)| tensors.tensor(&name).is_ok())
    });
    found.map(|p| (*p).to_owned()).ok_or_else(|| {
        ModelError::MissingTensor {
            path: shards.first().map_or(folder, |s| s.0).to_path_buf(),
            tensor: TELLTALE.into(),
        }
        .into()
    })
}

pub(super) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(bytes).map_err(|e| {
        ModelError::Weights {
            path: path.to_path_buf(),
            message: e.to_string(),
        }
        .into()
    })
}

fn fill(
    path: &Path,
    name: &str,
    tensor: &safetensors::tensor::TensorView<'_>,
    named: &NamedView,
    arena: &mut [f32],
) -> Result<()> {
    let expected = shape_of(named);
    if tensor.shape() != expected {
        return Err(ModelError::Shape {
            path: path.to_path_buf(),
            tensor: name.to_owned(),
            found: tensor.shape().to_vec(),
            expected,
        }
        .into());
    }
    let values = numbers(path, name, tensor)?;
    if let Some(index) = values.iter().position(|v| !v.is_finite()) {
        return Err(ModelError::NotFinite {
            path: path.to_path_buf(),
            tensor: name.to_owned(),
            index,
        }
        .into());
    }
    named.view.of_mut(arena).copy_from_slice(&values);
    Ok(())
}

/// A parameter's shape in safetensors.
pub(super) fn shape_of(named: &NamedView) -> Vec<usize> {
    if named.vector {
        vec![named.view.cols]
    } else {
        vec![named.view.rows, named.view.cols]
    }
}

/// A tensor's values as f32.
pub(super) fn numbers(
    path: &Path,
    name: &str,
    tensor: &safetensors::tensor::TensorView<'_>,
) -> Result<Vec<f32>> {
    let data = tensor.data();
    let pairs = || {
        data.chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
    };
    match tensor.dtype() {
        Dtype::F32 => Ok(data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()),
        Dtype::BF16 => Ok(pairs()
            .map(|b| f32::from_bits(u32::from(b) << 16))
            .collect()),
        Dtype::F16 => Ok(pairs().map(half_to_f32).collect()),
        other => Err(ModelError::TensorType {
            path: path.to_path_buf(),
            tensor: name.to_owned(),
            found: format!("{other:?}"),
        }
        .into()),
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

    #[test]
    fn spares_are_told_from_unknowns() {
        for name in [
            "pooler.dense.weight",
            "bert.pooler.dense.bias",
            "cls.predictions.bias",
            "embeddings.position_ids",
        ] {
            assert!(is_spare(name), "{name}");
        }
        for name in [
            "encoder.layer.0.output.dense.weight",
            "encoder.layer.7.extra.weight",
            "weights",
        ] {
            assert!(!is_spare(name), "{name}");
        }
    }
}
