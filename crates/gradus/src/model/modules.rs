//! The modules behind the transformer, as sentence-transformers describes them.

use super::ModelError;
use super::folder::read_json;
use crate::Result;
use gradus_kernels::{Activation, Pooling};
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

/// A linear layer on the pooled vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dense {
    /// Its folder's name, such as `2_Dense`.
    pub folder: String,
    /// Width in.
    pub in_width: usize,
    /// Width out.
    pub out_width: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// Applied to the result.
    pub activation: Activation,
}

/// Pooling, Dense layers, normalisation, and prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modules {
    /// Pooling modes, concatenated in this order.
    pub pooling: Vec<Pooling>,
    /// Dense layers in their order.
    pub dense: Vec<Dense>,
    /// Whether vectors are divided by their length at the end.
    pub normalize: bool,
    /// Text put before every input: the model's default prompt.
    pub prompt: String,
    /// Whether the folder described its modules; if not, these are the
    /// conventional ones: mean pooling alone.
    pub described: bool,
}

/// Pooling modes in the order in which their vectors are concatenated, with
/// their old and new configuration keys.
pub(super) const POOLINGS: [(&str, &str, Pooling); 6] = [
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

impl Modules {
    /// Reads `modules.json` and what it names; also returns the transformer's
    /// folder. Without `modules.json`: mean pooling, as sentence-transformers
    /// assumes.
    pub(super) fn read(root: &Path) -> Result<(Self, PathBuf)> {
        let mut modules = Self {
            pooling: vec![],
            dense: vec![],
            normalize: false,
            prompt: default_prompt(root)?,
            described: true,
        };
        let path = root.join("modules.json");
        if !path.is_file() {
            modules.pooling.push(Pooling::Mean);
            modules.described = false;
            return Ok((modules, root.to_path_buf()));
        }
        let list = read_json(&path)?;
        let Some(list) = list.as_array() else {
            return Err(config_error(&path, "a list of modules is expected"));
        };
        let mut encoder = None;
        for (i, module) in list.iter().enumerate() {
            let kind = module["type"].as_str().unwrap_or_default();
            let folder = module["path"].as_str().unwrap_or_default();
            if !is_plain(folder) {
                let message = format!("module {i} points outside of the model: `{folder}`");
                return Err(config_error(&path, &message));
            }
            let config = root.join(folder).join("config.json");
            match kind.rsplit('.').next().unwrap_or_default() {
                "Transformer" if i == 0 => encoder = Some(root.join(folder)),
                "Pooling" if i == 1 => modules.pooling = read_pooling(&config, &modules.prompt)?,
                "Dense" if i >= 2 && !modules.normalize => {
                    modules.dense.push(read_dense(&config, folder)?);
                }
                "Normalize" if i >= 2 => modules.normalize = true,
                _ => {
                    return Err(ModelError::Unsupported {
                        path,
                        what: "module",
                        found: format!("`{kind}` at place {i}"),
                        supported: "Transformer, Pooling, then Dense and a final Normalize",
                    }
                    .into());
                }
            }
        }
        match encoder {
            Some(encoder) if !modules.pooling.is_empty() => Ok((modules, encoder)),
            _ => Err(config_error(
                &path,
                "a Transformer and a Pooling module are needed",
            )),
        }
    }

    /// Whether each Dense layer takes what comes before it.
    pub(super) fn check_widths(&self, root: &Path, hidden: usize) -> Result<()> {
        let mut width = hidden * self.pooling.len();
        for dense in &self.dense {
            if dense.in_width != width {
                let path = root.join(&dense.folder).join("config.json");
                let message = format!("`in_features` is {}, but {width} come in", dense.in_width);
                return Err(config_error(&path, &message));
            }
            width = dense.out_width;
        }
        Ok(())
    }

    /// The width of a sentence vector over an encoder of width `hidden`.
    pub fn out_width(&self, hidden: usize) -> usize {
        self.dense
            .last()
            .map_or(hidden * self.pooling.len(), |d| d.out_width)
    }
}

fn config_error(path: &Path, message: &str) -> crate::Error {
    ModelError::Config {
        path: path.to_path_buf(),
        message: message.to_owned(),
    }
    .into()
}

/// A relative path without `..`, safe to join.
fn is_plain(path: &str) -> bool {
    Path::new(path)
        .components()
        .all(|c| matches!(c, Component::Normal(_)))
}

fn default_prompt(root: &Path) -> Result<String> {
    let path = root.join("config_sentence_transformers.json");
    if !path.is_file() {
        return Ok(String::new());
    }
    let config = read_json(&path)?;
    let Some(name) = config["default_prompt_name"].as_str() else {
        return Ok(String::new());
    };
    match config["prompts"][name].as_str() {
        Some(prompt) => Ok(prompt.to_owned()),
        None => {
            let message =
                format!("`default_prompt_name` is `{name}`, which `prompts` does not have");
            Err(config_error(&path, &message))
        }
    }
}

fn read_pooling(path: &Path, prompt: &str) -> Result<Vec<Pooling>> {
    if !path.is_file() {
        return Err(ModelError::MissingFile {
            path: path.to_path_buf(),
            remedy: "modules.json names this pooling module; fetch the whole folder",
        }
        .into());
    }
    let config = read_json(path)?;
    if config["include_prompt"].as_bool() == Some(false) && !prompt.is_empty() {
        return Err(ModelError::Unsupported {
            path: path.to_path_buf(),
            what: "pooling option",
            found: "`include_prompt: false` with a default prompt".into(),
            supported: "pooling over all tokens",
        }
        .into());
    }
    let names: Vec<&str> = match &config["pooling_mode"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names
            .iter()
            .map(|n| n.as_str().unwrap_or_default())
            .collect(),
        _ => {
            let on = |old: &str| config[old].as_bool() == Some(true);
            let names: Vec<&str> = POOLINGS.iter().filter(|p| on(p.0)).map(|p| p.1).collect();
            if names.is_empty() {
                vec!["mean"]
            } else {
                names
            }
        }
    };
    names
        .into_iter()
        .map(|name| {
            let found = POOLINGS.iter().find(|p| p.1 == name).map(|p| p.2);
            found.ok_or_else(|| {
                ModelError::Unsupported {
                    path: path.to_path_buf(),
                    what: "pooling mode",
                    found: format!("`{name}`"),
                    supported: "cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken",
                }
                .into()
            })
        })
        .collect()
}

fn read_dense(path: &Path, folder: &str) -> Result<Dense> {
    if !path.is_file() {
        return Err(ModelError::MissingFile {
            path: path.to_path_buf(),
            remedy: "modules.json names this Dense module; fetch the whole folder",
        }
        .into());
    }
    let config = read_json(path)?;
    let width = |key: &str| match config[key].as_u64() {
        Some(n) if (1..1 << 24).contains(&n) => Ok(n as usize),
        _ => Err(config_error(
            path,
            &format!("`{key}` is not a usable width"),
        )),
    };
    let named = config["activation_function"]
        .as_str()
        .unwrap_or("torch.nn.modules.linear.Identity");
    let activation = match named.rsplit('.').next().unwrap_or_default() {
        "Identity" => Activation::Identity,
        "Tanh" => Activation::Tanh,
        "ReLU" => Activation::Relu,
        "GELU" => Activation::Gelu,
        _ => {
            return Err(ModelError::Unsupported {
                path: path.to_path_buf(),
                what: "activation function",
                found: format!("`{named}`"),
                supported: "Identity, Tanh, ReLU, GELU",
            }
            .into());
        }
    };
    Ok(Dense {
        folder: folder.to_owned(),
        in_width: width("in_features")?,
        out_width: width("out_features")?,
        bias: config["bias"].as_bool().unwrap_or(true),
        activation,
    })
}
