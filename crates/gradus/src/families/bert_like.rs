//! The keys and settings of each family's `config.json`.

use super::encoder_config::{Architecture, DEEPEST, EncoderConfig, FeedForward, Positions};
use super::keys;
use crate::format::ModelError;
use crate::format::fields::{Fields, brief, shorten};
use gradus_kernels::{Activation, GateOrder, Rotary};

/// What a family calls the settings that all have.
pub(crate) struct KeyNames {
    pub hidden_size: &'static str,
    pub layers: &'static str,
    pub heads: &'static str,
    pub intermediate_size: &'static str,
    pub activation: &'static str,
    pub hidden_dropout: &'static str,
    pub attention_dropout: &'static str,
}

const BERT: KeyNames = KeyNames {
    hidden_size: "hidden_size",
    layers: "num_hidden_layers",
    heads: "num_attention_heads",
    intermediate_size: "intermediate_size",
    activation: "hidden_act",
    hidden_dropout: "hidden_dropout_prob",
    attention_dropout: "attention_probs_dropout_prob",
};

const DISTILBERT: KeyNames = KeyNames {
    hidden_size: "dim",
    layers: "n_layers",
    heads: "n_heads",
    intermediate_size: "hidden_dim",
    activation: "activation",
    hidden_dropout: "dropout",
    attention_dropout: "attention_dropout",
};

/// Nomic BERT's own keys, those of GPT-2. transformers has BERT's instead, and
/// published files have both.
const NOMIC_BERT: KeyNames = KeyNames {
    hidden_size: "n_embd",
    layers: "n_layer",
    heads: "n_head",
    intermediate_size: "n_inner",
    activation: "activation_function",
    hidden_dropout: "resid_pdrop",
    attention_dropout: "attn_pdrop",
};

/// What all families call the number of layers.
pub(crate) const LAYERS: [&str; 3] = [BERT.layers, DISTILBERT.layers, NOMIC_BERT.layers];

/// What all call the width within the feed-forward parts.
pub(crate) const INNER: [&str; 3] = [
    BERT.intermediate_size,
    DISTILBERT.intermediate_size,
    NOMIC_BERT.intermediate_size,
];

impl KeyNames {
    pub fn of(architecture: Architecture) -> &'static Self {
        match architecture {
            Architecture::Bert
            | Architecture::Roberta
            | Architecture::XlmRoberta
            | Architecture::JinaBert
            | Architecture::JinaBertQkNorm
            | Architecture::Electra
            | Architecture::MpNet => &BERT,
            Architecture::DistilBert => &DISTILBERT,
            Architecture::NomicBert => &NOMIC_BERT,
        }
    }
}

/// What all families have, under a family's names; positions from 0, no
/// segments, a plain feed-forward part.
fn common(
    fields: &Fields<'_>,
    architecture: Architecture,
    names: &KeyNames,
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
        type_vocab_size: 0,
        // Not a setting in DistilBERT.
        layer_norm_eps: match architecture {
            Architecture::DistilBert => 1e-12,
            _ => epsilon(fields, "layer_norm_eps")?,
        },
        feed_forward: FeedForward::Plain,
        activation: activation(fields, names.activation)?,
        hidden_dropout: probability(fields, names.hidden_dropout)?,
        attention_dropout: probability(fields, names.attention_dropout)?,
    })
}

/// Rows of the segment table.
fn segments(fields: &Fields<'_>) -> Result<usize, ModelError> {
    Ok(fields.size("type_vocab_size")?.unwrap_or(2))
}

/// BERT, and RoBERTa in its sizes.
pub(crate) fn bert(
    fields: &Fields<'_>,
    architecture: Architecture,
) -> Result<EncoderConfig, ModelError> {
    let mut config = common(fields, architecture, &BERT)?;
    config.type_vocab_size = segments(fields)?;
    if architecture != Architecture::Bert {
        let padding = fields.index("pad_token_id")?.unwrap_or(1);
        config.first_position = padding.saturating_add(1);
    }
    let kind = fields.string("position_embedding_type")?;
    only(fields, "position_embedding_type", kind, "absolute")?;
    let kind = fields.string("feed_forward_type")?;
    only(fields, "feed_forward_type", kind, "original")?;
    Ok(config)
}

/// ELECTRA, whose embeddings may be narrower than its layers; those of the base and
/// large models are not.
pub(crate) fn electra(fields: &Fields<'_>) -> Result<EncoderConfig, ModelError> {
    let config = EncoderConfig {
        type_vocab_size: segments(fields)?,
        ..common(fields, Architecture::Electra, &BERT)?
    };
    let kind = fields.string("position_embedding_type")?;
    only(fields, "position_embedding_type", kind, "absolute")?;
    // transformers' default.
    let width = fields.size("embedding_size")?.unwrap_or(128);
    if width != config.hidden_size {
        return Err(fields.unsupported(
            "embedding_size",
            format!("{width}, narrower or wider than the layers"),
            "as many as `hidden_size`, as in the base and large models",
        ));
    }
    Ok(config)
}

