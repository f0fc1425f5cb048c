//! The losses: their names in recipes, and the settings of each.

use super::TrainingSet;
use super::keys::{Keys, named};
use super::read::Read;
use crate::losses::{
    AngleSettings, ConsistencySettings, CosentSettings, CrossEntropySettings, EmbeddingMseSettings,
    Form, InfoNceSettings, L1Settings, ListMleSettings, ListNetSettings, MseSettings, Objective,
    ObjectiveConfig, ObjectiveError, PearsonSettings, PointLossSettings, RegressionSettings,
    SmoothK2Settings, TranslatedReluSettings,
};
use serde::{Deserialize, Serialize};

/// One line a loss: what it is, its name, its settings.
macro_rules! losses {
    ($($(#[$doc:meta])* $loss:ident($settings:ty),)*) => {
        /// The losses by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum LossName {
            $($(#[$doc])* $loss,)*
        }

        impl LossName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$loss),*];
        }

        /// A loss with its settings.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "loss", rename_all = "snake_case")]
        pub enum LossSettings {
            $($(#[$doc])* $loss($settings),)*
        }

        impl LossSettings {
            /// Which loss it is.
            pub fn name(&self) -> LossName {
                match self {
                    $(Self::$loss(_) => LossName::$loss,)*
                }
            }

            /// Checks the settings alone.
            ///
            /// # Errors
            /// [`ObjectiveError`] for a setting out of its bounds.
            pub fn validate(&self) -> Result<(), ObjectiveError> {
                match self {
                    $(Self::$loss(settings) => settings.validate(),)*
                }
            }

            /// The loss for this training set.
            pub(super) fn build(
                &self,
                data: TrainingSet<'_>,
            ) -> Result<Box<dyn Objective>, ObjectiveError> {
                match self {
                    $(Self::$loss(settings) => settings.build(data),)*
                }
            }

            /// Takes the settings of a loss out of a table.
            pub(super) fn read(loss: LossName, keys: &mut Keys) -> Result<Self, toml::de::Error> {
                match loss {
                    $(LossName::$loss => Read::read(keys).map(Self::$loss),)*
                }
            }
        }

        $(
            impl From<$settings> for LossSettings {
                fn from(settings: $settings) -> Self {
                    Self::$loss(settings)
                }
            }

            impl From<$settings> for ObjectiveConfig {
                fn from(settings: $settings) -> Self {
                    Self::new(settings)
                }
            }
        )*
    };
}

losses! {
    /// [`SmoothK2`](crate::losses::SmoothK2).
    SmoothK2(RegressionSettings<SmoothK2Settings>),
    /// [`TranslatedRelu`](crate::losses::TranslatedRelu).
    TranslatedRelu(RegressionSettings<TranslatedReluSettings>),
    /// [`MeanSquaredError`](crate::losses::MeanSquaredError).
    Mse(RegressionSettings<MseSettings>),
    /// [`L1`](crate::losses::L1).
    L1(RegressionSettings<L1Settings>),
    /// [`CrossEntropy`](crate::losses::CrossEntropy).
    CrossEntropy(CrossEntropySettings),
    /// [`InfoNce`](crate::losses::InfoNce).
    InfoNce(InfoNceSettings),
    /// [`Cosent`](crate::losses::Cosent).
    Cosent(CosentSettings),
    /// [`Cosent`](crate::losses::Cosent) on [`PairSimilarity::Angle`](crate::losses::PairSimilarity::Angle).
    Angle(AngleSettings),
    /// [`PearsonLoss`](crate::losses::PearsonLoss).
    Pearson(PearsonSettings),
    /// [`RankingDistillation`](crate::losses::RankingDistillation) by [`RankingLoss::ListNet`](crate::losses::RankingLoss::ListNet).
    ListNet(ListNetSettings),
    /// [`RankingDistillation`](crate::losses::RankingDistillation) by [`RankingLoss::ListMle`](crate::losses::RankingLoss::ListMle).
    ListMle(ListMleSettings),
    /// [`Consistency`](crate::losses::Consistency).
    Consistency(ConsistencySettings),
    /// [`EmbeddingMse`](crate::losses::EmbeddingMse).
    EmbeddingMse(EmbeddingMseSettings),
}

impl LossName {
    /// Its name in a recipe's words: `loss = "mse"`.
    pub(super) fn in_recipe(self) -> String {
        format!("loss = \"{}\"", self.name_in_recipes())
    }

    /// Its name in a recipe.
    pub fn name_in_recipes(self) -> String {
        named(&self)
    }

    /// Whether it is a loss of one prediction against one grade, or class.
    pub(super) fn is_regression(self) -> bool {
        use LossName::*;
        matches!(self, SmoothK2 | TranslatedRelu | Mse | L1 | CrossEntropy)
    }

    /// Whether it divides similarities by a temperature.
    pub(super) fn has_temperature(self) -> bool {
        use LossName::*;
        let ranks = matches!(self, ListNet | ListMle | Consistency);
        ranks || matches!(self, InfoNce | Cosent | Angle)
    }

    /// Whether it compares two vectors that one text has by dropout, or two texts,
    /// so that a text seen once says nothing.
    pub fn needs_two_views(self) -> bool {
        self.needs_labels() || matches!(self, Self::InfoNce | Self::Consistency)
    }

    /// Whether it is computed from grades: the others need texts alone.
    pub fn needs_labels(self) -> bool {
        self.is_regression() || matches!(self, Self::Cosent | Self::Angle | Self::Pearson)
    }
}

impl LossSettings {
    /// Where a regression loss takes its prediction from; other losses have none.
    pub fn form(&self) -> Option<&Form> {
        match self {
            Self::SmoothK2(settings) => Some(&settings.form),
            Self::TranslatedRelu(settings) => Some(&settings.form),
            Self::Mse(settings) => Some(&settings.form),
            Self::L1(settings) => Some(&settings.form),
            _ => None,
        }
    }

    /// The half-width that per-pair tolerances may have at most.
    pub fn widest_tolerance(&self) -> f64 {
        match self {
            Self::SmoothK2(settings) => settings.loss.widest_tolerance(),
            Self::TranslatedRelu(settings) => settings.loss.widest_tolerance(),
            _ => 0.5,
        }
    }
}
