//! What a folder says of its cross-encoder: labels, activation, dropout of the head.

use super::ScoreActivation;
use crate::Result;
use crate::families::Architecture;
use crate::format::ModelError;
use crate::format::fields::{Fields, brief, shorten};
use crate::format::files::{is_there, read_json};
use crate::format::keys::CROSS_ENCODER;
use crate::format::prompts;
use crate::models::ModelFolder;
use crate::nn::layout::Layout;
use serde_json::Value;
use std::path::Path;

/// What the descriptions say of the head.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeadDescription {
    /// How many labels it has; `None` where the folder is of a model without a head.
    pub labels: Option<usize>,
    /// What is done to logits; `None` for the default.
    pub activation: Option<ScoreActivation>,
    /// Dropout probability in training.
    pub dropout: f32,
}

/// A cross-encoder's description: everything but weights and tokenizer.
#[derive(Debug, Clone)]
pub struct CrossDescription {
    /// That of its folder.
    pub folder: ModelFolder,
    /// How many scores a pair gets.
    pub labels: usize,
    /// What is done to logits.
    pub activation: ScoreActivation,
    /// How many parameters it has, its head's included.
    pub parameters: usize,
}

impl CrossDescription {
    /// Reads the description of the cross-encoder in `root`.
    ///
    /// # Errors
    /// As [`CrossEncoder::load`](super::CrossEncoder::load), but for what only weights
    /// and tokenizer show.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let folder = ModelFolder::open_cross_encoder(root)?;
        let head = HeadDescription::read(&folder)?;
        let Some(labels) = head.labels else {
            return Err(super::not_a_cross_encoder(&folder).into());
        };
        super::check_family(&folder)?;
        Ok(Self {
            parameters: Layout::with_sequence_head(&folder.config, labels).len(),
            labels,
            activation: head
                .activation
                .unwrap_or(ScoreActivation::default_of(labels)),
            folder,
        })
    }
}

/// Whether `config.json` says that sentence-transformers' CrossEncoder, or one here,
/// was saved with it: such a model was made to score pairs.
pub(crate) fn is_of_library(config: &Value) -> bool {
    let newer = config.get("sentence_transformers");
    newer.and_then(|of| of.get("activation_fn")).is_some()
        || config.get("sbert_ce_default_activation_function").is_some()
}

/// More labels than any classifier of pairs has.
const MOST_LABELS: usize = 1 << 16;

impl HeadDescription {
    /// Reads `config.json` and, beside a `modules.json`,
    /// `config_sentence_transformers.json`, whose activation comes first: as
    /// sentence-transformers does.
    pub fn read(folder: &ModelFolder) -> Result<Self> {
        let path = folder.encoder.join("config.json");
        let json = read_json(&path)?;
        let fields = Fields::new(&path, &json)?;
        let named = match folder.modules.described {
            true => of_library(&folder.root)?,
            false => None,
        };
        let labels = match is_classifier(&json) {
            true => Some(labels(&fields)?),
            false => None,
        };
        let activation = match named {
            Some(activation) => Some(activation),
            None => of_config(&fields)?,
        };
        let dropout = dropout(&fields, folder)?;
        Ok(Self {
            labels,
            activation,
            dropout,
        })
    }
}

/// Whether a `config.json` is of a model that scores whole inputs.
pub(crate) fn is_classifier(config: &Value) -> bool {
    let names = config.get("architectures").and_then(Value::as_array);
    let first = names
        .and_then(|names| names.first())
        .and_then(Value::as_str);
    first.is_some_and(|name| name.ends_with("ForSequenceClassification"))
}

/// As transformers has it: as many as `id2label` names, else `num_labels`, else 2.
fn labels(fields: &Fields<'_>) -> Result<usize, ModelError> {
    let number = fields.size_up_to("num_labels", MOST_LABELS)?;
    match fields.get("id2label") {
        None => Ok(number.unwrap_or(2)),
        Some(Value::Object(names)) if (1..=MOST_LABELS).contains(&names.len()) => Ok(names.len()),
        Some(other) => Err(fields.error(format!(
            "`id2label` is {}, which names no labels",
            brief(other)
        ))),
    }
}

/// The activation in `config.json`, in its newer or older place.
fn of_config(fields: &Fields<'_>) -> Result<Option<ScoreActivation>, ModelError> {
    let newer = fields.get("sentence_transformers");
    let newer = newer.and_then(|of| of.get("activation_fn"));
    let older = fields.get("sbert_ce_default_activation_function");
    match newer.or(older) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => activation(fields, name),
        Some(other) => Err(fields.error(format!(
            "the activation function is {}, not a name",
            brief(other)
        ))),
    }
}

fn of_library(root: &Path) -> Result<Option<ScoreActivation>> {
    let path = root.join(prompts::FILE);
    if !is_there(&path)? {
        return Ok(None);
    }
    let json = read_json(&path)?;
    // Of a sentence encoder it says nothing of scores.
    if json.get("model_type").and_then(Value::as_str) != Some("CrossEncoder") {
        return Ok(None);
    }
    let fields = Fields::of(&path, &json, CROSS_ENCODER)?;
    match fields.string("activation_fn")? {
        None => Ok(None),
        Some(name) => Ok(activation(&fields, name)?),
    }
}

/// The activation of a name; names of other code count as absent, as in
/// sentence-transformers, which does not run it.
fn activation(fields: &Fields<'_>, name: &str) -> Result<Option<ScoreActivation>, ModelError> {
    if !name.starts_with("torch.") {
        return Ok(None);
    }
    let found = ScoreActivation::of_torch(name);
    let found = found.ok_or_else(|| {
        let supported = "Sigmoid and Identity of torch.nn";
        fields.unsupported(
            "activation function",
            format!("`{}`", shorten(name)),
            supported,
        )
    });
    found.map(Some)
}

/// The head's probability of dropout, as transformers reads it.
fn dropout(fields: &Fields<'_>, folder: &ModelFolder) -> Result<f32, ModelError> {
    let (key, default) = match folder.config.architecture {
        Architecture::DistilBert => ("seq_classif_dropout", 0.2),
        // It has no setting of its own.
        Architecture::MpNet => return Ok(folder.config.hidden_dropout),
        _ => ("classifier_dropout", folder.config.hidden_dropout),
    };
    match fields.number(key)? {
        None => Ok(default),
        Some(p) if (0.0..1.0).contains(&p) => Ok(p as f32),
        Some(p) => Err(fields.error(format!("`{key}` is {p}, not from 0 to below 1"))),
    }
}
