//! How large a model is.

use crate::models::SentenceEncoder;
use crate::{Error, Result};
use gradus_kernels::Backend;
use serde::Serialize;
use std::path::Path;

/// A model's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// All parameters of the encoder and of the modules behind it.
    pub parameters: usize,
    /// Those of transformer layers and Dense modules, without the tables of
    /// words, positions and segments.
    pub layer_parameters: usize,
    /// Bytes of the files of its weights.
    pub bytes: u64,
}

impl Sizes {
    /// Those of a model that was loaded from a folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of<B: Backend>(encoder: &SentenceEncoder<B>) -> Result<Self> {
        let named = encoder.layout().named().iter();
        let in_layers = named.filter(|n| n.layer.is_some() || n.name.contains('/'));
        let folder = encoder.folder();
        let mut bytes = weights_in(&folder.encoder)?;
        for dense in &folder.modules.dense {
            bytes += weights_in(&folder.root.join(&dense.folder))?;
        }
        Ok(Self {
            parameters: encoder.layout().len(),
            layer_parameters: in_layers.map(|n| n.view.len()).sum(),
            bytes,
        })
    }
}

/// Bytes of `model.safetensors`, or of its shards.
fn weights_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("model") && name.ends_with(".safetensors") {
            // The hub's cache is made of links: what they point to counts.
            let path = entry.path();
            bytes += std::fs::metadata(&path).map_err(Error::io(&path))?.len();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::cpu::Cpu;

    #[test]
    fn layers_and_modules_without_tables() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
        let load = |name: &str| SentenceEncoder::load(models.join(name), Cpu::new(1)).unwrap();
        let encoder = load("bert-small");
        let (width, inner) = (32, 64);
        let layer = 4 * width * width + 2 * width * inner + 9 * width + inner;
        let sizes = Sizes::of(&encoder).unwrap();
        assert_eq!(sizes.layer_parameters, 2 * layer);
        assert_eq!(sizes.parameters, encoder.layout().len());
        let file = models.join("bert-small/model.safetensors");
        assert_eq!(sizes.bytes, std::fs::metadata(file).unwrap().len());
        // Shards and Dense modules count.
        let sharded = Sizes::of(&load("bert-relu-prefixed")).unwrap();
        assert!(sharded.bytes > 4 * sharded.layer_parameters as u64);
        let dense = load("bert-gelu-new");
        let module = dense
            .layout()
            .named()
            .iter()
            .filter(|n| n.name.contains('/'));
        let module: usize = module.map(|n| n.view.len()).sum();
        assert!(module > 0 && Sizes::of(&dense).unwrap().layer_parameters > module);
    }
}
