//! Pooling: how token vectors become one.

use crate::Result;
use crate::format::fields::{Fields, brief};
use crate::format::files::{read_json, require};
use crate::format::keys::POOLING;
use gradus_kernels::Pooling;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// Pooling modes in the order in which their vectors are concatenated, with
/// their old and new configuration keys.
pub(crate) const POOLINGS: [(&str, &str, Pooling); 6] = [
    ("pooling_mode_cls_token", "cls", Pooling::Cls),
    ("pooling_mode_max_tokens", "max", Pooling::Max),
    ("pooling_mode_mean_tokens", "mean", Pooling::Mean),
    (
        "pooling_mode_mean_sqrt_len_tokens",
        "mean_sqrt_len_tokens",
        Pooling::MeanSqrtLen,
    ),
    (
        "pooling_mode_weightedmean_tokens",
        "weightedmean",
        Pooling::WeightedMean,
    ),
    ("pooling_mode_lasttoken", "lasttoken", Pooling::LastToken),
];

/// A single way of pooling, by the name that sentence-transformers has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PoolingMode(pub Pooling);

impl TryFrom<String> for PoolingMode {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        let found = POOLINGS.iter().find(|(_, known, _)| *known == name);
        found.map(|(_, _, mode)| Self(*mode)).ok_or_else(|| {
            let known = POOLINGS.map(|(_, name, _)| name).join(", ");
            format!("`{name}` is no pooling; there are {known}")
        })
    }
}

impl From<PoolingMode> for String {
    fn from(mode: PoolingMode) -> Self {
        let found = POOLINGS.iter().find(|(_, _, known)| *known == mode.0);
        found.map_or("", |(_, name, _)| name).to_owned()
    }
}

/// The modes of a pooling module, and whether a prompt's tokens are pooled too.
pub(crate) fn read_pooling(path: &Path) -> Result<(Vec<Pooling>, bool)> {
    require(
        path,
        "modules.json names this pooling module; fetch the whole folder",
    )?;
    let config = read_json(path)?;
    let config = Fields::of(path, &config, POOLING)?;
    let include_prompt = config.flag("include_prompt")?.unwrap_or(true);
    let named = |name: &Value| {
        let found = POOLINGS.iter().find(|p| name.as_str() == Some(p.1));
        found.map(|p| p.2).ok_or_else(|| {
            let supported = "cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken";
            config.unsupported("pooling mode", brief(name), supported)
        })
    };
    let mut modes = vec![];
    match config.get("pooling_mode") {
        Some(Value::Array(names)) => {
            for name in names {
                let mode = named(name)?;
                if modes.contains(&mode) {
                    let message = format!("`pooling_mode` has {} twice", brief(name));
                    return Err(config.error(message).into());
                }
                modes.push(mode);
            }
            if modes.is_empty() {
                return Err(config.error("`pooling_mode` is empty".into()).into());
            }
        }
        Some(name) => modes.push(named(name)?),
        None => {
            for (key, _, mode) in POOLINGS {
                if config.flag(key)? == Some(true) {
                    modes.push(mode);
                }
            }
            if modes.is_empty() {
                modes.push(Pooling::Mean);
            }
        }
    }
    if !include_prompt && modes.contains(&Pooling::WeightedMean) {
        let found = "`include_prompt: false` with weightedmean".into();
        let supported = "the other modes; with this one, pooling over all tokens";
        return Err(config
            .unsupported("pooling option", found, supported)
            .into());
    }
    Ok((modes, include_prompt))
}
