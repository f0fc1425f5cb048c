//! The modules behind the transformer, as sentence-transformers describes them.

use super::TemplateSettings;
use crate::Result;
use crate::format::ModelError;
use crate::format::fields::{Fields, shorten};
use crate::format::files::{is_plain_name, is_there, read_json};
use crate::format::keys::{MODULE, NORMALIZE};
use crate::format::prompts;
use crate::format::prompts::Prompts;
use crate::nn::dense::{Dense, read_dense};
use crate::nn::pooling::read_pooling;
use gradus_kernels::Pooling;
use std::path::{Path, PathBuf};

/// Pooling, Dense layers, normalisation, and prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modules {
    /// Pooling modes, concatenated in this order.
    pub pooling: Vec<Pooling>,
    /// Whether the tokens of a prompt are pooled too.
    pub include_prompt: bool,
    /// What every text is put into, where the vector is that of its mask.
    pub template: Option<TemplateSettings>,
    /// Dense layers in their order.
    pub dense: Vec<Dense>,
    /// Whether vectors are divided by their length at the end.
    pub normalize: bool,
    /// Of the vectors, after all else, only so many values are given.
    pub truncate: Option<usize>,
    /// The folder's prompts.
    pub prompts: Prompts,
    /// Whether the folder described its modules; if not, these are the
    /// conventional ones: mean pooling alone.
    pub described: bool,
}

/// The kinds of modules.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Transformer,
    Pooling,
    Dense,
    Normalize,
    Template,
}

/// What the types of modules are called: where their classes are defined in
/// sentence-transformers, or were. A type of another name is code that is not run
/// here, whatever its last word.
fn kind_of(name: &str) -> Option<Kind> {
    if name == "gradus.Template" {
        return Some(Kind::Template);
    }
    let (path, class) = name
        .strip_prefix("sentence_transformers.")?
        .rsplit_once('.')?;
    let (kind, file) = match class {
        "Transformer" => (Kind::Transformer, "transformer"),
        "Pooling" => (Kind::Pooling, "pooling"),
        "Dense" => (Kind::Dense, "dense"),
        "Normalize" => (Kind::Normalize, "normalize"),
        _ => return None,
    };
    let known = match path {
        "models" | "sentence_transformer.modules" => true,
        "base.modules" => kind != Kind::Pooling,
        "sparse_encoder.modules" | "cross_encoder.modules" => {
            matches!(kind, Kind::Transformer | Kind::Dense)
        }
        _ => match path.rsplit_once('.') {
            // The file of the class.
            Some(("models", module)) => module == class || module == file,
            Some(("sentence_transformer.modules" | "base.modules", module)) => module == file,
            _ => false,
        },
    };
    known.then_some(kind)
}

impl Modules {
    /// Mean pooling alone, as sentence-transformers assumes where nothing is
    /// described.
    pub(crate) fn assumed() -> Self {
        Self {
            pooling: vec![Pooling::Mean],
            include_prompt: true,
            template: None,
            dense: vec![],
            normalize: false,
            truncate: None,
            prompts: Prompts::default(),
            described: false,
        }
    }