/// DistilBERT, as transformers writes it.
pub(crate) fn distilbert(fields: &Fields<'_>) -> Result<EncoderConfig, ModelError> {
    // transformers knows three of its settings by BERT's names too.
    for (own, other) in [
        (DISTILBERT.hidden_size, BERT.hidden_size),
        (DISTILBERT.layers, BERT.layers),
        (DISTILBERT.heads, BERT.heads),
    ] {
        let values = (fields.index(own)?, fields.index(other)?);
        either(fields, (own, values.0), (other, values.1))?;
    }
    common(fields, Architecture::DistilBert, &DISTILBERT)
}

/// Jina BERT as in the published files of jina-embeddings-v2. A variant with norms
/// of queries and keys has the same settings; the name of its code tells it.
pub(crate) fn jina_bert(fields: &Fields<'_>) -> Result<EncoderConfig, ModelError> {
    let code = [fields.get("_name_or_path"), fields.get("auto_map")];
    let mut code = code.into_iter().flatten().map(|v| v.to_string());
    let (architecture, order) = match code.any(|c| c.contains("qk-post-norm")) {
        true => (Architecture::JinaBertQkNorm, GateOrder::UpFirst),
        false => (Architecture::JinaBert, GateOrder::GateFirst),
    };
    let config = common(fields, architecture, &BERT)?;
    let activation = match fields.string("feed_forward_type")? {
        Some("geglu") => Activation::Gelu,
        Some("reglu") => Activation::Relu,
        other => {
            let found = shorten(other.unwrap_or("original"));
            return Err(fields.unsupported("feed_forward_type", found, "geglu, reglu"));
        }
    };
    Ok(EncoderConfig {
        type_vocab_size: segments(fields)?,
        positions: Positions::Alibi,
        feed_forward: FeedForward::Gated {
            order,
            inner_dropout: true,
        },
        activation,
        ..config
    })
}

/// MPNet, as transformers writes it. Positions start behind id 1 whatever the
/// padding id is, and the bias has the 32 buckets up to 128 of its code.
pub(crate) fn mpnet(fields: &Fields<'_>) -> Result<EncoderConfig, ModelError> {
    const BUCKETS: usize = 32;
    let buckets = fields.index("relative_attention_num_buckets")?;
    if let Some(buckets) = buckets.filter(|b| *b != BUCKETS) {
        let key = "relative_attention_num_buckets";
        return Err(fields.unsupported(key, buckets.to_string(), "32"));
    }
    Ok(EncoderConfig {
        positions: Positions::Relative {
            buckets: BUCKETS,
            max_distance: 128,
        },
        first_position: 2,
        ..common(fields, Architecture::MpNet, &BERT)?
    })
}

