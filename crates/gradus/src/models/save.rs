//! Writing a model folder that Gradus and sentence-transformers load as it is.

use super::transformer;
use super::weights::{Spare, shape_of};
use super::{ModelFolder, SentenceEncoder};
use crate::format::files::read_json;
use crate::format::{PromptChoice, Provenance};
use crate::format::{prompts, quantized};
use crate::nn::mlm_head::{encoder_prefix, is_of_mlm_head};
use crate::nn::pooling::POOLINGS;
use crate::nn::sequence_head::{HeadPart, part_of};
use crate::nn::{Dense, Layout};
use crate::output::{Replacement, replace_folder};
use crate::text::TokenizerSettings;
use crate::util::atomic::copy_content;
use crate::util::tensor_writer;
use crate::util::tensor_writer::{NamedTensor, Values};
use crate::{Error, Result};
use gradus_kernels::Backend;
use std::path::{Path, PathBuf};

/// A folder that [`SentenceEncoder::save`] wrote.
pub type SavedModel = PathBuf;

/// Files that describe the tokenizer and go along unchanged.
const TOKENIZER: [&str; 8] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
];

impl<B: Backend> SentenceEncoder<B> {
    /// Writes the model to `target` in sentence-transformers' layout, with the
    /// regression head where there is one and `card` as its README. A folder
    /// already there is replaced as a whole: a reader sees the old model or the
    /// new one. Files in it that are not a model's stay.
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
        self.save_as(None, target, card, provenance)?;
        Ok(target.to_path_buf())
    }

    /// As [`SentenceEncoder::save_with`], noting that the run `owner` wrote it.
    pub(crate) fn save_as(
        &self,
        owner: Option<&str>,
        target: &Path,
        card: &str,
        provenance: &Provenance,
    ) -> Result<Replacement> {
        replace_folder(target, owner, |fresh| {
            self.write(fresh, card)?;
            match provenance.file()? {
                Some((name, text)) => write(&fresh.join(name), &text),
                None => Ok(()),
            }
        })
    }

    fn write(&self, target: &Path, card: &str) -> Result<()> {
        let folder = &self.folder;
        carry(&TOKENIZER, &folder.encoder, target)?;
        carry_config(&folder.encoder, target)?;
        carry_description(folder, target)?;
        write_prompt(target, folder, &self.prompt)?;
        write_modules(target, folder)?;
        let arena = self.backend.read_arena(&self.params, 0..self.layout.len());
        self.backend.check()?;
        write_weights(target, folder, &self.layout, &arena, &self.spare)?;
        if let Some(head) = &self.head {
            head.save(target, self.dim())?;
        }
        write(&target.join("README.md"), card)
    }
}

/// Copies the files that describe the tokenizer in `from`.
pub(crate) fn carry_tokenizer(from: &Path, to: &Path) -> Result<()> {
    carry(&TOKENIZER, from, to)
}

/// The same for a model of another family, whose own tokenizer class would be
/// another: the class is named.
pub(crate) fn carry_tokenizer_across(from: &ModelFolder, to: &Path) -> Result<()> {
    const FILE: &str = "tokenizer_config.json";
    carry_tokenizer(&from.encoder, to)?;
    let settings = TokenizerSettings::read(&from.encoder, &from.transformer.tokenizer)?;
    write_json(to, FILE, &settings.with_class())
}

/// Copies what says how texts are prepared: prompts, and the limit on tokens.
pub(crate) fn carry_description(from: &ModelFolder, to: &Path) -> Result<()> {
    // Without a modules.json they were not read, and beside the new one they
    // would be.
    if from.modules.described {
        carry(&[prompts::FILE], &from.root, to)?;
    }
    let file = from.transformer.file.as_ref().and_then(|f| f.file_name());
    match file.and_then(|name| name.to_str()) {
        Some(name) => carry(&[name], &from.encoder, to),
        None => Ok(()),
    }
}

/// Makes the prompt that a model was used with its default.
fn write_prompt(target: &Path, folder: &ModelFolder, choice: &PromptChoice) -> Result<()> {
    let name = match choice {
        PromptChoice::Default => return Ok(()),
        PromptChoice::Named(name) => name.clone(),
        PromptChoice::Query => "query".to_owned(),
        PromptChoice::Document => "document".to_owned(),
        PromptChoice::Text(_) => {
            let known = &folder.modules.prompts.named;
            let taken = |name: &String| known.iter().any(|(known, _)| known == name);
            let names = (1..).map(|n| match n {
                1 => "trained".to_owned(),
                n => format!("trained-{n}"),
            });
            names.into_iter().find(|n| !taken(n)).unwrap_or_default()
        }
    };
    let path = target.join(prompts::FILE);
    let mut json = match path.is_file() {
        true => read_json(&path)?,
        false => serde_json::json!({}),
    };
    if !json["prompts"].is_object() {
        json["prompts"] = serde_json::json!({});
    }
    match choice {
        PromptChoice::Text(text) => json["prompts"][&name] = text.as_str().into(),
        PromptChoice::Query | PromptChoice::Document if json["prompts"].get(&name).is_none() => {
            json["prompts"][&name] = "".into();
        }
        _ => {}
    }
    json["default_prompt_name"] = name.into();
    write_json(target, prompts::FILE, &json)
}

/// Copies those of some files that are there.
fn carry(files: &[&str], from: &Path, to: &Path) -> Result<()> {
    for file in files {
        let from = from.join(file);
        if from.is_file() {
            let to = to.join(file);
            copy_content(&from, &to)?;
        }
    }
    Ok(())
}