    /// Reads `modules.json` and what it names; also returns the transformer's
    /// folder.
    pub(crate) fn read(root: &Path) -> Result<(Self, PathBuf)> {
        let path = root.join("modules.json");
        if !is_there(&path)? {
            return Ok((Self::assumed(), root.to_path_buf()));
        }
        let (prompts, truncate) = prompts::read(root)?;
        let mut modules = Self {
            pooling: vec![],
            truncate,
            prompts,
            described: true,
            ..Self::assumed()
        };
        let list = read_json(&path)?;
        let Some(list) = list.as_array() else {
            return Err(config_error(&path, "a list of modules is expected"));
        };
        let mut encoder = None;
        let mut folders: Vec<&str> = vec![];
        for (i, module) in list.iter().enumerate() {
            let module = Fields::of(&path, module, MODULE)?;
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
            match kind_of(kind) {
                // Joining an empty name would end messages' paths in a slash.
                Some(Kind::Transformer) if folder.is_empty() => encoder = Some(root.to_path_buf()),
                Some(Kind::Transformer) if i == 0 => encoder = Some(root.join(folder)),
                Some(Kind::Pooling) if i == 1 => {
                    (modules.pooling, modules.include_prompt) = read_pooling(&config)?;
                }
                Some(Kind::Template) if i == 1 => {
                    modules.template = Some(TemplateSettings::read(&config)?);
                    modules.pooling.push(Pooling::Marked);
                }
                Some(Kind::Dense) if i >= 2 && !modules.normalize => {
                    modules.dense.push(read_dense(&config, folder)?);
                }
                Some(Kind::Normalize) if i >= 2 => {
                    read_normalize(&config)?;
                    modules.normalize = true;
                }
                found => {
                    let what = match found {
                        Some(_) => "",
                        None => ", a type of unknown code,",
                    };
                    return Err(ModelError::Unsupported {
                        path: path.clone(),
                        what: "module".into(),
                        found: format!("`{}`{what} at place {i}", shorten(kind)),
                        supported: "sentence_transformers' Transformer, Pooling (or gradus.Template), then Dense and a final Normalize".into(),
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

    /// The transformer's folder where `modules.json` names nothing else, as that of a
    /// cross-encoder does.
    pub(crate) fn transformer_alone(root: &Path) -> Result<Option<PathBuf>> {
        let path = root.join("modules.json");
        if !is_there(&path)? {
            return Ok(None);
        }
        let list = read_json(&path)?;
        let Some([module]) = list.as_array().map(Vec::as_slice) else {
            return Ok(None);
        };
        let module = Fields::of(&path, module, MODULE)?;
        let kind = module.required("type", module.string("type")?)?;
        let folder = module.required("path", module.string("path")?)?;
        match (kind_of(kind), folder) {
            (Some(Kind::Transformer), "") => Ok(Some(root.to_path_buf())),
            (Some(Kind::Transformer), name) if is_plain_name(name) => Ok(Some(root.join(name))),
            _ => Ok(None),
        }
    }

    /// Whether each Dense layer takes what comes before it.
    pub(crate) fn check_widths(&self, root: &Path, hidden: usize) -> Result<()> {
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
        let whole = self.whole_width(hidden);
        self.truncate.map_or(whole, |most| most.min(whole))
    }

    /// The same before vectors are truncated.
    pub(crate) fn whole_width(&self, hidden: usize) -> usize {
        self.dense
            .last()
            .map_or(hidden * self.pooling.len(), |d| d.out_width)
    }

    /// The text put before every input where none is chosen.
    pub fn default_prompt(&self) -> String {
        let chosen = self.prompts.choose(&crate::format::PromptChoice::Default);
        chosen.unwrap_or_default()
    }
}

/// Whether a Normalize module does what it did before it had a description.
fn read_normalize(path: &Path) -> Result<()> {
    if is_there(path)? {
        Fields::of(path, &read_json(path)?, NORMALIZE)?;
    }
    Ok(())
}

fn config_error(path: &Path, message: &str) -> crate::Error {
    ModelError::Config {
        path: path.to_path_buf(),
        message: message.to_owned(),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_their_whole_names() {
        for (name, kind) in [
            (
                "sentence_transformers.models.Transformer",
                Kind::Transformer,
            ),
            ("sentence_transformers.models.Pooling", Kind::Pooling),
            (
                "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
                Kind::Pooling,
            ),
            (
                "sentence_transformers.base.modules.transformer.Transformer",
                Kind::Transformer,
            ),
            (
                "sentence_transformers.base.modules.dense.Dense",
                Kind::Dense,
            ),
            (
                "sentence_transformers.sentence_transformer.modules.normalize.Normalize",
                Kind::Normalize,
            ),
            ("gradus.Template", Kind::Template),
        ] {
            assert_eq!(kind_of(name), Some(kind), "{name}");
        }
        for name in [
            "Transformer",
            "custom_st.Transformer",
            "modeling_x.Pooling",
            "sentence_transformers.Transformer",
            "sentence_transformers.models.WeightedLayerPooling",
            "sentence_transformers.models.custom.Transformer",
            "sentence_transformers.sparse_encoder.modules.Pooling",
            "x.sentence_transformers.models.Pooling",
            "gradus.Pooling",
            "Template",
        ] {
            assert_eq!(kind_of(name), None, "{name}");
        }
    }
}
