use super::Modules;
use super::cross_encoder::{is_classifier, is_of_library};
use super::transformer::{self, TransformerSettings};
use crate::families::EncoderConfig;
use crate::format::fields::Fields;
use crate::format::files::{is_there, read_description, read_json};
use crate::format::keys::{CROSS_TRANSFORMER, Keys, TRANSFORMER};
use crate::format::{ModelError, prompts, quantized};
use crate::text::Tokenizer;
use crate::{Precision, Result};
use std::path::{Path, PathBuf};

/// A model folder's description: everything but weights and tokenizer.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    /// The folder given.
    pub root: PathBuf,
    /// The folder of the transformer itself: the root, or `0_Transformer`.
    pub encoder: PathBuf,
    /// The encoder's configuration.
    pub config: EncoderConfig,
    /// Pooling and what follows it.
    pub modules: Modules,
    /// The longest input in tokens, special ones included.
    pub max_tokens: usize,
    /// What a user should know of it.
    pub notes: Vec<String>,
    pub(crate) transformer: TransformerSettings,
}

impl ModelFolder {
    /// Reads the description of the model in `root`.
    ///
    /// # Errors
    /// [`ModelError`] where a file is missing, malformed or asks for something
    /// unsupported.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let (modules, encoder) = Modules::read(root)?;
        let mut folder = Self::describe(root, modules, encoder, TRANSFORMER)?;
        let config = read_json(&folder.encoder.join("config.json"))?;
        folder.notes.splice(0..0, classifier(&config));
        folder
            .modules
            .check_widths(root, folder.config.hidden_size)?;
        Ok(folder)
    }

    /// The same of a cross-encoder, or of a model that one is to be made of: what lies
    /// behind its transformer is left out.
    ///
    /// # Errors
    /// As [`ModelFolder::open`].
    pub fn open_cross_encoder(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        if let Some(encoder) = Modules::transformer_alone(root)? {
            let modules = Modules {
                described: true,
                ..Modules::assumed()
            };
            return Self::describe(root, modules, encoder, CROSS_TRANSFORMER);
        }
        // sentence-transformers, too, leaves a sentence encoder's own settings.
        let (_, encoder) = Modules::read(root)?;
        Self::describe(root, Modules::assumed(), encoder, TRANSFORMER)
    }

    /// Whether the model in `root` is a cross-encoder: it has a head that scores
    /// whole inputs, and no pooling.
    ///
    /// # Errors
    /// As [`ModelFolder::open`], but for what only its weights and settings show.
    pub fn is_cross_encoder(root: &Path) -> Result<bool> {
        let encoder = match Modules::transformer_alone(root)? {
            Some(encoder) => encoder,
            None if is_there(&root.join("modules.json"))? => return Ok(false),
            None => root.to_path_buf(),
        };
        let path = encoder.join("config.json");
        Ok(is_there(&path)? && is_classifier(&read_json(&path)?))
    }

    /// What `auto` means for the model in `root`: int8 where its weights are bytes, as
    /// `gradus quantize` writes them.
    ///
    /// # Errors
    /// As [`ModelFolder::is_cross_encoder`].
    pub fn precision(root: &Path) -> Result<Precision> {
        let encoder = match Modules::transformer_alone(root)? {
            Some(encoder) => encoder,
            None if is_there(&root.join("modules.json"))? => Modules::read(root)?.1,
            None => root.to_path_buf(),
        };
        Ok(match quantized::is_quantized(&encoder)? {
            true => Precision::Int8,
            false => Precision::Auto,
        })
    }

    /// Whether the model in `root` was saved as a cross-encoder, by
    /// sentence-transformers or here; of other classifiers that are
    /// [cross-encoders](ModelFolder::is_cross_encoder) nothing says whether they were
    /// made for pairs.
    ///
    /// # Errors
    /// As [`ModelFolder::is_cross_encoder`].
    pub fn was_saved_as_cross_encoder(root: &Path) -> Result<bool> {
        if !Self::is_cross_encoder(root)? {
            return Ok(false);
        }
        if Modules::transformer_alone(root)?.is_some() {
            return Ok(true);
        }
        Ok(is_of_library(&read_json(&root.join("config.json"))?))
    }

    fn describe(root: &Path, modules: Modules, encoder: PathBuf, keys: Keys) -> Result<Self> {
        let path = encoder.join("config.json");
        if !is_there(&path)? {
            return Err(ModelError::NotAModel(encoder).into());
        }
        refuse_adapters(&encoder)?;
        let text = read_description(&path)?;
        let config = EncoderConfig::parse(&path, &text)?;
        // As sentence-transformers does: without modules.json it asks
        // transformers alone.
        let transformer = match modules.described {
            true => TransformerSettings::read(&encoder, keys)?,
            false => TransformerSettings::default(),
        };
        let max_tokens = transformer.max_tokens(&encoder, &config)?;
        let mut notes = Vec::new();
        notes.extend(passed_over(root, &encoder, &modules));
        Ok(Self {
            root: root.to_path_buf(),
            encoder,
            config,
            modules,
            max_tokens,
            notes,
            transformer,
        })
    }

    /// The model's tokenizer.
    ///
    /// # Errors
    /// As [`Tokenizer::load`].
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::load_with(
            &self.encoder,
            &self.transformer.tokenizer,
            self.max_tokens,
            self.config.vocab_size,
            self.config.type_vocab_size,
        )
    }

    /// Whether `config.json` says that a head that tells masked tokens does not
    /// share the embedding of words.
    pub(crate) fn has_own_decoder(&self) -> Result<bool> {
        let path = self.encoder.join("config.json");
        let json = read_json(&path)?;
        let fields = Fields::new(&path, &json)?;
        Ok(fields.flag("tie_word_embeddings")? == Some(false))
    }
}

