//! Model folders for encoders that have learned nothing yet.

use super::save::{carry_tokenizer_across, write, write_json, write_modules, write_weights};
use super::transformer::TransformerSettings;
use super::{ModelFolder, Modules};
use crate::Result;
use crate::families::EncoderConfig;
use crate::format::ModelError;
use crate::nn::Layout;
use crate::nn::initial::initial_values;
use crate::output::replace_folder;
use crate::text::Tokenizer;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The sizes of a BERT that is made from nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshModel {
    /// Transformer layers.
    pub layers: usize,
    /// Width of the token vectors.
    pub hidden: usize,
    /// Attention heads per layer, a divisor of the width.
    pub heads: usize,
    /// Width between the two feed-forward matrices.
    pub intermediate: usize,
    /// Rows of the position table: the longest input it will ever take.
    pub max_tokens: usize,
    /// Dropout that it is to be trained with.
    pub dropout: f32,
}

/// Where a fresh model's tokenizer comes from.
#[derive(Debug, Clone)]
pub enum TokenizerFiles {
    /// Another model's folder.
    Of(PathBuf),
    /// The text of a `tokenizer.json` with BERT's tokens and special tokens.
    Json(String),
}

/// Writes a BERT with random weights, mean pooling and the given tokenizer to
/// `target`, in sentence-transformers' layout. A folder already there is
/// replaced.
///
/// # Errors
/// [`ModelError::Config`] for sizes that no model can have, errors of the
/// tokenizer's folder, and [`crate::Error::Io`].
pub fn write_fresh(
    target: &Path,
    sizes: &FreshModel,
    tokenizer: &TokenizerFiles,
    seed: u64,
) -> Result<()> {
    replace_folder(target, None, |folder| {
        fill(folder, target, sizes, tokenizer, seed)
    })?;
    Ok(())
}

fn fill(
    folder: &Path,
    target: &Path,
    sizes: &FreshModel,
    tokenizer: &TokenizerFiles,
    seed: u64,
) -> Result<()> {
    let mut transformer = TransformerSettings::default();
    match tokenizer {
        TokenizerFiles::Of(root) => {
            let source = ModelFolder::open(root)?;
            carry_tokenizer_across(&source, folder)?;
            transformer.tokenizer.lower_case = source.transformer.tokenizer.lower_case;
        }
        TokenizerFiles::Json(text) => {
            write(&folder.join("tokenizer.json"), text)?;
            write_json(
                folder,
                "tokenizer_config.json",
                &bert_tokenizer(sizes.max_tokens),
            )?;
        }
    }
    // Its ids are bounded by the vocabulary that it makes itself.
    let loaded = Tokenizer::load(folder, sizes.max_tokens, usize::MAX, 2)?;
    let vocabulary = loaded.vocabulary();
    let config = json!({
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "vocab_size": vocabulary.len(),
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.intermediate,
        "max_position_embeddings": sizes.max_tokens,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "hidden_dropout_prob": sizes.dropout,
        "attention_probs_dropout_prob": sizes.dropout,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "pad_token_id": vocabulary.padding().unwrap_or(0),
        "tie_word_embeddings": true,
    });
    // PairScores as what will be read from `target`.
    let path = target.join("config.json");
    let parsed = EncoderConfig::parse(&path, &config.to_string())?;
    write_json(folder, "config.json", &config)?;
    let described = ModelFolder {
        root: folder.to_path_buf(),
        encoder: folder.to_path_buf(),
        modules: Modules {
            described: true,
            ..Modules::assumed()
        },
        notes: Vec::new(),
        transformer,
        max_tokens: parsed.max_tokens(),
        config: parsed,
    };
    write_modules(folder, &described)?;
    let layout = Layout::with_mlm_head(&described.config, &[]);
    let mut arena = Vec::new();
    arena
        .try_reserve_exact(layout.len())
        .map_err(|_| ModelError::TooLarge {
            path: target.to_path_buf(),
            parameters: layout.len(),
        })?;
    for named in layout.named() {
        arena.extend(initial_values(named, seed));
    }
    write_weights(folder, &described, &layout, &arena, &[])
}

fn bert_tokenizer(max_tokens: usize) -> serde_json::Value {
    json!({
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": true,
        "strip_accents": null,
        "tokenize_chinese_chars": true,
        "model_max_length": max_tokens,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    })
}
