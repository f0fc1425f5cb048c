use super::{
    Consistency, Cosent, CosineForm, CrossEntropy, EmbeddingMse, HeadForm, InfoNce, L1, Matryoshka,
    MeanSquaredError, Objective, ObjectiveError, OutOfRange, PairSimilarity, PearsonLoss,
    RankingDistillation, RankingLoss, SmoothK2, TranslatedRelu,
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
    /// [`InfoNce`].
    InfoNce,
    /// [`Cosent`].
    Cosent,
    /// [`Cosent`] on [`PairSimilarity::Angle`].
    Angle,
    /// [`PearsonLoss`].
    Pearson,
    /// [`RankingDistillation`] by [`RankingLoss::ListNet`].
    ListNet,
    /// [`RankingDistillation`] by [`RankingLoss::ListMle`].
    ListMle,
    /// [`Consistency`].
    Consistency,
    /// [`EmbeddingMse`].
    EmbeddingMse,
}

impl LossName {
    /// Whether it is a loss of one prediction against one grade, or class.
    fn is_regression(self) -> bool {
        use LossName::*;
        matches!(self, SmoothK2 | TranslatedRelu | Mse | L1 | CrossEntropy)
    }

    fn ranks(self) -> bool {
        matches!(self, Self::ListNet | Self::ListMle | Self::Consistency)
    }

    /// Whether it compares two vectors that one text has by dropout, or two texts,
    /// so that a text seen once says nothing.
    pub fn needs_two_views(self) -> bool {
        self.needs_labels() || matches!(self, Self::InfoNce | Self::Consistency)
    }

    /// Whether it compares the texts of a batch with each other.
    pub fn compares_texts(self) -> bool {
        !self.needs_labels() && self != Self::EmbeddingMse
    }

    /// Whether it is computed from grades: the others need texts alone.
    pub fn needs_labels(self) -> bool {
        self.is_regression() || matches!(self, Self::Cosent | Self::Angle | Self::Pearson)
    }
}

/// What an objective must know of the data before it is built.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// All training labels.
    pub labels: &'a [f64],
    /// How many texts an example has; a text alone has one or two views.
    pub columns: usize,
    /// The weight of each teacher.
    pub teachers: &'a [f64],
}

/// An objective as a recipe describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveConfig {
    /// The loss.
    pub loss: LossName,
    /// What it is multiplied by beside other objectives; default 1.
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
    pub fn build(&self, facts: Facts<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        self.refuse_unused()?;
        if facts.columns < 2 && self.loss.needs_two_views() {
            return Err(ObjectiveError::OneView);
        }
        let objective = match self.loss.is_regression() {
            true => self.regression(facts.labels)?,
            false => self.of_batch(facts)?,
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
    fn of_batch(&self, facts: Facts<'_>) -> Result<Box<dyn Objective>, ObjectiveError> {
        let temperature = self.temperature.unwrap_or(0.05);
        let ordering = |similarity| Cosent::new(similarity, 1.0 / temperature);
        let distillation = |loss| {
            let of_teacher = self.teacher_temperature.unwrap_or(temperature / 2.0);
            let include_self = self.include_self.unwrap_or(false);
            let weights = facts.teachers.to_vec();
            let views = facts.columns.min(2);
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
                Box::new(EmbeddingMse::new(facts.columns, facts.teachers.to_vec())?)
            }
            LossName::Consistency => {
                let include_self = self.include_self.unwrap_or(false);
                Box::new(Consistency::new(temperature, include_self)?)
            }
            _ => {
                let weight = self.negative_weight.unwrap_or(1.0);
                let objective = InfoNce::new(facts.columns, temperature)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn build(toml: &str) -> Result<Box<dyn Objective>, String> {
        let config: ObjectiveConfig = toml::from_str(toml).map_err(|e| e.to_string())?;
        config
            .build(facts(&[0.0, 5.0, 2.0]))
            .map_err(|e| e.to_string())
    }

    fn facts(labels: &[f64]) -> Facts<'_> {
        Facts {
            labels,
            columns: 2,
            teachers: &[1.0],
        }
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
            (
                "loss = 'info_nce'\nsymmetric = true",
                "InfoNCE (temperature 0.05, both directions)",
            ),
            (
                "loss = 'angle'\ntemperature = 0.1\nwidths = [64, 32]",
                "CoSENT (scale 10) on angles in complex space at widths 64, 32",
            ),
            (
                "loss = 'list_mle'",
                "ListMLE (temperature 0.05) after 1 teacher(s)",
            ),
            (
                "loss = 'consistency'",
                "ranking consistency (temperature 0.05)",
            ),
            (
                "loss = 'embedding_mse'",
                "squared distance to the vectors of 1 teacher(s)",
            ),
            (
                "loss = 'pearson'",
                "1 - Pearson's correlation of cosines and grades",
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
            ("loss = 'info_nce'\nk = 2.0", "`k` has no meaning"),
            ("loss = 'info_nce'\ntemperature = 0.0", "temperature 0"),
            (
                "loss = 'mse'\ntemperature = 0.1",
                "`temperature` has no meaning",
            ),
            ("loss = 'cosent'\nsymmetric = true", "`symmetric`"),
            (
                "loss = 'list_mle'\nteacher_temperature = 0.1",
                "`teacher_temperature`",
            ),
            ("loss = 'pearson'\nform = 'cosine'", "`form` has no meaning"),
            (
                "loss = 'mse'\nwidths = [8]",
                "a regression head has one width",
            ),
            ("loss = 'pearson'\nwidths = []", "at least one"),
            (
                "loss = 'embedding_mse'\nwidths = [8]",
                "`widths` has no meaning",
            ),
            (
                "loss = 'embedding_mse'\ntemperature = 0.1",
                "`temperature` has no meaning",
            ),
            ("loss = 'smooth_k3'", "unknown variant"),
            ("loss = 'mse'\nlr = 1.0", "unknown field"),
        ] {
            let error = build(toml).err().unwrap_or_default();
            assert!(error.contains(part), "{toml}: {error}");
        }
        for (loss, allowed) in [
            ("info_nce", false),
            ("consistency", false),
            ("cosent", false),
            ("list_mle", true),
            ("embedding_mse", true),
        ] {
            let config: ObjectiveConfig = toml::from_str(&format!("loss = '{loss}'")).unwrap();
            let one_view = Facts {
                columns: 1,
                ..facts(&[0.0])
            };
            let built = config.build(one_view);
            assert_eq!(built.is_ok(), allowed, "{loss}");
            assert!(built.is_err() || built.is_ok_and(|o| o.columns() == 1));
        }
        let classes: ObjectiveConfig = toml::from_str("loss = 'cross_entropy'").unwrap();
        assert_eq!(
            classes.build(facts(&[0.0, 0.5])).err(),
            Some(ObjectiveError::NotAClass(0.5))
        );
        assert_eq!(
            classes.build(facts(&[1.0, 1.0])).err(),
            Some(ObjectiveError::ClassCount(1))
        );
    }
}
