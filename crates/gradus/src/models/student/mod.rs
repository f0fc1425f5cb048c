//! Small models that are to learn from a large one, and begin with what it
//! knows.

mod fresh;
mod picked;
mod principal;

use super::ModelFolder;
use crate::Result;
use crate::format::ModelError;
use crate::output::replace_folder;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a student is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "made")]
pub enum StudentShape {
    /// Some of the teacher's layers, with all else that it has.
    Picked {
        /// Which ones, counted from 0 from the input on, each at most once and in
        /// their order.
        layers: Vec<usize>,
        /// Width within the feed-forward parts, at most the teacher's, which is
        /// also the default. The neurons that weigh most stay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        intermediate: Option<usize>,
    },
    /// A BERT with random layers over the teacher's vocabulary. Its embeddings
    /// are the teacher's, on their principal directions where it is narrower.
    Fresh {
        /// Transformer layers.
        layers: usize,
        /// Width of the token vectors, at most the teacher's.
        hidden: usize,
        /// Attention heads per layer, a divisor of the width.
        heads: usize,
        /// Width within the feed-forward parts.
        intermediate: usize,
    },
}

impl StudentShape {
    /// A name for folders and tables, such as `layers-0-5`.
    pub fn label(&self) -> String {
        match self {
            Self::Picked {
                layers,
                intermediate,
            } => {
                let layers: Vec<String> = layers.iter().map(usize::to_string).collect();
                let inner = intermediate.map_or(String::new(), |n| format!("-inner-{n}"));
                format!("layers-{}{inner}", layers.join("-"))
            }
            Self::Fresh {
                layers,
                hidden,
                heads,
                intermediate,
            } => format!("fresh-{layers}x{hidden}-heads-{heads}-inner-{intermediate}"),
        }
    }
}

/// `count` of `of` layers, evenly spaced, the first and the last among them; a
/// single one is the first, which knows the embeddings. `None` where there are
/// not so many.
pub fn evenly_spaced(of: usize, count: usize) -> Option<Vec<usize>> {
    match count {
        0 => None,
        n if n > of => None,
        1 => Some(vec![0]),
        n => {
            let gaps = n - 1;
            // Rounded to the nearest, halves up.
            let place = |i: usize| (2 * i * (of - 1) + gaps) / (2 * gaps);
            Some((0..n).map(place).collect())
        }
    }
}

/// Writes an untrained student of the model in `teacher` to `target`: tokenizer,
/// prompts, pooling and normalisation are the teacher's. A folder already there
/// is replaced, but for files that are not a model's.
///
/// With `same_width` a fresh student's vectors get the width of the teacher's: by
/// a Dense module behind the pooling, where that is needed. A regression head
/// and a calibration were made for the teacher's vectors and stay behind.
///
/// # Errors
/// [`ModelError`] for sizes that the student cannot have, and those of loading
/// the teacher; [`crate::Error::Io`].
pub fn write_student(
    target: &Path,
    teacher: &Path,
    shape: &StudentShape,
    same_width: bool,
    seed: u64,
) -> Result<()> {
    let teacher = ModelFolder::open(teacher)?;
    check_student(&teacher, shape)?;
    replace_folder(target, None, |folder| match shape {
        StudentShape::Picked {
            layers,
            intermediate,
        } => picked::fill(folder, &teacher, layers, *intermediate),
        StudentShape::Fresh {
            layers,
            hidden,
            heads,
            intermediate,
        } => {
            let sizes = fresh::Sizes {
                layers: *layers,
                hidden: *hidden,
                heads: *heads,
                intermediate: *intermediate,
            };
            fresh::fill(folder, &teacher, &sizes, same_width, seed)
        }
    })?;
    Ok(())
}

/// Whether a teacher can have a student of this shape.
///
/// # Errors
/// [`ModelError::Student`] with what is wrong.
pub fn check_student(
    teacher: &ModelFolder,
    shape: &StudentShape,
) -> std::result::Result<(), ModelError> {
    let config = &teacher.config;
    let problem = match shape {
        StudentShape::Picked {
            layers,
            intermediate,
        } => {
            let most = config.intermediate_size;
            if layers.is_empty() {
                "it needs at least one layer".to_owned()
            } else if let Some(layer) = layers.iter().find(|l| **l >= config.layers) {
                format!(
                    "layer {layer}: the teacher has {} layers, counted from 0",
                    config.layers
                )
            } else if !layers.is_sorted_by(|a, b| a < b) {
                "its layers must rise, each at most once".to_owned()
            } else if intermediate.is_some_and(|n| !(1..=most).contains(&n)) {
                format!(
                    "the width of its feed-forward parts must lie in 1 to {most}, the teacher's"
                )
            } else {
                return Ok(());
            }
        }
        StudentShape::Fresh {
            layers,
            hidden,
            heads,
            intermediate,
        } => {
            let most = config.hidden_size;
            if *layers == 0 || *layers > 1024 {
                format!("{layers} layers: it needs 1 to 1024")
            } else if !(1..=most).contains(hidden) {
                format!("its width must lie in 1 to {most}, the teacher's")
            } else if *heads == 0 || !hidden.is_multiple_of(*heads) {
                format!("{heads} heads: they must divide the width {hidden}")
            } else if !(1..=1 << 20).contains(intermediate) {
                "the width of its feed-forward parts must lie in 1 to 1048576".to_owned()
            } else {
                return Ok(());
            }
        }
    };
    Err(ModelError::Student {
        teacher: teacher.root.clone(),
        message: problem,
    })
}

#[cfg(test)]
mod tests;
