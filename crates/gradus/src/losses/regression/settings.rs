//! Settings of the losses of one prediction against one grade.

use super::{CosineForm, CosineSettings, HeadForm, HeadSettings, OutOfRange, PointLoss};
use crate::losses::config::{Keys, Read, TrainingSet};
use crate::losses::{Objective, ObjectiveError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The own settings of a [`PointLoss`], without those that all have.
pub trait PointLossSettings: Default + DeserializeOwned {
    /// The loss that they are of.
    type Loss: PointLoss + 'static;

    /// The loss with these settings.
    ///
    /// # Errors
    /// [`ObjectiveError`] for a setting out of its bounds.
    fn loss(&self) -> Result<Self::Loss, ObjectiveError>;

    /// The half-width that per-pair tolerances may have at most.
    fn widest_tolerance(&self) -> f64 {
        0.5
    }
}

/// Where a prediction comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum Form {
    /// A linear head on the pair's features.
    Head(HeadSettings),
    /// An affine map of the cosine.
    Cosine(CosineSettings),
}

impl Default for Form {
    fn default() -> Self {
        Self::Head(HeadSettings::default())
    }
}

/// The settings of a loss of one prediction against one grade.
///
/// ```
/// use gradus::losses::{CosineSettings, RegressionSettings, SmoothK2Settings};
///
/// let loss = SmoothK2Settings { k: 3.5, ..Default::default() };
/// let on_head = RegressionSettings::head(loss);
/// let map = CosineSettings { learned: true, ..Default::default() };
/// let on_cosine = RegressionSettings { form: map.into(), ..on_head.clone() };
/// assert_ne!(on_head, on_cosine);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RegressionSettings<P> {
    /// Those of the loss alone.
    #[serde(flatten)]
    pub loss: P,
    /// Where the prediction comes from; default: a head.
    #[serde(flatten)]
    pub form: Form,
    /// What becomes of predictions beyond the labels' ends.
    pub out_of_range: OutOfRange,
    /// The labels' ends; default: those of the training labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
}

impl<P> RegressionSettings<P> {
    /// A loss of what a head predicts.
    pub fn head(loss: P) -> Self {
        Self::of(loss, Form::default())
    }

    /// A loss of what a map of the cosine predicts.
    pub fn cosine(loss: P) -> Self {
        Self::of(loss, Form::Cosine(CosineSettings::default()))
    }

    fn of(loss: P, form: Form) -> Self {
        Self {
            loss,
            form,
            out_of_range: OutOfRange::default(),
            range: None,
        }
    }
}

impl<P: PointLossSettings> RegressionSettings<P> {
    /// Checks the settings alone.
    ///
    /// # Errors
    /// [`ObjectiveError`] for a setting out of its bounds.
    pub fn validate(&self) -> Result<(), ObjectiveError> {
        self.loss.loss()?;
        match &self.form {
            Form::Head(head) => head.validate(),
            Form::Cosine(_) => Ok(()),
        }
    }

    /// The objective for this training set.
    ///
    /// # Errors
    /// [`ObjectiveError`] for a setting out of its bounds.
    pub fn build(&self, data: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        self.validate()?;
        let loss = self.loss.loss()?;
        let range = match self.range {
            Some([low, high]) => (low, high),
            None => data.range(),
        };
        Ok(match &self.form {
            Form::Head(head) => {
                Box::new(HeadForm::new(loss, head.features, self.out_of_range, range))
            }
            Form::Cosine(cosine) => {
                let map = cosine.map(range);
                let form = CosineForm::new(loss, map, cosine.learned, self.out_of_range, range);
                Box::new(form?)
            }
        })
    }
}

impl<P: PointLossSettings> Read for RegressionSettings<P> {
    fn read(keys: &mut Keys) -> Result<Self, toml::de::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum FormName {
            Head,
            Cosine,
        }
        let form = keys.take_one("form")?.unwrap_or(FormName::Head);
        Ok(Self {
            loss: keys.take()?,
            form: match form {
                FormName::Head => Form::Head(keys.take()?),
                FormName::Cosine => Form::Cosine(keys.take()?),
            },
            out_of_range: keys.take_one("out_of_range")?.unwrap_or_default(),
            range: keys.take_one("range")?,
        })
    }
}
