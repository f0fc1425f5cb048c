use crate::Result;
use crate::model::ModelError;
use std::path::{Path, PathBuf};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{EncodeInput, TruncationParams};

/// One input's token ids and segments, special tokens included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Vocabulary indices.
    pub ids: Vec<u32>,
    /// Segment of each token; empty when all are 0.
    pub segments: Vec<u32>,
}

/// A model's own tokenizer, from `tokenizer.json` or a BERT `vocab.txt`.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    path: PathBuf,
    vocabulary: usize,
    segments: usize,
    max_tokens: usize,
    prompt: String,
}

impl Tokenizer {
    /// Loads the tokenizer in `folder`. Inputs are cut to `max_tokens`, and
    /// ids must lie below `vocabulary`, segments below `segments`.
    ///
    /// # Errors
    /// [`ModelError::MissingFile`] or [`ModelError::Tokenizer`].
    pub fn load(
        folder: &Path,
        max_tokens: usize,
        vocabulary: usize,
        segments: usize,
    ) -> Result<Self> {
        let json = folder.join("tokenizer.json");
        let vocab = folder.join("vocab.txt");
        let (path, loaded) = if json.is_file() {
            let loaded = tokenizers::Tokenizer::from_file(&json).map_err(|e| e.to_string());
            (json, loaded)
        } else if vocab.is_file() {
            let loaded = word_pieces(&vocab, folder);
            (vocab, loaded)
        } else {
            return Err(ModelError::MissingFile {
                path: json,
                remedy: "a tokenizer.json or a BERT vocab.txt is needed; fetch the whole model",
            }
            .into());
        };
        let fail = |message: String| ModelError::Tokenizer {
            path: path.clone(),
            message,
        };
        let mut inner = loaded.map_err(&fail)?;
        // Padding and truncation stored with the tokenizer are some trainer's;
        // batches are packed, and the model states its own limit.
        inner.with_padding(None);
        let truncation = TruncationParams {
            max_length: max_tokens,
            ..TruncationParams::default()
        };
        inner
            .with_truncation(Some(truncation))
            .map_err(|e| fail(format!("cannot cut to {max_tokens} tokens: {e}")))?;
        Ok(Self {
            inner,
            path,
            vocabulary,
            segments,
            max_tokens,
            prompt: String::new(),
        })
    }

    /// Puts `prompt` before every text from now on.
    pub fn set_prompt(&mut self, prompt: impl Into<String>) {
        self.prompt = prompt.into();
    }

    /// Cuts inputs to at most `max_tokens` tokens from now on; never to more
    /// than the model's own limit.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] where that is too few for the special tokens.
    pub fn set_max_tokens(&mut self, max_tokens: usize) -> Result<()> {
        let max_length = max_tokens.min(self.max_tokens);
        let params = TruncationParams {
            max_length,
            ..TruncationParams::default()
        };
        self.inner
            .with_truncation(Some(params))
            .map_err(|e| ModelError::Tokenizer {
                path: self.path.clone(),
                message: format!("cannot cut to {max_length} tokens: {e}"),
            })?;
        Ok(())
    }

    /// The tokens of each text.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] where the tokenizer fails or yields an id
    /// outside of the model's vocabulary.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Tokens>> {
        let prompted: Vec<EncodeInput<'_>> = texts
            .iter()
            .map(|text| {
                if self.prompt.is_empty() {
                    EncodeInput::from(*text)
                } else {
                    EncodeInput::from(format!("{}{text}", self.prompt))
                }
            })
            .collect();
        self.run(prompted)
    }

    /// The tokens of each pair, as one input.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_pairs(&self, pairs: &[(&str, &str)]) -> Result<Vec<Tokens>> {
        self.run(pairs.iter().map(|&pair| EncodeInput::from(pair)).collect())
    }

    fn run(&self, inputs: Vec<EncodeInput<'_>>) -> Result<Vec<Tokens>> {
        let fail = |message: String| ModelError::Tokenizer {
            path: self.path.clone(),
            message,
        };
        let encodings = self
            .inner
            .encode_batch_fast(inputs, true)
            .map_err(|e| fail(e.to_string()))?;
        encodings
            .into_iter()
            .map(|encoding| {
                let ids = encoding.get_ids().to_vec();
                if let Some(id) = ids.iter().find(|&&id| id as usize >= self.vocabulary) {
                    return Err(fail(format!(
                        "token id {id} lies outside of the model's vocabulary of {}; \
                         tokenizer and config.json do not belong together",
                        self.vocabulary
                    ))
                    .into());
                }
                let mut segments = encoding.get_type_ids().to_vec();
                // RoBERTa's single segment ignores what its tokenizer says.
                if self.segments < 2 || segments.iter().all(|&s| s == 0) {
                    segments.clear();
                }
                if let Some(s) = segments.iter().find(|&&s| s as usize >= self.segments) {
                    return Err(fail(format!(
                        "segment {s} is outside of the model's {}",
                        self.segments
                    ))
                    .into());
                }
                Ok(Tokens { ids, segments })
            })
            .collect()
    }
}

/// BERT's tokenizer from its word list, one piece a line.
fn word_pieces(vocab: &Path, folder: &Path) -> Result<tokenizers::Tokenizer, String> {
    let model = WordPiece::from_file(&vocab.to_string_lossy())
        .unk_token("[UNK]".into())
        .build()
        .map_err(|e| e.to_string())?;
    let config = folder.join("tokenizer_config.json");
    let config: serde_json::Value = match std::fs::read_to_string(&config) {
        Ok(text) => {
            serde_json::from_str(&text).map_err(|e| format!("tokenizer_config.json: {e}"))?
        }
        Err(_) => serde_json::Value::Null,
    };
    let lower_case = config["do_lower_case"].as_bool().unwrap_or(true);
    let strip_accents = config["strip_accents"].as_bool();
    let chinese = config["tokenize_chinese_chars"].as_bool().unwrap_or(true);
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let special = |name: &str| {
        let id = tokenizer.token_to_id(name);
        id.map(|id| (name.to_owned(), id))
            .ok_or_else(|| format!("the vocabulary has no {name}"))
    };
    let (sep, cls) = (special("[SEP]")?, special("[CLS]")?);
    special("[UNK]")?;
    let specials: Vec<_> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        .into_iter()
        .filter(|t| tokenizer.token_to_id(t).is_some())
        .map(|t| tokenizers::AddedToken::from(t, true))
        .collect();
    tokenizer
        .with_normalizer(Some(BertNormalizer::new(
            true,
            chinese,
            strip_accents,
            lower_case,
        )))
        .map_err(|e| e.to_string())?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(BertProcessing::new(sep, cls)));
    tokenizer
        .add_special_tokens(specials)
        .map_err(|e| e.to_string())?;
    Ok(tokenizer)
}
