//! What sentence-transformers keeps of a transformer: how texts are prepared.

use crate::Result;
use crate::families::EncoderConfig;
use crate::format::fields::Fields;
use crate::format::files::{is_there, read_json};
use crate::format::keys::{Group, Keys, TOKENIZER, Treatment};
use crate::text::TokenizerOverrides;
use Treatment::{NoEffect, Obeyed, Only};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The names of the file, the first that is there and not empty counts.
pub(crate) const FILES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

const WHERE_FROM: Group = (
    NoEffect("where files come from"),
    &[
        "trust_remote_code",
        "cache_dir",
        "token",
        "use_auth_token",
        "local_files_only",
        "force_download",
    ],
);

/// What `model_kwargs` hold.
pub(crate) const MODEL_KWARGS: Keys = Keys {
    title: "`model_kwargs` (older: `model_args`) there",
    groups: &[&[
        WHERE_FROM,
        (
            NoEffect("how it is computed, or a part that is not used"),
            &[
                "torch_dtype",
                "dtype",
                "attn_implementation",
                "device_map",
                "low_cpu_mem_usage",
                "use_safetensors",
                "add_pooling_layer",
            ],
        ),
    ]],
};

/// What `config_kwargs` hold.
pub(crate) const CONFIG_KWARGS: Keys = Keys {
    title: "`config_kwargs` (older: `config_args`) there",
    groups: &[&[
        WHERE_FROM,
        (
            NoEffect("how it is computed, not what"),
            &[
                "use_cache",
                "return_dict",
                "output_attentions",
                "output_hidden_states",
                "torch_dtype",
                "dtype",
                "attn_implementation",
                "use_memory_efficient_attention",
                "unpad_inputs",
            ],
        ),
    ]],
};

/// What `processing_kwargs` hold.
pub(crate) const PROCESSING: Keys = Keys {
    title: "`processing_kwargs` there",
    groups: &[&[
        (Obeyed, &["text", "common"]),
        (
            NoEffect("of other kinds of input"),
            &["audio", "image", "video", "chat_template"],
        ),
    ]],
};

/// What their `text` holds.
pub(crate) const PROCESSING_TEXT: Keys = Keys {
    title: "`text` and `common` in `processing_kwargs`",
    groups: &[&[
        (Obeyed, &["max_length"]),
        (
            Only(
                &["true", r#""longest_first""#, r#""only_first""#],
                "texts of any length",
            ),
            &["truncation"],
        ),
        (
            Only(&["true"], "texts without special tokens"),
            &["add_special_tokens"],
        ),
        (
            NoEffect("batches here have no padding"),
            &["padding", "padding_side", "pad_to_multiple_of"],
        ),
        (
            NoEffect("what is returned beside the tokens"),
            &[
                "return_tensors",
                "return_attention_mask",
                "return_length",
                "return_offsets_mapping",
                "return_special_tokens_mask",
                "logits_to_keep",
                "verbose",
            ],
        ),
    ]],
};

/// How texts are prepared.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TransformerSettings {
    /// The file that says so, where there is one.
    pub file: Option<PathBuf>,
    /// The longest input, by the folder's own words.
    most: Option<(PathBuf, &'static str, f64)>,
    /// What is put over `tokenizer_config.json`.
    pub tokenizer: TokenizerOverrides,
}

impl TransformerSettings {
    /// Reads those in the transformer's folder, whose keys are these.
    pub fn read(encoder: &Path, keys: Keys) -> Result<Self> {
        for file in FILES {
            let path = encoder.join(file);
            if !is_there(&path)? {
                continue;
            }
            let json = read_json(&path)?;
            if json.as_object().is_some_and(Map::is_empty) {
                continue;
            }
            return Self::parse(path, &json, keys);
        }
        Ok(Self::default())
    }

    fn parse(path: PathBuf, json: &Value, keys: Keys) -> Result<Self> {
        let fields = Fields::of(&path, json, keys)?;
        let within = |new: &str, old: &str, keys: Keys| -> Result<Option<&Value>> {
            // The older name wins, as there.
            let found = fields.get(old).or_else(|| fields.get(new));
            if let Some(found) = found {
                fields.within(found, keys)?;
            }
            Ok(found)
        };
        within("model_kwargs", "model_args", MODEL_KWARGS)?;
        within("config_kwargs", "config_args", CONFIG_KWARGS)?;
        let tokenizer = within("processor_kwargs", "tokenizer_args", TOKENIZER)?;
        let mut config = match tokenizer {
            Some(Value::Object(config)) => config.clone(),
            _ => Map::new(),
        };
        // Neither settles which class is taken.
        config.remove("tokenizer_class");
        config.retain(|_, value| !value.is_null());
        let limit = |key: &'static str, fields: &Fields<'_>| -> Result<_> {
            let number = fields.number(key)?;
            Ok(number.map(|n| (path.clone(), key, n)))
        };
        let mut most = None;
        if let Some(tokenizer) = tokenizer {
            most = limit("model_max_length", &fields.within(tokenizer, TOKENIZER)?)?;
        }
        if most.is_none() {
            most = limit("max_seq_length", &fields)?;
        }
        if let Some(processing) = fields.get("processing_kwargs") {
            let processing = fields.within(processing, PROCESSING)?;
            for kind in ["common", "text"] {
                if let Some(texts) = processing.get(kind) {
                    let texts = processing.within(texts, PROCESSING_TEXT)?;
                    most = limit("max_length", &texts)?.or(most);
                }
            }
        }
        let lower_case = fields.flag("do_lower_case")?.unwrap_or(false);
        Ok(Self {
            most,
            tokenizer: TokenizerOverrides { config, lower_case },
            file: Some(path),
        })
    }

    /// The longest input in tokens: by these settings, else by the tokenizer's,
    /// never more than positions reach for.
    pub fn max_tokens(&self, encoder: &Path, config: &EncoderConfig) -> Result<usize> {
        let reach = config.max_tokens();
        let said = match &self.most {
            Some(said) => Some(said.clone()),
            None => of_tokenizer(encoder)?,
        };
        match said {
            None => Ok(reach),
            // Tokenizers without a limit write 1e30.
            Some((_, _, limit)) if limit >= 1.0 => Ok((limit.min(1e9) as usize).min(reach)),
            Some((path, key, limit)) => {
                let message = format!("`{key}` is {limit}, which leaves no room for text");
                Err(crate::format::ModelError::Config { path, message }.into())
            }
        }
    }
}

fn of_tokenizer(encoder: &Path) -> Result<Option<(PathBuf, &'static str, f64)>> {
    let path = encoder.join("tokenizer_config.json");
    if !is_there(&path)? {
        return Ok(None);
    }
    let json = read_json(&path)?;
    let fields = Fields::of(&path, &json, TOKENIZER)?;
    for key in ["model_max_length", "max_len"] {
        if let Some(limit) = fields.number(key)? {
            return Ok(Some((path.clone(), key, limit)));
        }
    }
    Ok(None)
}
