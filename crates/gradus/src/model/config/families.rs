//! The keys and settings of each family's `config.json`.

use super::{Architecture, DEEPEST, EncoderConfig, FeedForward, Positions};
use crate::model::ModelError;
use crate::model::fields::{Fields, shorten};
use gradus_kernels::Activation;

/// What a family calls the settings that all have.
pub(super) struct Names {
    pub hidden_size: &'static str,
    pub layers: &'static str,
    pub heads: &'static str,
    pub intermediate_size: &'static str,
    pub activation: &'static str,
    pub hidden_dropout: &'static str,
    pub attention_dropout: &'static str,
}

const BERT: Names = Names {
    hidden_size: "hidden_size",
    layers: "num_hidden_layers",
    heads: "num_attention_heads",
    intermediate_size: "intermediate_size",
    activation: "hidden_act",
    hidden_dropout: "hidden_dropout_prob",
    attention_dropout: "attention_probs_dropout_prob",
};

const DISTILBERT: Names = Names {
    hidden_size: "dim",
    layers: "n_layers",
    heads: "n_heads",
    intermediate_size: "hidden_dim",
    activation: "activation",
    hidden_dropout: "dropout",
    attention_dropout: "attention_dropout",
};

impl Names {
    pub fn of(architecture: Architecture) -> &'static Self {
        match architecture {
            Architecture::Bert | Architecture::Roberta | Architecture::XlmRoberta => &BERT,
            Architecture::DistilBert => &DISTILBERT,
        }
    }
}

/// What all families have, under a family's names; positions from 0, as many
/// segments as BERT has, a plain feed-forward part.
fn common(
    fields: &Fields<'_>,
    architecture: Architecture,
    names: &Names,
) -> Result<EncoderConfig, ModelError> {
    let size = |key| fields.required(key, fields.size(key)?);
    let layers = fields.size_up_to(names.layers, DEEPEST)?;
    Ok(EncoderConfig {
        architecture,
        vocab_size: size("vocab_size")?,
        hidden_size: size(names.hidden_size)?,
        layers: fields.required(names.layers, layers)?,
        heads: size(names.heads)?,
        intermediate_size: size(names.intermediate_size)?,
        positions: Positions::Learned,
        max_positions: size("max_position_embeddings")?,
        first_position: 0,
        type_vocab_size: fields.size("type_vocab_size")?.unwrap_or(2),
        layer_norm_eps: epsilon(fields, "layer_norm_eps")?,
        feed_forward: FeedForward::Plain,
        activation: activation(fields, names.activation)?,
        hidden_dropout: probability(fields, names.hidden_dropout)?,
        attention_dropout: probability(fields, names.attention_dropout)?,
    })
}

/// BERT, and RoBERTa in its sizes.
pub(super) fn bert(
    fields: &Fields<'_>,
    architecture: Architecture,
) -> Result<EncoderConfig, ModelError> {
    let mut config = common(fields, architecture, &BERT)?;
    if architecture != Architecture::Bert {
        let padding = fields.index("pad_token_id")?.unwrap_or(1);
        config.first_position = padding.saturating_add(1);
    }
    only(
        fields,
        "position_embedding_type",
        fields.string("position_embedding_type")?,
        "absolute",
    )?;
    Ok(config)
}

/// DistilBERT, as transformers writes it.
pub(super) fn distilbert(fields: &Fields<'_>) -> Result<EncoderConfig, ModelError> {
    let config = common(fields, Architecture::DistilBert, &DISTILBERT)?;
    Ok(EncoderConfig {
        type_vocab_size: 0,
        // Not a setting in this family.
        layer_norm_eps: 1e-12,
        ..config
    })
}

/// Refuses a setting that is there and is not `supported`.
fn only(
    fields: &Fields<'_>,
    key: &'static str,
    found: Option<&str>,
    supported: &'static str,
) -> Result<(), ModelError> {
    match found {
        Some(found) if found != supported => {
            Err(fields.unsupported(key, shorten(found), supported))
        }
        _ => Ok(()),
    }
}

fn activation(fields: &Fields<'_>, key: &'static str) -> Result<Activation, ModelError> {
    let name = fields.string(key)?.unwrap_or("gelu");
    Activation::from_config_name(name).ok_or_else(|| {
        let supported = "gelu, gelu_new, gelu_pytorch_tanh, relu, silu, tanh";
        fields.unsupported(key, shorten(name), supported)
    })
}

/// Judged as the f32 it is used as: 0 would divide a constant row by 0.
fn epsilon(fields: &Fields<'_>, key: &str) -> Result<f32, ModelError> {
    let eps = fields.number(key)?.unwrap_or(1e-12) as f32;
    if !(eps > 0.0 && eps < 1.0) {
        return Err(fields.error(format!("`{key}` is {eps}, it must lie in (0, 1)")));
    }
    Ok(eps)
}

fn probability(fields: &Fields<'_>, key: &str) -> Result<f32, ModelError> {
    let p = fields.number(key)?.unwrap_or(0.1) as f32;
    if !(0.0..1.0).contains(&p) {
        return Err(fields.error(format!("`{key}` is {p}, it must lie in [0, 1)")));
    }
    Ok(p)
}
