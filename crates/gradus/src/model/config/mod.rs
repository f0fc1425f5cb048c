use super::ModelError;
use super::fields::{Fields, shorten};
use super::files::parse_json;
use gradus_kernels::Activation;
use std::path::Path;

/// The supported families of transformer encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// BERT (Devlin et al. 2019).
    Bert,
    /// RoBERTa (Liu et al. 2019): positions start behind the padding id.
    Roberta,
    /// XLM-RoBERTa (Conneau et al. 2020): RoBERTa with another vocabulary.
    XlmRoberta,
}

impl Architecture {
    /// The name people use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "BERT",
            Self::Roberta => "RoBERTa",
            Self::XlmRoberta => "XLM-RoBERTa",
        }
    }
}

/// What `config.json` says about an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// The family.
    pub architecture: Architecture,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Width of the token vectors.
    pub hidden_size: usize,
    /// Number of transformer layers.
    pub layers: usize,
    /// Attention heads per layer.
    pub heads: usize,
    /// Width between the two feed-forward matrices.
    pub intermediate_size: usize,
    /// Rows of the position table.
    pub max_positions: usize,
    /// Rows of the segment table.
    pub type_vocab_size: usize,
    /// Added to variances in layer norms.
    pub layer_norm_eps: f32,
    /// Between the feed-forward matrices.
    pub activation: Activation,
    /// Dropout probability of hidden states in training.
    pub hidden_dropout: f32,
    /// Dropout probability of attention in training.
    pub attention_dropout: f32,
    /// Position of the first token.
    pub first_position: usize,
}

/// Deeper than any encoder there is; every layer costs memory before the
/// weights are seen.
const DEEPEST: usize = 1 << 10;

impl EncoderConfig {
    /// Parses the `config.json` at `path`, whose text is `json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for text that is no such configuration,
    /// [`ModelError::Unsupported`] for what this version cannot run.
    pub fn parse(path: &Path, json: &str) -> Result<Self, ModelError> {
        let unsupported = |what, found: String, supported| ModelError::Unsupported {
            path: path.to_path_buf(),
            what,
            found,
            supported,
        };
        let value = parse_json(path, json)?;
        let fields = Fields::new(path, &value)?;
        // The family first: another family's file may lack our fields.
        let architecture = match fields.string("model_type")? {
            Some("bert") => Architecture::Bert,
            Some("roberta" | "camembert") => Architecture::Roberta,
            Some("xlm-roberta") => Architecture::XlmRoberta,
            other => {
                let found = other.map_or("no `model_type`".into(), |t| format!("`{}`", shorten(t)));
                let supported = "bert, roberta, camembert, xlm-roberta";
                return Err(unsupported("architecture", found, supported));
            }
        };
        let size = |key| fields.required(key, fields.size(key)?);
        let most_layers = fields.size_up_to("num_hidden_layers", DEEPEST)?;
        let config = Self {
            architecture,
            vocab_size: size("vocab_size")?,
            hidden_size: size("hidden_size")?,
            layers: fields.required("num_hidden_layers", most_layers)?,
            heads: size("num_attention_heads")?,
            intermediate_size: size("intermediate_size")?,
            max_positions: size("max_position_embeddings")?,
            type_vocab_size: fields.size("type_vocab_size")?.unwrap_or(2),
            layer_norm_eps: fields.number("layer_norm_eps")?.unwrap_or(1e-12) as f32,
            activation: {
                let name = fields.string("hidden_act")?.unwrap_or("gelu");
                Activation::from_config_name(name).ok_or_else(|| {
                    let supported = "gelu, gelu_new, gelu_pytorch_tanh, relu, tanh";
                    unsupported("hidden_act", shorten(name), supported)
                })?
            },
            hidden_dropout: probability(&fields, "hidden_dropout_prob")?,
            attention_dropout: probability(&fields, "attention_probs_dropout_prob")?,
            first_position: match architecture {
                Architecture::Bert => 0,
                _ => fields.index("pad_token_id")?.unwrap_or(1).saturating_add(1),
            },
        };
        if !config.hidden_size.is_multiple_of(config.heads) {
            return Err(fields.error(format!(
                "`hidden_size` {} is not a multiple of `num_attention_heads` {}",
                config.hidden_size, config.heads
            )));
        }
        let kind = fields.string("position_embedding_type")?;
        if let Some(kind) = kind.filter(|k| *k != "absolute") {
            let kind = shorten(kind);
            return Err(unsupported("position_embedding_type", kind, "absolute"));
        }
        if fields.flag("is_decoder")? == Some(true) {
            return Err(unsupported("mode", "`is_decoder`".into(), "encoders"));
        }
        // Judged as the f32 it is used as: 0 would divide a constant row by 0.
        if !(config.layer_norm_eps > 0.0 && config.layer_norm_eps < 1.0) {
            let eps = config.layer_norm_eps;
            return Err(fields.error(format!("`layer_norm_eps` is {eps}, it must lie in (0, 1)")));
        }
        if config.first_position >= config.max_positions {
            return Err(fields.error(format!(
                "`max_position_embeddings` {} leaves no room: positions start at {}",
                config.max_positions, config.first_position
            )));
        }
        Ok(config)
    }

