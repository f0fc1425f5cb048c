use super::Modules;
use super::transformer::{self, TransformerSettings};
use crate::Result;
use crate::families::EncoderConfig;
use crate::format::fields::Fields;
use crate::format::files::{is_there, parse_json, read_description, read_json};
use crate::format::{ModelError, prompts};
use crate::text::Tokenizer;
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
        let path = encoder.join("config.json");
        if !is_there(&path)? {
            return Err(ModelError::NotAModel(encoder).into());
        }
        refuse_adapters(&encoder)?;
        let text = read_description(&path)?;
        let config = EncoderConfig::parse(&path, &text)?;
        modules.check_widths(root, config.hidden_size)?;
        // As sentence-transformers does: without modules.json it asks
        // transformers alone.
        let transformer = match modules.described {
            true => TransformerSettings::read(&encoder)?,
            false => TransformerSettings::default(),
        };
        let max_tokens = transformer.max_tokens(&encoder, &config)?;
        let mut notes = Vec::new();
        notes.extend(classifier(&parse_json(&path, &text)?));
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
