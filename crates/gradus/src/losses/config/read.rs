//! Reading objectives: the common keys, then those of the loss.

use super::keys::{self, Keys, fields};
use super::{LossSettings, ObjectiveConfig};
use crate::losses::{CosineSettings, Form, HeadSettings, LossName, ObjectiveError};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use toml::Value;

/// Settings that take their keys out of a table.
pub(crate) trait Read: Sized {
    /// # Errors
    /// For a value of another type, or one that the loss does not have.
    fn read(keys: &mut Keys) -> Result<Self, toml::de::Error>;
}

impl<T: DeserializeOwned> Read for T {
    fn read(keys: &mut Keys) -> Result<Self, toml::de::Error> {
        keys.take()
    }
}

impl<'de> Deserialize<'de> for ObjectiveConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Objectives)
    }
}

struct Objectives;

impl<'de> Visitor<'de> for Objectives {
    type Value = ObjectiveConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with a `loss`, such as `objective = { loss = \"cosent\" }`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectiveConfig, A::Error> {
        let (mut loss, mut weight, mut widths) = (None, None, None);
        let mut keys = Keys::default();
        while let Some(key) = map.next_key_seed(KnownKey)? {
            let new = match key.as_str() {
                "loss" => loss.replace(map.next_value()?).is_none(),
                "weight" => weight.replace(map.next_value()?).is_none(),
                "widths" => widths.replace(map.next_value()?).is_none(),
                _ => {
                    let value = map.next_value()?;
                    keys.insert(key.clone(), value)
                }
            };
            if !new {
                return Err(A::Error::custom(format!("duplicate field `{key}`")));
            }
        }
        let name: LossName = loss.ok_or_else(|| A::Error::missing_field("loss"))?;
        let in_words = |e: toml::de::Error| A::Error::custom(e.to_string().trim_end());
        let loss = LossSettings::read(name, &mut keys).map_err(in_words)?;
        if !name.is_regression() {
            // Recipes of earlier runs hold these of every loss.
            keys.pass_over("form", "head");
            keys.pass_over("out_of_range", "label_aware");
        }
        if let Some((key, value)) = keys.left() {
            return Err(A::Error::custom(unused(&loss, key, value)));
        }
        Ok(ObjectiveConfig {
            loss,
            weight: weight.unwrap_or(1.0),
            widths,
        })
    }
}

/// A key that some objective has.
struct KnownKey;

impl<'de> DeserializeSeed<'de> for KnownKey {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let key = String::deserialize(deserializer)?;
        match keys::all().contains(&key.as_str()) {
            true => Ok(key),
            false => Err(D::Error::unknown_field(&key, keys::all())),
        }
    }
}

/// What is wrong with a key that another loss or form has.
fn unused(loss: &LossSettings, key: &str, value: &Value) -> ObjectiveError {
    let number = value.as_float().or(value.as_integer().map(|i| i as f64));
    if let Some(scale) = number.filter(|scale| *scale > 0.0)
        && key == "scale"
        && loss.name().has_temperature()
    {
        let temperature = 1.0 / scale;
        return ObjectiveError::ScaleOfSimilarities { scale, temperature };
    }
    let what = match loss.form() {
        Some(Form::Head(_)) if fields::<CosineSettings>().contains(&key) => "the head form".into(),
        Some(Form::Cosine(_)) if fields::<HeadSettings>().contains(&key) => {
            "the cosine form".into()
        }
        _ => format!("`{}`", loss.name().in_recipe()),
    };
    ObjectiveError::unused(key, what)
}
