//! Writing a model folder that Gradus and sentence-transformers load as it is.

use super::modules::POOLINGS;
use super::weights::shape_of;
use super::{ModelFolder, Provenance, SentenceEncoder};
use crate::tensor_writer::{self, Tensor};
use crate::{Error, Result};
use gradus_kernels::Backend;
use std::path::{Path, PathBuf};

/// A folder that [`SentenceEncoder::save`] wrote.
pub type SavedModel = PathBuf;

/// Files that describe the tokenizer and model and go along unchanged.
const CARRIED: [&str; 10] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "sentence_bert_config.json",
];

impl<B: Backend> SentenceEncoder<B> {
    /// Writes the model to `target` in sentence-transformers' layout, with the
    /// regression head where there is one and `card` as its README. A folder
    /// already there is replaced as a whole: a reader sees the old model or the
    /// new one.
    ///
    /// # Errors
    /// [`Error::Io`] with the path concerned.
    pub fn save(&self, target: &Path, card: &str) -> Result<SavedModel> {
        self.save_with(target, card, &Provenance::default())
    }

    /// As [`SentenceEncoder::save`], with what is known of the training.
    ///
    /// # Errors
    /// As [`SentenceEncoder::save`].
    pub fn save_with(
        &self,
        target: &Path,
        card: &str,
        provenance: &Provenance,
    ) -> Result<SavedModel> {
        let name = target
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or("model");
        let fresh = target.with_file_name(format!(".{name}.new"));
        let old = target.with_file_name(format!(".{name}.old"));
        remove(&fresh)?;
        std::fs::create_dir_all(&fresh).map_err(Error::io(&fresh))?;
        self.write(&fresh, card)?;
        if let Some((name, text)) = provenance.file()? {
            write(&fresh.join(name), &text)?;
        }
        remove(&old)?;
        if target.exists() {
            std::fs::rename(target, &old).map_err(Error::io(target))?;
        }
        std::fs::rename(&fresh, target).map_err(Error::io(target))?;
        remove(&old)?;
        Ok(target.to_path_buf())
    }

    fn write(&self, target: &Path, card: &str) -> Result<()> {
        let folder = &self.folder;
        for file in CARRIED {
            let from = folder.encoder.join(file);
            if from.is_file() {
                let to = target.join(file);
                std::fs::copy(&from, &to).map_err(Error::io(&to))?;
            }
        }
        let prompts = folder.root.join("config_sentence_transformers.json");
        if prompts.is_file() {
            let to = target.join("config_sentence_transformers.json");
            std::fs::copy(&prompts, &to).map_err(Error::io(&to))?;
        }
        self.write_modules(target)?;
        self.write_weights(target)?;
        if let Some(head) = &self.head {
            head.save(target, self.dim())?;
        }
        write(&target.join("README.md"), card)
    }

    fn write_modules(&self, target: &Path) -> Result<()> {
        let ModelFolder { modules, .. } = &self.folder;
        let mut list = vec![
            module(0, "", "Transformer"),
            module(1, "1_Pooling", "Pooling"),
        ];
        let mut pooling = serde_json::Map::new();
        let width = self.folder.config.hidden_size;
        pooling.insert("word_embedding_dimension".into(), width.into());
        let in_old_order = modules
            .pooling
            .is_sorted_by_key(|m| POOLINGS.iter().position(|p| p.2 == *m));
        if in_old_order {
            for (key, _, mode) in POOLINGS {
                pooling.insert(key.into(), modules.pooling.contains(&mode).into());
            }
        } else {
            // Only the newer form, read from sentence-transformers 6 on, has an order.
            let names = modules
                .pooling
                .iter()
                .filter_map(|m| POOLINGS.iter().find(|p| p.2 == *m));
            pooling.insert("pooling_mode".into(), names.map(|p| p.1).collect());
        }
        let pooling = serde_json::Value::Object(pooling);
        write_json(&target.join("1_Pooling"), "config.json", &pooling)?;
        for dense in &modules.dense {
            list.push(module(list.len(), &dense.folder, "Dense"));
            let from = self.folder.root.join(&dense.folder).join("config.json");
            let into = target.join(&dense.folder);
            std::fs::create_dir_all(&into).map_err(Error::io(&into))?;
            std::fs::copy(&from, into.join("config.json")).map_err(Error::io(&from))?;
        }
        if modules.normalize {
            let folder = format!("{}_Normalize", list.len());
            list.push(module(list.len(), &folder, "Normalize"));
            let into = target.join(folder);
            std::fs::create_dir_all(&into).map_err(Error::io(&into))?;
        }
        write_json(target, "modules.json", &serde_json::Value::Array(list))?;
        // A folder without a stated limit keeps the one it was used with.
        if !target.join("sentence_bert_config.json").is_file() {
            let limit = serde_json::json!({ "max_seq_length": self.folder.max_tokens, "do_lower_case": false });
            write_json(target, "sentence_bert_config.json", &limit)?;
        }
        Ok(())
    }

    fn write_weights(&self, target: &Path) -> Result<()> {
        let arena = self.backend.read_arena(&self.params, 0..self.layout.len());
        let mut encoder = Vec::new();
        for named in self.layout.named().iter().filter(|n| !n.name.contains('/')) {
            encoder.push(Tensor {
                name: &named.name,
                shape: shape_of(named),
                values: named.view.of(&arena),
            });
        }
        for spare in &self.spare {
            encoder.push(Tensor {
                name: &spare.name,
                shape: spare.shape.clone(),
                values: &spare.values,
            });
        }
        // transformers refuses files without this note.
        let note = [("format", "pt".to_owned())];
        tensor_writer::write(&target.join("model.safetensors"), &encoder, &note)?;
        for dense in &self.folder.modules.dense {
            let prefix = format!("{}/", dense.folder);
            let mut tensors = Vec::new();
            for named in self.layout.named() {
                if let Some(name) = named.name.strip_prefix(&prefix) {
                    tensors.push(Tensor {
                        name,
                        shape: shape_of(named),
                        values: named.view.of(&arena),
                    });
                }
            }
            let path = target.join(&dense.folder).join("model.safetensors");
            tensor_writer::write(&path, &tensors, &note)?;
        }
        Ok(())
    }
}

fn module(idx: usize, path: &str, kind: &str) -> serde_json::Value {
    serde_json::json!({
        "idx": idx,
        "name": idx.to_string(),
        "path": path,
        "type": format!("sentence_transformers.models.{kind}"),
    })
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(Error::io(path))
}

fn write_json(folder: &Path, name: &str, value: &serde_json::Value) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let text =
        serde_json::to_string_pretty(value).map_err(|e| Error::Internal(format!("{name}: {e}")))?;
    write(&folder.join(name), &text)
}

/// Brings back the model that [`SentenceEncoder::save`] was about to replace,
/// where a process was killed between its two renames.
///
/// # Errors
/// [`Error::Io`].
pub fn recover(target: &Path) -> Result<()> {
    let name = target
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or("model");
    let old = target.with_file_name(format!(".{name}.old"));
    if !target.exists() && old.is_dir() {
        std::fs::rename(&old, target).map_err(Error::io(target))?;
    }
    Ok(())
}

/// Removes a folder if it is there.
fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder)(e)),
        _ => Ok(()),
    }
}
