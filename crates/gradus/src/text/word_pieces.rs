use crate::Result;
use crate::model::fields::Fields;
use crate::model::files::{is_there, read_json};
use std::path::Path;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;

/// What `tokenizer_config.json` says of BERT's own tokenizer.
pub(super) struct BertOptions {
    lower_case: bool,
    strip_accents: Option<bool>,
    chinese: bool,
}

impl Default for BertOptions {
    fn default() -> Self {
        Self {
            lower_case: true,
            strip_accents: None,
            chinese: true,
        }
    }
}

impl BertOptions {
    /// Reads those of the model in `folder`, BERT's own where it says nothing.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer_config.json");
        let none = serde_json::Value::Object(serde_json::Map::new());
        let config = if is_there(&path)? {
            read_json(&path)?
        } else {
            none
        };
        let config = Fields::new(&path, &config)?;
        Ok(Self {
            lower_case: config.flag("do_lower_case")?.unwrap_or(true),
            strip_accents: config.flag("strip_accents")?,
            chinese: config.flag("tokenize_chinese_chars")?.unwrap_or(true),
        })
    }
}

/// BERT's tokenizer from its word list `vocab`, one piece a line.
pub(super) fn word_pieces(
    vocab: &str,
    options: &BertOptions,
) -> Result<tokenizers::Tokenizer, String> {
    let vocab = WordPiece::read_bytes(vocab.as_bytes()).map_err(|e| e.to_string())?;
    let model = WordPiece::builder()
        .vocab(vocab)
        .unk_token("[UNK]".into())
        .build()
        .map_err(|e| e.to_string())?;
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
            options.chinese,
            options.strip_accents,
            options.lower_case,
        )))
        .map_err(|e| e.to_string())?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(BertProcessing::new(sep, cls)));
    tokenizer
        .add_special_tokens(specials)
        .map_err(|e| e.to_string())?;
    Ok(tokenizer)
}
