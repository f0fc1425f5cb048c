//! The modules behind the transformer, as sentence-transformers describes them.

use super::fields::{Fields, brief, shorten};
use super::files::{is_plain_name, is_there, read_json, require};
use super::{ModelError, TemplateSettings};
use crate::Result;
use gradus_kernels::{Activation, Pooling};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

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
    /// What every text is put into, where the vector is that of its mask.
    pub template: Option<TemplateSettings>,
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

impl Modules {
    /// Reads `modules.json` and what it names; also returns the transformer's
    /// folder. Without `modules.json`: mean pooling, as sentence-transformers
    /// assumes.
    pub(super) fn read(root: &Path) -> Result<(Self, PathBuf)> {
        let mut modules = Self {
            pooling: vec![],
            template: None,
            dense: vec![],
            normalize: false,
            prompt: default_prompt(root)?,
            described: true,
        };
        let path = root.join("modules.json");
        if !is_there(&path)? {
            modules.pooling.push(Pooling::Mean);
            modules.described = false;
            return Ok((modules, root.to_path_buf()));
        }
        let list = read_json(&path)?;
        let Some(list) = list.as_array() else {
            return Err(config_error(&path, "a list of modules is expected"));
        };
        let mut encoder = None;
        let mut folders: Vec<&str> = vec![];
        for (i, module) in list.iter().enumerate() {
            let module = Fields::new(&path, module)?;
            let kind = module.required("type", module.string("type")?)?;
            let folder = module.required("path", module.string("path")?)?;
            // Only the transformer may lie in the root.
            if !(is_plain_name(folder) || folder.is_empty() && i == 0) {
                let folder = shorten(folder);
                let message = format!("module {i} needs a folder of its own, not `{folder}`");
                return Err(config_error(&path, &message));
            }
            if folders.contains(&folder) {
                let message = format!("two modules share the folder `{}`", shorten(folder));
                return Err(config_error(&path, &message));
            }
            folders.push(folder);
            let config = root.join(folder).join("config.json");
            match kind.rsplit('.').next().unwrap_or_default() {
                // Joining an empty name would end messages' paths in a slash.
                "Transformer" if folder.is_empty() => encoder = Some(root.to_path_buf()),
                "Transformer" if i == 0 => encoder = Some(root.join(folder)),
                "Pooling" if i == 1 => modules.pooling = read_pooling(&config, &modules.prompt)?,
                "Template" if i == 1 => {
                    modules.template = Some(TemplateSettings::read(&config)?);
                    modules.pooling.push(Pooling::Marked);
                }
                "Dense" if i >= 2 && !modules.normalize => {
                    modules.dense.push(read_dense(&config, folder)?);
                }
                "Normalize" if i >= 2 => modules.normalize = true,
                _ => {
                    return Err(ModelError::Unsupported {
                        path: path.clone(),
                        what: "module",
                        found: format!("`{}` at place {i}", shorten(kind)),
                        supported: "Transformer, Pooling (or Template), then Dense and a final Normalize",
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

fn default_prompt(root: &Path) -> Result<String> {
    let path = root.join("config_sentence_transformers.json");
    if !is_there(&path)? {
        return Ok(String::new());
    }
    let config = read_json(&path)?;
    let config = Fields::new(&path, &config)?;
    let Some(name) = config.string("default_prompt_name")? else {
        return Ok(String::new());
    };
    let prompts = config.get("prompts").unwrap_or(&Value::Null);
    match prompts.get(name).and_then(Value::as_str) {
        Some(prompt) => Ok(prompt.to_owned()),
        None => {
            let name = shorten(name);
            let message =
                format!("`default_prompt_name` is `{name}`, which `prompts` does not have");
            Err(config_error(&path, &message))
        }
    }
}

fn read_pooling(path: &Path, prompt: &str) -> Result<Vec<Pooling>> {
    require(
        path,
        "modules.json names this pooling module; fetch the whole folder",
    )?;
    let config = read_json(path)?;
    let config = Fields::new(path, &config)?;
    let unsupported = |what, found: String, supported| ModelError::Unsupported {
        path: path.to_path_buf(),
        what,
        found,
        supported,
    };
    if config.flag("include_prompt")? == Some(false) && !prompt.is_empty() {
        let found = "`include_prompt: false` with a default prompt".into();
        return Err(unsupported("pooling option", found, "pooling over all tokens").into());
    }
    let named = |name: &Value| {
        let found = POOLINGS.iter().find(|p| name.as_str() == Some(p.1));
        found.map(|p| p.2).ok_or_else(|| {
            let supported = "cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken";
            unsupported("pooling mode", brief(name), supported)
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
    Ok(modes)
}

fn read_dense(path: &Path, folder: &str) -> Result<Dense> {
    require(
        path,
        "modules.json names this Dense module; fetch the whole folder",
    )?;
    let config = read_json(path)?;
    let config = Fields::new(path, &config)?;
    let named = config.string("activation_function")?;
    let named = named.unwrap_or("torch.nn.modules.linear.Identity");
    let activation = match named.rsplit('.').next().unwrap_or_default() {
        "Identity" => Activation::Identity,
        "Tanh" => Activation::Tanh,
        "ReLU" => Activation::Relu,
        "GELU" => Activation::Gelu,
        _ => {
            return Err(ModelError::Unsupported {
                path: path.to_path_buf(),
                what: "activation function",
                found: format!("`{}`", shorten(named)),
                supported: "Identity, Tanh, ReLU, GELU",
            }
            .into());
        }
    };
    let width = |key| config.required(key, config.size(key)?);
    Ok(Dense {
        folder: folder.to_owned(),
        in_width: width("in_features")?,
        out_width: width("out_features")?,
        bias: config.flag("bias")?.unwrap_or(true),
        activation,
    })
}
