use super::fields::Fields;
use super::files::{is_there, read_description, read_json};
use super::{EncoderConfig, ModelError, Modules};
use crate::Result;
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
        let config = EncoderConfig::parse(&path, &read_description(&path)?)?;
        modules.check_widths(root, config.hidden_size)?;
        let max_tokens = max_tokens(&encoder, &config)?;
        Ok(Self {
            root: root.to_path_buf(),
            encoder,
            config,
            modules,
            max_tokens,
        })
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

/// `sentence_bert_config.json`'s limit, else the tokenizer's, never more than
/// the position table's.
fn max_tokens(encoder: &Path, config: &EncoderConfig) -> Result<usize> {
    let most = config.max_tokens();
    for (file, key) in [
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ] {
        let path = encoder.join(file);
        if !is_there(&path)? {
            continue;
        }
        let json = read_json(&path)?;
        let fields = Fields::new(&path, &json)?;
        // Tokenizers without a limit write 1e30.
        match fields.number(key)? {
            None => {}
            Some(limit) if limit >= 1.0 => return Ok((limit.min(1e9) as usize).min(most)),
            Some(limit) => {
                let message = format!("`{key}` is {limit}, which leaves no room for text");
                return Err(fields.error(message).into());
            }
        }
    }
    Ok(most)
}
