//! Linear layers behind the pooling.

use crate::Result;
use crate::format::fields::{Fields, shorten};
use crate::format::files::{read_json, require};
use crate::format::keys::DENSE;
use gradus_kernels::Activation;
use std::path::Path;

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
    /// Whether the input is added to the result; where the widths differ, its
    /// product with a second matrix.
    pub residual: bool,
}

/// The activations that a file can name: the classes of torch, where they are
/// defined and where they are usually taken from. The first of a kind is written.
const ACTIVATIONS: [(&str, Activation); 10] = [
    ("torch.nn.modules.linear.Identity", Activation::Identity),
    ("torch.nn.modules.activation.Tanh", Activation::Tanh),
    ("torch.nn.modules.activation.ReLU", Activation::Relu),
    ("torch.nn.modules.activation.GELU", Activation::Gelu),
    ("torch.nn.modules.activation.SiLU", Activation::Silu),
    ("torch.nn.Identity", Activation::Identity),
    ("torch.nn.Tanh", Activation::Tanh),
    ("torch.nn.ReLU", Activation::Relu),
    ("torch.nn.GELU", Activation::Gelu),
    ("torch.nn.SiLU", Activation::Silu),
];

impl Dense {
    /// Whether a second matrix leads the input to the result.
    pub(crate) fn has_second_matrix(&self) -> bool {
        self.residual && self.in_width != self.out_width
    }

    /// What a description calls its activation.
    pub(crate) fn activation_name(&self) -> Option<&'static str> {
        let found = ACTIVATIONS.iter().find(|(_, a)| *a == self.activation);
        found.map(|(name, _)| *name)
    }
}

pub(crate) fn read_dense(path: &Path, folder: &str) -> Result<Dense> {
    require(
        path,
        "modules.json names this Dense module; fetch the whole folder",
    )?;
    let config = read_json(path)?;
    let null = config.get("activation_function");
    if null.is_some_and(serde_json::Value::is_null) {
        let fields = Fields::of(path, &config, DENSE)?;
        let message = "`activation_function` is null, which sentence-transformers does not read; leave it out for Tanh, or name torch.nn.modules.linear.Identity";
        return Err(fields.error(message.into()).into());
    }
    let config = Fields::of(path, &config, DENSE)?;
    let activation = match config.string("activation_function")? {
        // The default of sentence-transformers.
        None => Activation::Tanh,
        Some(name) => {
            let found = ACTIVATIONS.iter().find(|(known, _)| *known == name);
            let supported = "Identity, Tanh, ReLU, GELU, SiLU of torch.nn.modules or torch.nn";
            let what = "activation function";
            let found = found.ok_or_else(|| {
                config.unsupported(what, format!("`{}`", shorten(name)), supported)
            })?;
            found.1
        }
    };
    let width = |key| config.required(key, config.size(key)?);
    Ok(Dense {
        folder: folder.to_owned(),
        in_width: width("in_features")?,
        out_width: width("out_features")?,
        bias: config.flag("bias")?.unwrap_or(true),
        activation,
        residual: config.flag("use_residual")?.unwrap_or(false),
    })
}
