//! What `config.json` says about an encoder; each family's own keys and settings are
//! read in `bert_like.rs`.

use super::bert_like;
use super::encoder_config::{Architecture, EncoderConfig, Positions};
use crate::format::ModelError;
use crate::format::fields::{Fields, shorten};
use crate::format::files::parse_json;
use std::path::Path;

impl EncoderConfig {
    /// Parses the `config.json` at `path`, whose text is `json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for text that is no such configuration,
    /// [`ModelError::Unsupported`] for what this version cannot run.
    pub fn parse(path: &Path, json: &str) -> Result<Self, ModelError> {
        let value = parse_json(path, json)?;
        // The family first: another family's file may lack our fields.
        let outer = Fields::new(path, &value)?;
        let architecture = match outer.string("model_type")? {
            Some("bert") if outer.string("position_embedding_type")? == Some("alibi") => {
                Architecture::JinaBert
            }
            Some("bert") => Architecture::Bert,
            Some("roberta" | "camembert") => Architecture::Roberta,
            Some("xlm-roberta") => Architecture::XlmRoberta,
            Some("distilbert") => Architecture::DistilBert,
            Some("nomic_bert") => Architecture::NomicBert,
            Some("electra") => Architecture::Electra,
            Some("mpnet") => Architecture::MpNet,
            other => {
                let found = other.map_or("no `model_type`".into(), |t| format!("`{}`", shorten(t)));
                let supported =
                    "bert, roberta, camembert, xlm-roberta, distilbert, nomic_bert, electra, mpnet";
                return Err(outer.unsupported("architecture", found, supported));
            }
        };
        let fields = Fields::of(path, &value, super::keys::config_of(architecture))?;
        let config = match architecture {
            Architecture::JinaBert | Architecture::JinaBertQkNorm => bert_like::jina_bert(&fields)?,
            Architecture::Bert | Architecture::Roberta | Architecture::XlmRoberta => {
                bert_like::bert(&fields, architecture)?
            }
            Architecture::DistilBert => bert_like::distilbert(&fields)?,
            Architecture::NomicBert => bert_like::nomic_bert(&fields)?,
            Architecture::Electra => bert_like::electra(&fields)?,
            Architecture::MpNet => bert_like::mpnet(&fields)?,
        };
        config.check(&fields)?;
        Ok(config)
    }

    /// Changes the number of layers and, where it is given, the width within the
    /// feed-forward parts in the JSON of a configuration, under all keys of theirs
    /// that it has.
    pub(crate) fn resize(json: &mut serde_json::Value, layers: usize, inner: Option<usize>) {
        let mut change = |keys: &[&str], value: usize| {
            for key in keys {
                if let Some(old) = json.get_mut(*key).filter(|old| !old.is_null()) {
                    *old = value.into();
                }
            }
        };
        change(&bert_like::LAYERS, layers);
        if let Some(inner) = inner {
            change(&bert_like::INNER, inner);
        }
    }

    /// What holds in every family.
    fn check(&self, fields: &Fields<'_>) -> Result<(), ModelError> {
        if !self.hidden_size.is_multiple_of(self.heads) {
            let names = bert_like::KeyNames::of(self.architecture);
            return Err(fields.error(format!(
                "`{}` {} is not a multiple of `{}` {}",
                names.hidden_size, self.hidden_size, names.heads, self.heads
            )));
        }
        let head = self.hidden_size / self.heads;
        if matches!(self.positions, Positions::Rotary(_)) && !head.is_multiple_of(2) {
            return Err(fields.error(format!(
                "heads of {head} values cannot be turned in pairs, as rotary positions do"
            )));
        }
        if self.first_position >= self.max_positions {
            return Err(fields.error(format!(
                "`max_position_embeddings` {} leaves no room: positions start at {}",
                self.max_positions, self.first_position
            )));
        }
        Ok(())
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
                ("hidden_act", serde_json::json!("mish")),
                "unsupported hidden_act: mish",
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
