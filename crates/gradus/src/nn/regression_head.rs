use crate::format::ModelError;
use crate::format::files::{is_there, read_json};
use crate::format::tensor_file::TensorFile;
use crate::util::tensor_writer;
use crate::util::tensor_writer::{NamedTensor, Values};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What the head sees of a pair's vectors (the concatenation ablation of
/// Zhang & Li 2024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Features {
    /// `[u; v]`, width 2d.
    Concat,
    /// `[|u-v|]`, width d.
    Difference,
    /// `[u; v; |u-v|]`, width 3d.
    #[default]
    ConcatDifference,
    /// `[cos(u, v)]`, width 1: the map of the cosine form.
    Cosine,
}

impl Features {
    /// The width for vectors of width `dim`.
    pub fn width(self, dim: usize) -> usize {
        match self {
            Self::Concat => 2 * dim,
            Self::Difference => dim,
            Self::ConcatDifference => 3 * dim,
            Self::Cosine => 1,
        }
    }
}

impl Features {
    /// As papers write it.
    pub fn notation(self) -> &'static str {
        match self {
            Self::Concat => "[u; v]",
            Self::Difference => "[|u-v|]",
            Self::ConcatDifference => "[u; v; |u-v|]",
            Self::Cosine => "[cos(u, v)]",
        }
    }

    /// The features of an ordered pair, in f64.
    pub fn of(self, u: &[f32], v: &[f32]) -> Vec<f64> {
        let both = || u.iter().chain(v).map(|&x| f64::from(x));
        let difference = || {
            u.iter()
                .zip(v)
                .map(|(&u, &v)| (f64::from(u) - f64::from(v)).abs())
        };
        match self {
            Self::Concat => both().collect(),
            Self::Difference => difference().collect(),
            Self::ConcatDifference => both().chain(difference()).collect(),
            Self::Cosine => vec![crate::embeddings::cosine(u, v)],
        }
    }
}

/// A linear layer on a pair's features: one output is a grade, several are the
/// logits of classes.
///
/// It is not symmetric: swapping the sentences changes the grade. Where no
/// order is meant, [`RegressionHead::grade`] averages both.
#[derive(Debug, Clone, PartialEq)]
pub struct RegressionHead {
    /// What it sees.
    pub features: Features,
    /// The value of each output: for one output, its range `[lowest, highest]`;
    /// for classes, each class's number.
    pub scale: Vec<f64>,
    /// Number of outputs.
    pub outputs: usize,
    /// `[outputs, width]`, then the biases, `[outputs]`.
    pub values: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct Description {
    format: u32,
    features: Features,
    outputs: usize,
    scale: Vec<f64>,
    dim: usize,
}

/// More classes than any scale has.
const MOST_OUTPUTS: usize = 1 << 16;

const WEIGHTS: &str = "regression_head.safetensors";
const DESCRIPTION: &str = "gradus_head.json";

impl RegressionHead {
    /// The outputs for one ordered pair.
    pub fn outputs(&self, u: &[f32], v: &[f32]) -> Vec<f64> {
        let h = self.features.of(u, v);
        let (weights, biases) = self.values.split_at(self.outputs * h.len());
        weights
            .chunks_exact(h.len().max(1))
            .zip(biases)
            .map(|(w, &b)| {
                f64::from(b)
                    + w.iter()
                        .zip(&h)
                        .map(|(&w, h)| f64::from(w) * h)
                        .sum::<f64>()
            })
            .collect()
    }

    /// The grade of a pair on the label scale, the average of both orders.
    /// For classes, the mean of their numbers under the softmax.
    pub fn grade(&self, u: &[f32], v: &[f32]) -> f64 {
        let one = |u: &[f32], v: &[f32]| {
            let out = self.outputs(u, v);
            if self.outputs == 1 {
                let low = self.scale.first().copied().unwrap_or(f64::NEG_INFINITY);
                let high = self.scale.last().copied().unwrap_or(f64::INFINITY);
                out[0].max(low).min(high)
            } else {
                let top = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = out.iter().map(|o| (o - top).exp()).collect();
                let mean: f64 = weights.iter().zip(&self.scale).map(|(w, s)| w * s).sum();
                mean / weights.iter().sum::<f64>()
            }
        };
        (one(u, v) + one(v, u)) / 2.0
    }

    /// Writes the head into a model folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, folder: &Path, dim: usize) -> Result<()> {
        let width = self.features.width(dim);
        let (weight, bias) = self.values.split_at(self.outputs * width);
        let tensor = |name: &'static str, shape, values| NamedTensor {
            name: name.into(),
            shape,
            values: Values::F32(values),
        };
        let tensors = [
            tensor("weight", vec![self.outputs, width], weight),
            tensor("bias", vec![self.outputs], bias),
        ];
        tensor_writer::write(&folder.join(WEIGHTS), &tensors, &[])?;
        let description = Description {
            format: 1,
            features: self.features,
            outputs: self.outputs,
            scale: self.scale.clone(),
            dim,
        };
        let path = folder.join(DESCRIPTION);
        let json = serde_json::to_string_pretty(&description)
            .map_err(|e| Error::Internal(format!("regression head: {e}")))?;
        std::fs::write(&path, json).map_err(Error::io(&path))
    }

    /// Reads the head of a model folder whose vectors have width `dim`, if it
    /// has one.
    ///
    /// # Errors
    /// [`ModelError`] where the files are damaged or of another width.
    pub fn load(folder: &Path, dim: usize) -> Result<Option<Self>> {
        let path = folder.join(DESCRIPTION);
        if !is_there(&path)? {
            return Ok(None);
        }
        let config = |message: String| ModelError::Config {
            path: path.clone(),
            message,
        };
        let Description {
            format,
            features,
            outputs,
            scale,
            dim: described,
        } = serde_json::from_value(read_json(&path)?).map_err(|e| config(e.to_string()))?;
        if format != 1 {
            return Err(ModelError::Unsupported {
                path,
                what: "format of regression head".into(),
                found: format.to_string(),
                supported: "1".into(),
            }
            .into());
        }
        if described != dim {
            let message = format!("`dim` is {described}, but the model's vectors have {dim}");
            return Err(config(message).into());
        }
        if !(1..=MOST_OUTPUTS).contains(&outputs) {
            let message = format!("`outputs` is {outputs}, not from 1 to {MOST_OUTPUTS}");
            return Err(config(message).into());
        }
        if outputs > 1 && scale.len() != outputs {
            return Err(config("`scale` needs one number per output".into()).into());
        }
        if outputs == 1 && !(matches!(scale[..], [low, high] if low <= high) || scale.is_empty()) {
            return Err(config("`scale` needs the lowest and the highest grade".into()).into());
        }

        let file = TensorFile::open(
            &folder.join(WEIGHTS),
            "gradus_head.json describes it; fetch the whole model",
        )?;
        file.check("weight", vec![outputs, features.width(dim)])?;
        file.check("bias", vec![outputs])?;
        file.only(&["weight", "bias"], "a regression head")?;
        let mut values = Vec::new();
        file.read("weight", &mut values)?;
        file.read("bias", &mut values)?;
        Ok(Some(Self {
            features,
            scale,
            outputs,
            values,
        }))
    }
}
