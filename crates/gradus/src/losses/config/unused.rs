//! Settings without meaning for the chosen loss and form are errors.

use super::{Form, LossName, ObjectiveConfig};
use crate::losses::{ObjectiveError, OutOfRange};
use crate::nn::Features;

impl ObjectiveConfig {
    pub(crate) fn refuse_unused(&self) -> Result<(), ObjectiveError> {
        use LossName::*;
        let refuse = |setting, what| Err(ObjectiveError::Unused { setting, what });
        let first = |given: &[(&'static str, bool)]| given.iter().find(|g| g.1).map(|g| g.0);
        let contrast = self.loss == InfoNce;
        let divides = contrast || self.loss.ranks() || matches!(self.loss, Cosent | Angle);
        if !matches!(self.loss, SmoothK2 | TranslatedRelu) {
            let given = [
                ("k", self.k.is_some()),
                ("x0", self.x0.is_some()),
                ("spacing", self.spacing.is_some()),
            ];
            if let Some(setting) = first(&given) {
                return refuse(setting, "a loss without a buffer");
            }
        }
        let foreign = [
            ("temperature", self.temperature.is_some() && !divides),
            (
                "teacher_temperature",
                self.teacher_temperature.is_some() && self.loss != ListNet,
            ),
            ("symmetric", self.symmetric.is_some() && !contrast),
            (
                "negative_weight",
                self.negative_weight.is_some() && !contrast,
            ),
            (
                "include_self",
                self.include_self.is_some() && !self.loss.ranks(),
            ),
            // A teacher's vectors cannot be cut as the student's are.
            ("widths", self.widths.is_some() && self.loss == EmbeddingMse),
        ];
        if let Some(setting) = first(&foreign) {
            return refuse(setting, "this loss");
        }
        if let (Some(scale), true) = (self.scale.filter(|s| *s > 0.0), divides) {
            let temperature = 1.0 / scale;
            return Err(ObjectiveError::ScaleOfSimilarities { scale, temperature });
        }
        if !self.loss.is_regression() {
            let given = [
                ("features", self.features.is_some()),
                ("scale", self.scale.is_some()),
                ("offset", self.offset.is_some()),
                ("range", self.range.is_some()),
                ("form", self.form == Form::Cosine),
                ("out_of_range", self.out_of_range != OutOfRange::default()),
                ("learned", self.learned.is_some() && !contrast),
            ];
            return match first(&given) {
                Some(setting) => refuse(setting, "a loss on similarities"),
                None => Ok(()),
            };
        }
        match self.form {
            Form::Head if self.features == Some(Features::Cosine) => refuse(
                "features = \"cosine\"",
                "the head form; set form = \"cosine\"",
            ),
            Form::Head => {
                let given = [
                    ("scale", self.scale.is_some()),
                    ("offset", self.offset.is_some()),
                    ("learned", self.learned.is_some()),
                ];
                match first(&given) {
                    Some(setting) => refuse(setting, "the head form"),
                    None => Ok(()),
                }
            }
            Form::Cosine if self.loss == CrossEntropy => Err(ObjectiveError::ClassesNeedHead),
            Form::Cosine if self.features.is_some() => refuse("features", "the cosine form"),
            Form::Cosine => Ok(()),
        }
    }
}