    /// The longest sequence of tokens the position table has room for.
    pub fn max_tokens(&self) -> usize {
        self.max_positions - self.first_position
    }
}

fn probability(fields: &Fields<'_>, key: &str) -> Result<f32, ModelError> {
    let p = fields.number(key)?.unwrap_or(0.1) as f32;
    if !(0.0..1.0).contains(&p) {
        return Err(fields.error(format!("`{key}` is {p}, it must lie in [0, 1)")));
    }
    Ok(p)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(change: impl FnOnce(&mut serde_json::Value)) -> Result<EncoderConfig, ModelError> {
        let mut json = serde_json::json!({
            "model_type": "bert", "vocab_size": 100, "hidden_size": 12, "num_hidden_layers": 2,
            "num_attention_heads": 3, "intermediate_size": 24, "max_position_embeddings": 40,
            "pad_token_id": 1
        });
        change(&mut json);
        EncoderConfig::parse(Path::new("config.json"), &json.to_string())
    }

    #[test]
    fn families_place_their_first_token() {
        let bert = parse(|_| {}).unwrap();
        assert_eq!((bert.first_position, bert.max_tokens()), (0, 40));
        let roberta = parse(|c| c["model_type"] = "roberta".into()).unwrap();
        assert_eq!((roberta.first_position, roberta.max_tokens()), (2, 38));
    }

    #[test]
    fn refusals_name_the_field() {
        for (change, expected) in [
            (
                ("model_type", serde_json::json!("gpt2")),
                "unsupported architecture: `gpt2`",
            ),
            (("model_type", serde_json::json!(null)), "no `model_type`"),
            (
                ("num_attention_heads", serde_json::json!(5)),
                "not a multiple",
            ),
            (("hidden_size", serde_json::json!(0)), "`hidden_size` is 0"),
            (
                ("hidden_size", serde_json::json!(1u64 << 40)),
                "`hidden_size`",
            ),
            (
                ("hidden_size", serde_json::json!(-3)),
                "`hidden_size` is -3",
            ),
            (
                ("num_hidden_layers", serde_json::json!(1025)),
                "a whole number from 1 to 1024",
            ),
            (
                ("layer_norm_eps", serde_json::json!(1e-60)),
                "`layer_norm_eps` is 0",
            ),
            (
                ("hidden_act", serde_json::json!("silu")),
                "unsupported hidden_act: silu",
            ),
            (
                ("position_embedding_type", serde_json::json!("relative_key")),
                "relative_key",
            ),
            (
                ("hidden_dropout_prob", serde_json::json!(1.5)),
                "`hidden_dropout_prob` is 1.5",
            ),
            (
                ("layer_norm_eps", serde_json::json!(-1.0)),
                "`layer_norm_eps`",
            ),
        ] {
            let error = parse(|c| c[change.0] = change.1).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.starts_with("config.json: "), "{error}");
        }
        assert!(
            parse(|c| {
                c.as_object_mut().unwrap().remove("vocab_size");
            })
            .unwrap_err()
            .to_string()
            .contains("vocab_size")
        );
    }
}
