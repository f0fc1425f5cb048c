//! Which students a teacher is to have.

use crate::Result;
use crate::jobs::JobError;
use crate::models::{ModelFolder, StudentShape, evenly_spaced};
use std::fmt;

/// The students of a distillation, before the teacher is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Students {
    /// The layers of each; by default a third of the teacher's, for one student.
    pub layers: Vec<Layers>,
    /// Layers of their own in place of the teacher's.
    pub fresh: Option<FreshLayers>,
    /// Width within the feed-forward parts; by default the teacher's, and four times
    /// the width of a fresh student.
    pub intermediate: Option<usize>,
}

/// A student's layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layers {
    /// So many, evenly spaced among the teacher's.
    Count(usize),
    /// These of the teacher's, counted from 0.
    These(Vec<usize>),
}

/// What layers of a student's own are like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreshLayers {
    /// Width of the token vectors; by default half the teacher's.
    pub hidden: Option<usize>,
    /// Attention heads per layer; by default one for 32 values.
    pub heads: Option<usize>,
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            // A number alone is a count.
            Self::These(layers) if layers.len() == 1 => write!(f, "{},", layers[0]),
            Self::These(layers) => {
                let layers: Vec<String> = layers.iter().map(usize::to_string).collect();
                f.write_str(&layers.join(","))
            }
        }
    }
}

impl Students {
    /// Their shapes, each once.
    ///
    /// # Errors
    /// [`JobError::Settings`] for layers that this teacher does not give.
    pub fn shapes(&self, teacher: &ModelFolder) -> Result<Vec<StudentShape>> {
        let usual = [Layers::Count(teacher.config.layers.div_ceil(3))];
        let layers = match self.layers.is_empty() {
            true => &usual[..],
            false => &self.layers,
        };
        let mut shapes: Vec<StudentShape> = vec![];
        for layers in layers {
            let shape = self.shape(layers, teacher);
            let shape =
                shape.map_err(|why| JobError::Settings(format!("--layers {layers}: {why}")))?;
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
        }
        Ok(shapes)
    }

    fn shape(&self, layers: &Layers, teacher: &ModelFolder) -> Result<StudentShape, String> {
        let (config, intermediate) = (&teacher.config, self.intermediate);
        match (self.fresh, layers) {
            (Some(fresh), &Layers::Count(layers)) => {
                let hidden = fresh.hidden.unwrap_or((config.hidden_size / 2).max(1));
                Ok(StudentShape::Fresh {
                    layers,
                    hidden,
                    heads: fresh.heads.unwrap_or_else(|| usual_heads(hidden)),
                    intermediate: intermediate.unwrap_or(hidden.saturating_mul(4)),
                })
            }
            (Some(_), _) => Err("a fresh student needs a number of layers".into()),
            (None, &Layers::Count(count)) => {
                let layers = evenly_spaced(config.layers, count);
                let layers = layers
                    .ok_or_else(|| format!("give 1 to {}, the teacher's layers", config.layers))?;
                Ok(StudentShape::Picked {
                    layers,
                    intermediate,
                })
            }
            (None, Layers::These(layers)) => Ok(StudentShape::Picked {
                layers: layers.clone(),
                intermediate,
            }),
        }
    }
}

/// One for 32 values or more, as many as divide the width.
fn usual_heads(hidden: usize) -> usize {
    let most = (hidden / 32).max(1);
    let divides = |heads: &usize| hidden.is_multiple_of(*heads);
    (1..=most).rev().find(divides).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn shapes_follow_the_teacher() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
        let teacher = ModelFolder::open(models.join("bert-small")).unwrap();
        let picked = |layers: &[usize]| StudentShape::Picked {
            layers: layers.to_vec(),
            intermediate: None,
        };
        let shapes = |students: &Students| students.shapes(&teacher);
        // One of two layers, as evenly spaced as one can be.
        let usual = shapes(&Students::default()).unwrap();
        assert_eq!(usual, [picked(&evenly_spaced(2, 1).unwrap())]);
        let mut students = Students {
            layers: vec![
                Layers::Count(2),
                Layers::These(vec![1]),
                Layers::These(vec![0, 1]),
            ],
            ..Students::default()
        };
        // The third is the first once more.
        assert_eq!(shapes(&students).unwrap(), [picked(&[0, 1]), picked(&[1])]);
        students.fresh = Some(FreshLayers::default());
        let error = shapes(&students).unwrap_err().to_string();
        assert_eq!(
            error,
            "--layers 1,: a fresh student needs a number of layers"
        );
        students.layers.truncate(1);
        let fresh = StudentShape::Fresh {
            layers: 2,
            hidden: 16,
            heads: 1,
            intermediate: 64,
        };
        assert_eq!(shapes(&students).unwrap(), [fresh]);
        students = Students {
            layers: vec![Layers::Count(3)],
            ..Students::default()
        };
        let error = shapes(&students).unwrap_err().to_string();
        assert_eq!(error, "--layers 3: give 1 to 2, the teacher's layers");
        assert_eq!(
            (usual_heads(96), usual_heads(100), usual_heads(8)),
            (3, 2, 1)
        );
    }
}