/// With an adapter in the folder, sentence-transformers loads another folder's
/// weights and changes them.
fn refuse_adapters(encoder: &Path) -> Result<()> {
    let path = encoder.join("adapter_config.json");
    match is_there(&path)? {
        false => Ok(()),
        true => Err(ModelError::Unsupported {
            path,
            what: "adapter".into(),
            found: "LoRA weights beside the model's, which sentence-transformers would put over those of a base model".into(),
            supported: "whole weights; load the folder in sentence-transformers, call `model.transformers_model.merge_and_unload()` and save the result".into(),
        }
        .into()),
    }
}

/// A note on a model that was made to classify.
fn classifier(config: &serde_json::Value) -> Option<String> {
    let names = config.get("architectures")?.as_array()?;
    let name = names.iter().find_map(|name| {
        let name = name.as_str()?;
        let heads = [
            "ForSequenceClassification",
            "ForTokenClassification",
            "ForQuestionAnswering",
        ];
        heads.iter().any(|h| name.ends_with(h)).then_some(name)
    })?;
    let name = crate::format::fields::shorten(name);
    Some(format!(
        "config.json says {name}: its head is left out, and what is left was not trained to give vectors that can be compared"
    ))
}

/// Notes on files that are there and not read.
fn passed_over(root: &Path, encoder: &Path, modules: &Modules) -> Vec<String> {
    let mut notes = Vec::new();
    if !modules.described {
        let files = std::iter::once(prompts::FILE).chain(transformer::FILES);
        let there: Vec<&str> = files.filter(|f| root.join(f).is_file()).collect();
        if !there.is_empty() {
            notes.push(format!(
                "{} not read, as there is no modules.json beside: so does sentence-transformers",
                are(&there)
            ));
        }
    }
    let adapters = ["adapter_model.safetensors", "adapter_model.bin"];
    let there: Vec<&str> = adapters
        .into_iter()
        .filter(|f| encoder.join(f).is_file())
        .collect();
    if !there.is_empty() {
        notes.push(format!(
            "{} not read, as there is no adapter_config.json: the model is without this adapter",
            are(&there)
        ));
    }
    let shards = "model.safetensors.index.json";
    if encoder.join("model.safetensors").is_file() && encoder.join(shards).is_file() {
        notes.push(format!(
            "model.safetensors is read, the shards of {shards} are not"
        ));
    }
    notes
}

fn are(files: &[&str]) -> String {
    match files {
        [one] => format!("{one} is"),
        _ => format!("{} are", files.join(", ")),
    }
}
