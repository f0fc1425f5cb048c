//! The head that predicts masked tokens from token vectors.

use super::layout::builder::Builder;
use crate::families::{Architecture, EncoderConfig};
use gradus_kernels::{Activation, Linear, NormSpec, View};

/// Where the head's parameters lie: a dense layer with an activation and a
/// layer norm, then a decoder whose weight is the embedding of words and whose
/// bias is its own (Devlin et al. 2019).
#[derive(Debug, Clone)]
pub(crate) struct MlmHead {
    pub dense: Linear,
    /// After the dense layer.
    pub activation: Activation,
    pub norm: NormSpec,
    pub decoder: Linear,
}

/// What the family calls the head's parts.
struct Names {
    dense: &'static str,
    norm: &'static str,
    bias: &'static str,
}

/// Whether this version knows the family's head.
pub(crate) fn is_known(architecture: Architecture) -> bool {
    use Architecture::{Bert, DistilBert, MpNet, Roberta, XlmRoberta};
    matches!(
        architecture,
        Bert | Roberta | XlmRoberta | DistilBert | MpNet
    )
}

fn names(architecture: Architecture) -> Names {
    match architecture {
        Architecture::Roberta | Architecture::XlmRoberta | Architecture::MpNet => Names {
            dense: "lm_head.dense",
            norm: "lm_head.layer_norm",
            bias: "lm_head.bias",
        },
        Architecture::DistilBert => Names {
            dense: "vocab_transform",
            norm: "vocab_layer_norm",
            bias: "vocab_projector.bias",
        },
        _ => Names {
            dense: "cls.predictions.transform.dense",
            norm: "cls.predictions.transform.LayerNorm",
            bias: "cls.predictions.bias",
        },
    }
}

impl MlmHead {
    /// For a family that [`is_known`].
    pub(crate) fn new(b: &mut Builder, config: &EncoderConfig, words: View) -> Self {
        let (width, names) = (config.hidden_size, names(config.architecture));
        Self {
            dense: b.linear(names.dense, width, width, true),
            activation: match config.architecture {
                Architecture::Bert | Architecture::DistilBert => config.activation,
                // The heads of RoBERTa and MPNet have this one whatever the
                // encoder has.
                _ => Activation::Gelu,
            },
            norm: b.norm(names.norm, width, config.layer_norm_eps),
            decoder: Linear {
                weight: words,
                bias: Some(b.add(names.bias.into(), 1, config.vocab_size, true)),
            },
        }
    }
}

/// Whether a tensor's name is that of a part of such a head.
pub(crate) fn is_of_mlm_head(name: &str) -> bool {
    const PARTS: [&str; 5] = [
        "cls.predictions.",
        "lm_head.",
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
    ];
    PARTS.iter().any(|part| name.starts_with(part))
}

/// The prefix under which transformers keeps an encoder beside such a head.
pub(crate) fn encoder_prefix(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Roberta | Architecture::XlmRoberta => "roberta.",
        Architecture::DistilBert => "distilbert.",
        Architecture::MpNet => "mpnet.",
        Architecture::Electra => "electra.",
        _ => "bert.",
    }
}