/// Copies the configuration; weights are written as numbers, whatever they were.
fn carry_config(from: &Path, to: &Path) -> Result<()> {
    const FILE: &str = "config.json";
    match quantized::is_quantized(from)? {
        true => write_json(
            to,
            FILE,
            &quantized::without_key(read_json(&from.join(FILE))?),
        ),
        false => carry(&[FILE], from, to),
    }
}

/// Describes pooling and what follows it.
pub(crate) fn write_modules(target: &Path, folder: &ModelFolder) -> Result<()> {
    let modules = &folder.modules;
    let mut list = vec![module(0, "", "Transformer")];
    match &modules.template {
        Some(template) => {
            // A type that sentence-transformers does not know: it would make
            // other vectors without a word.
            let mut module = module(1, "1_Template", "");
            module["type"] = "gradus.Template".into();
            list.push(module);
            template.write(&target.join("1_Template"))?;
        }
        None => {
            list.push(module(1, "1_Pooling", "Pooling"));
            write_pooling(target, folder)?;
        }
    }
    for dense in &modules.dense {
        list.push(module(list.len(), &dense.folder, "Dense"));
        let from = folder.root.join(&dense.folder).join("config.json");
        let into = target.join(&dense.folder);
        std::fs::create_dir_all(&into).map_err(Error::io(&into))?;
        let to = into.join("config.json");
        if !from.is_file() {
            write_dense(&into, dense)?;
        } else if from != to {
            copy_content(&from, &to)?;
        }
    }
    if modules.normalize {
        let folder = format!("{}_Normalize", list.len());
        list.push(module(list.len(), &folder, "Normalize"));
        let into = target.join(folder);
        std::fs::create_dir_all(&into).map_err(Error::io(&into))?;
    }
    write_json(target, "modules.json", &serde_json::Value::Array(list))?;
    // A folder without a stated limit keeps the one it was used with.
    if !transformer::FILES.iter().any(|f| target.join(f).is_file()) {
        let limit = serde_json::json!({
            "max_seq_length": folder.max_tokens,
            "do_lower_case": folder.transformer.tokenizer.lower_case,
        });
        write_json(target, transformer::FILES[0], &limit)?;
    }
    Ok(())
}

/// Describes a Dense module that training added.
fn write_dense(folder: &Path, dense: &Dense) -> Result<()> {
    let activation = dense.activation_name();
    let activation = activation
        .ok_or_else(|| Error::Internal(format!("a Dense module with {:?}", dense.activation)))?;
    let config = serde_json::json!({
        "in_features": dense.in_width,
        "out_features": dense.out_width,
        "bias": dense.bias,
        "activation_function": activation,
        "use_residual": dense.residual,
    });
    write_json(folder, "config.json", &config)
}

/// Describes the pooling.
fn write_pooling(target: &Path, folder: &ModelFolder) -> Result<()> {
    let modules = &folder.modules;
    let mut pooling = serde_json::Map::new();
    let width = folder.config.hidden_size;
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
    if !modules.include_prompt {
        pooling.insert("include_prompt".into(), false.into());
    }
    let pooling = serde_json::Value::Object(pooling);
    write_json(&target.join("1_Pooling"), "config.json", &pooling)
}

/// Writes the values of an arena, and the tensors that only go along. Beside a
/// language head the encoder has the prefix that transformers looks for there.
pub(crate) fn write_weights(
    target: &Path,
    folder: &ModelFolder,
    layout: &Layout,
    arena: &[f32],
    spare: &[Spare],
) -> Result<()> {
    let prefix = match layout.has_head() {
        true => encoder_prefix(folder.config.architecture),
        false => "",
    };
    let outside = |name: &str| {
        is_of_mlm_head(name) || part_of(name).is_some_and(|part| part == HeadPart::Classifier)
    };
    let outer = |name: &str| match outside(name) {
        true => name.to_owned(),
        false => format!("{prefix}{name}"),
    };
    let own = || layout.named().iter().filter(|n| !n.name.contains('/'));
    let names: Vec<String> = own()
        .map(|n| outer(&n.name))
        .chain(spare.iter().map(|s| outer(&s.name)))
        .collect();
    let values = own().map(|n| (shape_of(n), n.view.of(arena)));
    let spare = spare.iter().map(|s| (s.shape.clone(), &s.values[..]));
    let encoder: Vec<_> = names
        .iter()
        .zip(values.chain(spare))
        .map(|(name, (shape, values))| NamedTensor {
            name: name.into(),
            shape,
            values: Values::F32(values),
        })
        .collect();
    // transformers refuses files without this note.
    let note = [("format", "pt".to_owned())];
    tensor_writer::write(&target.join("model.safetensors"), &encoder, &note)?;
    for dense in &folder.modules.dense {
        let prefix = format!("{}/", dense.folder);
        let mut tensors = Vec::new();
        for named in layout.named() {
            if let Some(name) = named.name.strip_prefix(&prefix) {
                tensors.push(NamedTensor {
                    name: name.into(),
                    shape: shape_of(named),
                    values: Values::F32(named.view.of(arena)),
                });
            }
        }
        let path = target.join(&dense.folder).join("model.safetensors");
        tensor_writer::write(&path, &tensors, &note)?;
    }
    Ok(())
}

fn module(idx: usize, path: &str, kind: &str) -> serde_json::Value {
    serde_json::json!({
        "idx": idx,
        "name": idx.to_string(),
        "path": path,
        "type": format!("sentence_transformers.models.{kind}"),
    })
}

pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(Error::io(path))
}

pub(crate) fn write_json(folder: &Path, name: &str, value: &serde_json::Value) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let text =
        serde_json::to_string_pretty(value).map_err(|e| Error::Internal(format!("{name}: {e}")))?;
    write(&folder.join(name), &text)
}
