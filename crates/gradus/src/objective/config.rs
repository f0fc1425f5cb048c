use super::{
    CosineForm, CrossEntropy, HeadForm, L1, MeanSquaredError, Objective, ObjectiveError,
    OutOfRange, SmoothK2, TranslatedRelu,
};
use crate::model::Features;
use serde::{Deserialize, Serialize};

/// Where the prediction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A linear head on the pair's features.
    #[default]
    Head,
    /// An affine map of the cosine.
    Cosine,
}

/// The losses by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossName {
    /// [`SmoothK2`].
    SmoothK2,
    /// [`TranslatedRelu`].
    TranslatedRelu,
    /// [`MeanSquaredError`].
    Mse,
    /// [`L1`].
    L1,
    /// [`CrossEntropy`].
    CrossEntropy,
}

/// An objective as a recipe describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveConfig {
    /// The loss.
    pub loss: LossName,
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
    /// Cosine form: whether the map is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<bool>,
}

impl ObjectiveConfig {
    /// The half-width that per-pair tolerances may have at most.
    pub fn widest_tolerance(&self) -> f64 {
        self.spacing.unwrap_or(1.0) / 2.0
    }

    /// Builds the objective for these training labels.
    ///
    /// # Errors
    /// [`ObjectiveError`] for a setting out of its bounds or without meaning
    /// for the chosen loss and form.
    pub fn build(&self, labels: &[f64]) -> Result<Box<dyn Objective>, ObjectiveError> {
        self.refuse_unused()?;
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
            LossName::Mse => self.with(MeanSquaredError, range),
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
        }
    }

    fn with(
        &self,
        loss: impl super::PointLoss + 'static,
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

    fn refuse_unused(&self) -> Result<(), ObjectiveError> {
        let refuse = |setting, what| Err(ObjectiveError::Unused { setting, what });
        let buffered = matches!(self.loss, LossName::SmoothK2 | LossName::TranslatedRelu);
        if !buffered {
            for (setting, given) in [("k", self.k), ("x0", self.x0), ("spacing", self.spacing)] {
                if given.is_some() {
                    return refuse(setting, "a loss without a buffer");
                }
            }
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
                match given.into_iter().find(|g| g.1) {
                    Some((setting, _)) => refuse(setting, "the head form"),
                    None => Ok(()),
                }
            }
            Form::Cosine if self.loss == LossName::CrossEntropy => {
                Err(ObjectiveError::ClassesNeedHead)
            }
            Form::Cosine if self.features.is_some() => refuse("features", "the cosine form"),
            Form::Cosine => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(toml: &str) -> Result<Box<dyn Objective>, String> {
        let config: ObjectiveConfig = toml::from_str(toml).map_err(|e| e.to_string())?;
        config.build(&[0.0, 5.0, 2.0]).map_err(|e| e.to_string())
    }

    #[test]
    fn settings_reach_the_objective() {
        for (toml, text) in [
            (
                "loss = 'smooth_k2'\nk = 3.5\nx0 = 0.2",
                "smooth K2 (k 3.5, x0 0.2) on a head over [u; v; |u-v|]",
            ),
            (
                "loss = 'translated_relu'\nfeatures = 'difference'",
                "translated ReLU (k 1, x0 0.25) on a head over [|u-v|]",
            ),
            ("loss = 'mse'\nform = 'cosine'", "MSE on 5 cos(u, v) + 0"),
            (
                "loss = 'l1'\nform = 'cosine'\nscale = 2.5\noffset = 2.5\nlearned = true",
                "L1 on 2.5 cos(u, v) + 2.5, learned",
            ),
            (
                "loss = 'cross_entropy'",
                "cross-entropy over 3 classes on a head over [u; v; |u-v|]",
            ),
        ] {
            assert_eq!(build(toml).map(|o| o.describe()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn bad_settings_are_refused() {
        for (toml, part) in [
            ("loss = 'smooth_k2'\nx0 = 0.51", "0 <= x0 <= 0.5"),
            ("loss = 'smooth_k2'\nx0 = -0.1", "0 <= x0"),
            ("loss = 'smooth_k2'\nx0 = nan", "0 <= x0"),
            (
                "loss = 'translated_relu'\nx0 = 0.3\nspacing = 0.5",
                "<= 0.25",
            ),
            ("loss = 'smooth_k2'\nk = 0.0", "k = 0"),
            ("loss = 'mse'\nx0 = 0.1", "`x0` has no meaning"),
            ("loss = 'mse'\nscale = 5.0", "`scale` has no meaning"),
            (
                "loss = 'mse'\nform = 'cosine'\nfeatures = 'concat'",
                "`features` has no meaning",
            ),
            ("loss = 'mse'\nform = 'cosine'\nscale = 0.0", "not constant"),
            ("loss = 'cross_entropy'\nform = 'cosine'", "head form"),
            ("loss = 'smooth_k3'", "unknown variant"),
            ("loss = 'mse'\nlr = 1.0", "unknown field"),
        ] {
            let error = build(toml).err().unwrap_or_default();
            assert!(error.contains(part), "{toml}: {error}");
        }
        let classes: ObjectiveConfig = toml::from_str("loss = 'cross_entropy'").unwrap();
        assert_eq!(
            classes.build(&[0.0, 0.5]).err(),
            Some(ObjectiveError::NotAClass(0.5))
        );
        assert_eq!(
            classes.build(&[1.0, 1.0]).err(),
            Some(ObjectiveError::ClassCount(1))
        );
    }
}
