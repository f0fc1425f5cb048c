use super::ModelError;
use gradus_kernels::Activation;
use serde::Deserialize;
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

#[derive(Deserialize)]
struct Raw {
    model_type: Option<String>,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "default_eps")]
    layer_norm_eps: f64,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "tenth")]
    hidden_dropout_prob: f32,
    #[serde(default = "tenth")]
    attention_probs_dropout_prob: f32,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

fn two() -> usize {
    2
}
fn tenth() -> f32 {
    0.1
}
fn default_eps() -> f64 {
    1e-12
}
fn gelu() -> String {
    "gelu".into()
}

/// Larger than any encoder there is; keeps hostile sizes from overflowing.
const LARGEST: usize = 1 << 24;

impl EncoderConfig {
    /// Parses the `config.json` at `path`, whose text is `json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for text that is no such configuration,
    /// [`ModelError::Unsupported`] for what this version cannot run.
    pub fn parse(path: &Path, json: &str) -> Result<Self, ModelError> {
        let bad = |message: String| ModelError::Config {
            path: path.to_path_buf(),
            message,
        };
        let unsupported = |what, found: String, supported| ModelError::Unsupported {
            path: path.to_path_buf(),
            what,
            found,
            supported,
        };
        // The family first: another family's file may lack our fields.
        let value: serde_json::Value =
            serde_json::from_str(json).map_err(|e| bad(e.to_string()))?;
        let architecture = match value["model_type"].as_str() {
            Some("bert") => Architecture::Bert,
            Some("roberta" | "camembert") => Architecture::Roberta,
            Some("xlm-roberta") => Architecture::XlmRoberta,
            other => {
                let found = other.map_or("no `model_type`".into(), |t| format!("`{t}`"));
                let supported = "bert, roberta, camembert, xlm-roberta";
                return Err(unsupported("architecture", found, supported));
            }
        };
        let raw: Raw = serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
        debug_assert!(raw.model_type.is_some());
        for (name, size) in [
            ("vocab_size", raw.vocab_size),
            ("hidden_size", raw.hidden_size),
            ("num_hidden_layers", raw.num_hidden_layers),
            ("num_attention_heads", raw.num_attention_heads),
            ("intermediate_size", raw.intermediate_size),
            ("max_position_embeddings", raw.max_position_embeddings),
            ("type_vocab_size", raw.type_vocab_size),
        ] {
            if size == 0 || size > LARGEST {
                return Err(bad(format!("`{name}` is {size}, which no encoder has")));
            }
        }
        if !raw.hidden_size.is_multiple_of(raw.num_attention_heads) {
            return Err(bad(format!(
                "`hidden_size` {} is not a multiple of `num_attention_heads` {}",
                raw.hidden_size, raw.num_attention_heads
            )));
        }
        if let Some(kind) = raw.position_embedding_type.filter(|k| k != "absolute") {
            return Err(unsupported("position_embedding_type", kind, "absolute"));
        }
        if raw.is_decoder {
            return Err(unsupported("mode", "`is_decoder`".into(), "encoders"));
        }
        let activation = Activation::from_config_name(&raw.hidden_act).ok_or_else(|| {
            let supported = "gelu, gelu_new, gelu_pytorch_tanh, relu, tanh";
            unsupported("hidden_act", raw.hidden_act.clone(), supported)
        })?;
        for (name, p) in [
            ("hidden_dropout_prob", raw.hidden_dropout_prob),
            (
                "attention_probs_dropout_prob",
                raw.attention_probs_dropout_prob,
            ),
        ] {
            if !(0.0..1.0).contains(&p) {
                return Err(bad(format!("`{name}` is {p}, it must lie in [0, 1)")));
            }
        }
        if !(raw.layer_norm_eps >= 0.0 && raw.layer_norm_eps < 1.0) {
            return Err(bad(format!("`layer_norm_eps` is {}", raw.layer_norm_eps)));
        }
        let first_position = match architecture {
            Architecture::Bert => 0,
            _ => raw.pad_token_id.unwrap_or(1) + 1,
        };
        if first_position >= raw.max_position_embeddings {
            return Err(bad(format!(
                "`max_position_embeddings` {} leaves no room: positions start at {first_position}",
                raw.max_position_embeddings
            )));
        }
        Ok(Self {
            architecture,
            vocab_size: raw.vocab_size,
            hidden_size: raw.hidden_size,
            layers: raw.num_hidden_layers,
            heads: raw.num_attention_heads,
            intermediate_size: raw.intermediate_size,
            max_positions: raw.max_position_embeddings,
            type_vocab_size: raw.type_vocab_size,
            layer_norm_eps: raw.layer_norm_eps as f32,
            activation,
            hidden_dropout: raw.hidden_dropout_prob,
            attention_dropout: raw.attention_probs_dropout_prob,
            first_position,
        })
    }

    /// The longest sequence of tokens the position table has room for.
    pub fn max_tokens(&self) -> usize {
        self.max_positions - self.first_position
    }
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
            (("hidden_size", serde_json::json!(-3)), "invalid value"),
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
