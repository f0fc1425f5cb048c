//! The losses of scores: their names in recipes, and the settings of each.

use super::{
    BceSettings, LambdaSettings, MarginMseSettings, PListMleSettings, RankNetSettings,
    ScoreCrossEntropySettings, ScoreListMleSettings, ScoreListNetSettings, ScoreLoss,
    ScoreRegressionSettings, ScoreTrainingSet, ScoreUnit,
};
use crate::losses::config::{Keys, Read, add_new, named};
use crate::losses::{
    L1Settings, MseSettings, ObjectiveError, PointLossSettings, SmoothK2Settings,
    TranslatedReluSettings,
};
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::sync::OnceLock;

/// One line a loss: what it is, its name, its settings.
macro_rules! losses {
    ($($(#[$doc:meta])* $loss:ident($settings:ty),)*) => {
        /// The losses of scores by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ScoreLossName {
            $($(#[$doc])* $loss,)*
        }

        impl ScoreLossName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$loss),*];
        }

        /// A loss of scores with its settings, as recipes write it:
        /// `objective = { loss = "bce", pos_weight = 2 }`.
        ///
        /// ```
        /// use gradus::losses::{BceSettings, ScoreLossSettings};
        ///
        /// let written: ScoreLossSettings = toml::from_str("loss = 'bce'\npos_weight = 2")?;
        /// let built = BceSettings { pos_weight: 2.0, ..Default::default() };
        /// assert_eq!(written, built.into());
        /// # Ok::<(), toml::de::Error>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "loss", rename_all = "snake_case")]
        pub enum ScoreLossSettings {
            $($(#[$doc])* $loss($settings),)*
        }

        impl ScoreLossSettings {
            /// Which loss it is.
            pub fn name(&self) -> ScoreLossName {
                match self {
                    $(Self::$loss(_) => ScoreLossName::$loss,)*
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
            ///
            /// # Errors
            /// [`ObjectiveError`] for a setting out of its bounds, or a training set
            /// from which the loss can learn nothing.
            pub fn build(
                &self,
                data: ScoreTrainingSet<'_>,
            ) -> Result<Box<dyn ScoreLoss>, ObjectiveError> {
                self.validate()?;
                match self {
                    $(Self::$loss(settings) => settings.build(data),)*
                }
            }

            /// What an example is.
            pub fn unit(&self) -> ScoreUnit {
                match self {
                    $(Self::$loss(_) => <$settings>::UNIT,)*
                }
            }

            /// Takes the settings of a loss out of a table.
            fn read(loss: ScoreLossName, keys: &mut Keys) -> Result<Self, toml::de::Error> {
                match loss {
                    $(ScoreLossName::$loss => Read::read(keys).map(Self::$loss),)*
                }
            }
        }

        $(
            impl From<$settings> for ScoreLossSettings {
                fn from(settings: $settings) -> Self {
                    Self::$loss(settings)
                }
            }
        )*
    };
}

losses! {
    /// [`BinaryCrossEntropy`](super::BinaryCrossEntropy).
    Bce(BceSettings),
    /// [`ScoreRegression`](super::ScoreRegression) by [`MeanSquaredError`](crate::losses::MeanSquaredError).
    Mse(ScoreRegressionSettings<MseSettings>),
    /// [`ScoreRegression`](super::ScoreRegression) by [`L1`](crate::losses::L1).
    L1(ScoreRegressionSettings<L1Settings>),
    /// [`ScoreRegression`](super::ScoreRegression) by [`SmoothK2`](crate::losses::SmoothK2).
    SmoothK2(ScoreRegressionSettings<SmoothK2Settings>),
    /// [`ScoreRegression`](super::ScoreRegression) by [`TranslatedRelu`](crate::losses::TranslatedRelu).
    TranslatedRelu(ScoreRegressionSettings<TranslatedReluSettings>),
    /// [`ScoreCrossEntropy`](super::ScoreCrossEntropy).
    CrossEntropy(ScoreCrossEntropySettings),
    /// [`MarginMse`](super::MarginMse).
    MarginMse(MarginMseSettings),
    /// [`LambdaLoss`](super::LambdaLoss).
    Lambda(LambdaSettings),
    /// [`LambdaLoss`](super::LambdaLoss) without weights.
    RankNet(RankNetSettings),
    /// [`ScoreListNet`](super::ScoreListNet).
    ListNet(ScoreListNetSettings),
    /// [`PlackettLuce`](super::PlackettLuce).
    ListMle(ScoreListMleSettings),
    /// [`PlackettLuce`](super::PlackettLuce) with weights by position.
    PListMle(PListMleSettings),
}

impl ScoreLossName {
    /// Its name in a recipe's words: `loss = "mse"`.
    pub fn in_recipe(self) -> String {
        format!("loss = \"{}\"", self.name_in_recipes())
    }

    /// Its name in a recipe.
    pub fn name_in_recipes(self) -> String {
        named(&self)
    }
}

impl ScoreLossSettings {
    /// The half-width that per-row tolerances may have at most, where the loss has a
    /// buffer.
    pub fn widest_tolerance(&self) -> Option<f64> {
        match self {
            Self::SmoothK2(settings) => Some(settings.loss.widest_tolerance()),
            Self::TranslatedRelu(settings) => Some(settings.loss.widest_tolerance()),
            _ => None,
        }
    }

    /// Whether targets are the numbers of classes.
    pub fn needs_classes(&self) -> bool {
        self.name() == ScoreLossName::CrossEntropy
    }
}

impl<'de> Deserialize<'de> for ScoreLossSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Losses)
    }
}

struct Losses;

impl<'de> Visitor<'de> for Losses {
    type Value = ScoreLossSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with a `loss`, such as `objective = { loss = \"bce\" }`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ScoreLossSettings, A::Error> {
        let mut loss = None;
        let mut keys = Keys::default();
        while let Some(key) = map.next_key_seed(KnownKey)? {
            let new = match key.as_str() {
                "loss" => loss.replace(map.next_value()?).is_none(),
                _ => keys.insert(key.clone(), map.next_value()?),
            };
            if !new {
                return Err(A::Error::custom(format!("duplicate field `{key}`")));
            }
        }
        let name: ScoreLossName = loss.ok_or_else(|| A::Error::missing_field("loss"))?;
        let in_words = |e: toml::de::Error| A::Error::custom(e.to_string().trim_end());
        let settings = ScoreLossSettings::read(name, &mut keys).map_err(in_words)?;
        match keys.left() {
            None => Ok(settings),
            Some((key, _)) => {
                let what = format!("`{}`", name.in_recipe());
                Err(A::Error::custom(ObjectiveError::unused(key, what)))
            }
        }
    }
}

/// A key that some loss has.
struct KnownKey;

impl<'de> DeserializeSeed<'de> for KnownKey {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let key = String::deserialize(deserializer)?;
        match all_keys().contains(&key.as_str()) {
            true => Ok(key),
            false => Err(D::Error::unknown_field(&key, all_keys())),
        }
    }
}

impl ScoreLossName {
    /// The keys that an objective of this loss can have.
    pub fn keys(self) -> Vec<&'static str> {
        let (mut all, mut keys) = (vec!["loss"], Keys::default());
        // What matters is what it asked for.
        let _ = ScoreLossSettings::read(self, &mut keys);
        add_new(&mut all, keys.taken());
        all
    }
}

/// The keys of all losses.
fn all_keys() -> &'static [&'static str] {
    static ALL: OnceLock<Vec<&'static str>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = vec![];
        for loss in ScoreLossName::ALL {
            add_new(&mut all, &loss.keys());
        }
        all
    })
}
