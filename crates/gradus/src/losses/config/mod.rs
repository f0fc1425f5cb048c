//! Objectives as recipes describe them.

mod keys;
mod losses;
mod read;
#[cfg(test)]
mod tests;
mod training_set;

pub(crate) use keys::{Keys, add_new, fields, named};
pub use losses::{LossName, LossSettings};
pub(crate) use read::Read;
pub use training_set::TrainingSet;

use super::{Matryoshka, Objective, ObjectiveError};
use serde::Serialize;

/// An objective as a recipe describes it: a loss with its settings, and what all
/// objectives have.
///
/// ```
/// use gradus::losses::{InfoNceSettings, LossName, ObjectiveConfig};
///
/// let written: ObjectiveConfig = toml::from_str("loss = 'info_nce'\ntemperature = 0.1")?;
/// let built = InfoNceSettings { temperature: 0.1, ..Default::default() };
/// assert_eq!(written, built.into());
/// assert_eq!(written.loss.name(), LossName::InfoNce);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObjectiveConfig {
    /// The loss and its settings.
    #[serde(flatten)]
    pub loss: LossSettings,
    /// What it is multiplied by among other objectives; default 1.
    #[serde(skip_serializing_if = "is_one")]
    pub weight: f64,
    /// The widths that vectors may be cut to (Matryoshka); default: the whole
    /// width alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widths: Option<Vec<usize>>,
}

fn is_one(weight: &f64) -> bool {
    *weight == 1.0
}

impl ObjectiveConfig {
    /// A loss of weight 1 on the whole width.
    pub fn new(loss: impl Into<LossSettings>) -> Self {
        Self {
            loss: loss.into(),
            weight: 1.0,
            widths: None,
        }
    }

    /// Sets what it is multiplied by among other objectives.
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Sets the widths that vectors may be cut to.
    pub fn widths(mut self, widths: impl Into<Vec<usize>>) -> Self {
        self.widths = Some(widths.into());
        self
    }

    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError`] for a setting out of its bounds, or `widths` of a loss
    /// that has one width.
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        let name = self.loss.name();
        if self.widths.is_some() && name == LossName::EmbeddingMse {
            // A teacher's vectors cannot be cut as the student's are.
            let what = format!("`{}`", name.in_recipe());
            return Err(ObjectiveError::unused("widths", what));
        }
        self.loss.validate()
    }

    /// Builds the objective for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError`] for a setting out of its bounds, or a training set from
    /// which the loss can learn nothing.
    pub fn build(&self, data: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        self.validate()?;
        let name = self.loss.name();
        if name.needs_labels() {
            data.can_be_learned()?;
        }
        if data.columns < 2 && name.needs_two_views() {
            return Err(ObjectiveError::OneView);
        }
        let objective = self.loss.build(data)?;
        Ok(match &self.widths {
            None => objective,
            Some(widths) => {
                let widths = widths.iter().map(|&width| (width, 1.0)).collect();
                Box::new(Matryoshka::new(objective, widths)?)
            }
        })
    }
}
