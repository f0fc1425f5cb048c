//! Objectives as recipes describe them.

mod names;
#[cfg(test)]
mod tests;
mod unused;

pub use names::{Form, LossName};

use super::{
    Consistency, Cosent, CosineForm, CrossEntropy, EmbeddingMse, HeadForm, InfoNce, L1, Matryoshka,
    MeanSquaredError, Objective, ObjectiveError, OutOfRange, PairSimilarity, PearsonLoss,
    PointLoss, RankingDistillation, RankingLoss, SmoothK2, TranslatedRelu,
};
use crate::nn::Features;
use serde::{Deserialize, Serialize};

/// What an objective must know of its training set before it is built.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSet<'a> {
    /// All training labels.
    pub labels: &'a [f64],
    /// The weight of each example.
    pub weights: &'a [f32],
    /// How many texts an example has; a text alone has one or two views.
    pub columns: usize,
    /// The weight of each teacher.
    pub teachers: &'a [f64],
}

impl TrainingSet<'_> {
    /// Whether there is something to learn from the grades.
    fn can_be_learned(&self) -> Result<(), ObjectiveError> {
        let all = self.labels.iter().zip(self.weights);
        let mut weighted = all.filter(|(_, w)| **w > 0.0).map(|(y, _)| *y);
        let Some(value) = weighted.next() else {
            return match self.labels.len() {
                0 => Ok(()),
                count => Err(ObjectiveError::NoWeight(count)),
            };
        };
        let mut count = 1;
        for label in weighted {
            if label != value {
                return Ok(());
            }
            count += 1;
        }
        Err(ObjectiveError::EqualGrades { count, value })
    }
}

/// An objective as a recipe describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveConfig {
    /// The loss.
    pub loss: LossName,
    /// What it is multiplied by among other objectives; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Head or cosine.
    #[serde(default)]
    pub form: Form,
    /// Slope or curvature outside of the buffer; default 2 (Smooth K2) or 1
    /// (Translated ReLU).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<f64>,
    /// Half-width of the buffer; default 0.25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x0: Option<f64>,
    /// Distance between neighbouring labels, which bounds x0; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing: Option<f64>,
    /// What the head sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// What becomes of predictions beyond the labels' ends.
    #[serde(default)]
    pub out_of_range: OutOfRange,
    /// The labels' ends; default: those of the training labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// Cosine form: slope of the map; default: onto the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Cosine form: intercept of the map; default: the lowest label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<f64>,
    /// Cosine form: whether the map is trained. InfoNCE: the temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<bool>,
    /// InfoNCE, CoSENT, angle and ranking losses: what similarities are divided
    /// by; default 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// ListNet: the teacher's temperature; default half the student's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher_temperature: Option<f64>,
    /// InfoNCE: whether positives also seek their anchors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symmetric: Option<bool>,
    /// InfoNCE: what the own hard negatives' terms are multiplied by; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_weight: Option<f64>,
    /// Ranking losses: whether a text stands in its own list; default no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_self: Option<bool>,
    /// The widths that vectors may be cut to (Matryoshka); default: the whole
    /// width alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widths: Option<Vec<usize>>,
}

impl ObjectiveConfig {
    /// The half-width that per-pair tolerances may have at most.
    pub fn widest_tolerance(&self) -> f64 {
        self.spacing.unwrap_or(1.0) / 2.0
    }

    /// Builds the objective for this data.
    ///
    /// # Errors
    /// [`ObjectiveError`] for a setting out of its bounds or without meaning
    /// for the chosen loss and form.
    pub fn build(&self, data: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        self.refuse_unused()?;
        if self.loss.needs_labels() {
            data.can_be_learned()?;
        }
        if data.columns < 2 && self.loss.needs_two_views() {
            return Err(ObjectiveError::OneView);
        }
        let objective = match self.loss.is_regression() {
            true => self.regression(data.labels)?,
            false => self.of_batch(data)?,
        };
        Ok(match &self.widths {
            None => objective,
            Some(widths) => {
                let widths = widths.iter().map(|&width| (width, 1.0)).collect();
                Box::new(Matryoshka::new(objective, widths)?)
            }
        })
    }

    /// An objective over a whole batch.
    fn of_batch(&self, data: TrainingSet<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        let temperature = self.temperature.unwrap_or(0.05);
        let ordering = |similarity| Cosent::new(similarity, 1.0 / temperature);
        let distillation = |loss| {
            let of_teacher = self.teacher_temperature.unwrap_or(temperature / 2.0);
            let include_self = self.include_self.unwrap_or(false);
            let weights = data.teachers.to_vec();
            let views = data.columns.min(2);
            RankingDistillation::new(loss, temperature, of_teacher, weights, include_self)
                .map(|distillation| distillation.views(views))
        };
        Ok(match self.loss {
            LossName::Cosent => Box::new(ordering(PairSimilarity::Cosine)?),
            LossName::Angle => Box::new(ordering(PairSimilarity::Angle)?),
            LossName::Pearson => Box::new(PearsonLoss),
            LossName::ListNet => Box::new(distillation(RankingLoss::ListNet)?),
            LossName::ListMle => Box::new(distillation(RankingLoss::ListMle)?),
            LossName::EmbeddingMse => {
                Box::new(EmbeddingMse::new(data.columns, data.teachers.to_vec())?)
            }
            LossName::Consistency => {
                let include_self = self.include_self.unwrap_or(false);
                Box::new(Consistency::new(temperature, include_self)?)
            }
            _ => {
                let weight = self.negative_weight.unwrap_or(1.0);
                let objective = InfoNce::new(data.columns, temperature)?;
                let objective = objective.negative_weight(weight)?;
                let objective = match self.symmetric {
                    Some(true) => objective.symmetric(),
                    _ => objective,
                };
                match self.learned {
                    Some(true) => Box::new(objective.learned()),
                    _ => Box::new(objective),
                }
            }
        })
    }

    fn regression(&self, labels: &[f64]) -> Result<Box<dyn Objective>, ObjectiveError> {
        let range = match self.range {
            Some([low, high]) => (low, high),
            None => labels
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &y| {
                    (l.min(y), h.max(y))
                }),
        };
        let (x0, spacing) = (self.x0.unwrap_or(0.25), self.spacing.unwrap_or(1.0));
        match self.loss {
            LossName::L1 => self.with(L1, range),
            LossName::TranslatedRelu => self.with(
                TranslatedRelu::new(self.k.unwrap_or(1.0), x0, spacing)?,
                range,
            ),
            LossName::SmoothK2 => {
                self.with(SmoothK2::new(self.k.unwrap_or(2.0), x0, spacing)?, range)
            }
            LossName::CrossEntropy => {
                let classes =
                    CrossEntropy::new(self.features.unwrap_or_default(), labels.iter().copied());
                Ok(Box::new(classes?))
            }
            _ => self.with(MeanSquaredError, range),
        }
    }

    fn with(
        &self,
        loss: impl PointLoss + 'static,
        range: (f64, f64),
    ) -> Result<Box<dyn Objective>, ObjectiveError> {
        Ok(match self.form {
            Form::Head => {
                let features = self.features.unwrap_or_default();
                Box::new(HeadForm::new(loss, features, self.out_of_range, range))
            }
            Form::Cosine => {
                let scale = self.scale.unwrap_or(range.1 - range.0);
                let map = (scale, self.offset.unwrap_or(range.0));
                let learned = self.learned.unwrap_or(false);
                Box::new(CosineForm::new(
                    loss,
                    map,
                    learned,
                    self.out_of_range,
                    range,
                )?)
            }
        })
    }
}