/// Nomic BERT under its own keys, transformers' or both.
pub(crate) fn nomic_bert(fields: &Fields<'_>) -> Result<EncoderConfig, ModelError> {
    refuse_other_nomic(fields)?;
    let size = |own, other| {
        let found = either(
            fields,
            (own, fields.size(own)?),
            (other, fields.size(other)?),
        )?;
        fields.required(own, found)
    };
    let number = |own, other| {
        either(
            fields,
            (own, fields.number(own)?),
            (other, fields.number(other)?),
        )
    };
    let layers = size(NOMIC_BERT.layers, BERT.layers)?;
    if layers > DEEPEST {
        let key = NOMIC_BERT.layers;
        return Err(fields.error(format!(
            "`{key}` is {layers}, not a whole number from 1 to {DEEPEST}"
        )));
    }
    // Behind the positions of its training, its own code turns at other speeds.
    let trained = fields.size("max_trained_positions")?.unwrap_or(2048);
    let max_positions = match fields.size("max_position_embeddings")? {
        Some(most) => most,
        None => fields.required("n_positions", fields.size("n_positions")?)?,
    };
    let segments = fields.index("type_vocab_size")?.filter(|n| *n == 0);
    number("layer_norm_epsilon", "layer_norm_eps")?;
    let eps = match fields.get("layer_norm_epsilon") {
        Some(_) => "layer_norm_epsilon",
        None => "layer_norm_eps",
    };
    let dropout = |own, other| match number(own, other)? {
        None => Ok(0.0),
        Some(_) => match fields.get(own) {
            Some(_) => probability(fields, own),
            None => probability(fields, other),
        },
    };
    let config = EncoderConfig {
        architecture: Architecture::NomicBert,
        vocab_size: fields.required("vocab_size", fields.size("vocab_size")?)?,
        hidden_size: size(NOMIC_BERT.hidden_size, BERT.hidden_size)?,
        layers,
        heads: size(NOMIC_BERT.heads, BERT.heads)?,
        intermediate_size: size(NOMIC_BERT.intermediate_size, BERT.intermediate_size)?,
        positions: Positions::Rotary(Rotary {
            base: rotary_base(fields)?,
        }),
        max_positions: max_positions.min(trained),
        first_position: 0,
        type_vocab_size: match segments {
            Some(none) => none,
            None => fields.size("type_vocab_size")?.unwrap_or(2),
        },
        layer_norm_eps: epsilon(fields, eps)?,
        feed_forward: FeedForward::Gated {
            order: GateOrder::UpFirst,
            inner_dropout: false,
        },
        activation: match fields.string(NOMIC_BERT.activation)? {
            Some("swiglu") => Activation::Silu,
            Some("geglu") => Activation::Gelu,
            Some(other) => {
                let key = NOMIC_BERT.activation;
                return Err(fields.unsupported(key, shorten(other), "swiglu, geglu"));
            }
            None => {
                fields.required(BERT.activation, fields.string(BERT.activation)?)?;
                activation(fields, BERT.activation)?
            }
        },
        hidden_dropout: dropout(NOMIC_BERT.hidden_dropout, BERT.hidden_dropout)?,
        attention_dropout: dropout(NOMIC_BERT.attention_dropout, BERT.attention_dropout)?,
    };
    match fields.index("head_dim")? {
        Some(size) if size != config.hidden_size / config.heads => {
            let supported = "the width divided by the number of heads";
            Err(fields.unsupported("head_dim", size.to_string(), supported))
        }
        _ => Ok(config),
    }
}

/// What Nomic BERT's code could also be told to do.
fn refuse_other_nomic(fields: &Fields<'_>) -> Result<(), ModelError> {
    let experts = "moe_every_n_layers";
    if let Some(n) = fields.index(experts)?.filter(|n| *n > 0) {
        return Err(fields.unsupported(experts, n.to_string(), "0: no mixture of experts"));
    }
    let fraction = "rotary_emb_fraction";
    if let Some(part) = fields.number(fraction)?.filter(|f| *f != 1.0) {
        return Err(fields.unsupported(fraction, part.to_string(), "1"));
    }
    let scale = "rotary_emb_scale_base";
    if let Some(base) = fields.get(scale) {
        return Err(fields.unsupported(scale, brief(base), "null"));
    }
    let embedded = "embd_pdrop";
    if let Some(p) = fields.number(embedded)? {
        let hidden = fields.number(NOMIC_BERT.hidden_dropout)?;
        if hidden.is_some_and(|h| h != p) {
            return Err(fields.unsupported(embedded, p.to_string(), "what `resid_pdrop` is"));
        }
    }
    Ok(())
}

/// The base of the turns: `rotary_emb_base`, or `rope_theta` among transformers'
/// `rope_parameters`.
fn rotary_base(fields: &Fields<'_>) -> Result<f32, ModelError> {
    const OWN: &str = "rotary_emb_base";
    const OTHER: &str = "rope_theta";
    let own = fields.number(OWN)?;
    let other = match fields.get("rope_parameters") {
        None => None,
        Some(parameters) => {
            let parameters = fields.within(parameters, keys::ROPE)?;
            let kind = parameters.string("rope_type")?;
            only(&parameters, "rope_type", kind, "default")?;
            parameters.number(OTHER)?
        }
    };
    let base = either(fields, (OWN, own), (OTHER, other))?;
    let base = fields.required(OWN, base)? as f32;
    if !(base >= 1.0 && base.is_finite()) {
        return Err(fields.error(format!("`{OWN}` is {base}, it must be at least 1")));
    }
    Ok(base)
}

/// The value of a setting with two keys, which must agree where both are there.
fn either<T: PartialEq + std::fmt::Display>(
    fields: &Fields<'_>,
    (own, first): (&str, Option<T>),
    (other, second): (&str, Option<T>),
) -> Result<Option<T>, ModelError> {
    match (first, second) {
        (Some(a), Some(b)) if a != b => {
            Err(fields.error(format!("`{own}` is {a} and `{other}` is {b}")))
        }
        (a, b) => Ok(a.or(b)),
    }
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

/// PairScores as the f32 it is used as: 0 would divide a constant row by 0.
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
