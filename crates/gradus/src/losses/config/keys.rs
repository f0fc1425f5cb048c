//! The keys of an `objective` table, each taken by the settings that have it.

use super::LossSettings;
use crate::losses::LossName;
use serde::Serialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;
use std::sync::OnceLock;
use toml::de::Error;
use toml::{Table, Value};

/// The keys of a table that no settings have taken yet.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    left: Table,
    taken: Vec<&'static str>,
}

impl Keys {
    /// `false` where the table has the key already.
    pub fn insert(&mut self, key: String, value: Value) -> bool {
        self.left.insert(key, value).is_none()
    }

    /// Settings whose keys are the fields of `T`.
    ///
    /// # Errors
    /// For a value of another type.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let mut own = Table::new();
        for &field in fields::<T>() {
            self.taken.push(field);
            own.extend(self.left.remove_entry(field));
        }
        Value::Table(own).try_into()
    }

    /// The value of one key, where the table has it.
    ///
    /// # Errors
    /// For a value of another type.
    pub fn take_one<T: DeserializeOwned>(&mut self, key: &'static str) -> Result<Option<T>, Error> {
        self.taken.push(key);
        let value = self.left.remove(key);
        let wrong = |e: Error| Error::custom(format!("`{key}`: {}", e.message()));
        value
            .map(|value| value.try_into().map_err(wrong))
            .transpose()
    }

    /// Drops a key that has this value.
    pub fn pass_over(&mut self, key: &str, value: &str) {
        if self.left.get(key).and_then(Value::as_str) == Some(value) {
            self.left.remove(key);
        }
    }

    /// The keys that settings have asked for.
    pub fn taken(&self) -> &[&'static str] {
        &self.taken
    }

    /// A key that nothing has taken.
    pub fn left(&self) -> Option<(&str, &Value)> {
        self.left.iter().next().map(|(key, value)| (&**key, value))
    }
}

/// The keys that every objective has.
pub(crate) const COMMON: [&str; 3] = ["loss", "weight", "widths"];

impl LossName {
    /// The keys that an objective of this loss can have, in either form.
    pub fn keys(self) -> Vec<&'static str> {
        let mut all = COMMON.to_vec();
        for form in ["head", "cosine"] {
            let mut keys = Keys::default();
            keys.insert("form".into(), form.into());
            // What matters is what it asked for.
            let _ = LossSettings::read(self, &mut keys);
            add_new(&mut all, keys.taken());
        }
        all
    }
}

/// The keys of all losses.
pub(crate) fn all() -> &'static [&'static str] {
    static ALL: OnceLock<Vec<&'static str>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = vec![];
        for loss in LossName::ALL {
            add_new(&mut all, &loss.keys());
        }
        all
    })
}

/// The name of a variant without fields, as recipes write it.
pub(crate) fn named(variant: &impl Serialize) -> String {
    let name = Value::try_from(variant).ok();
    name.and_then(|name| Some(name.as_str()?.to_owned()))
        .unwrap_or_default()
}

/// Adds the keys that are not there yet.
pub(crate) fn add_new(all: &mut Vec<&'static str>, keys: &[&'static str]) {
    for key in keys {
        if !all.contains(key) {
            all.push(key);
        }
    }
}

/// The names of the fields of a struct that derives `Deserialize`.
pub(crate) fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It reads nothing, and fails once it has the fields.
    let _ = T::deserialize(Fields(&mut fields));
    fields
}

struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Nothing;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Nothing> {
        Err(Nothing)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Nothing> {
        *self.0 = fields;
        Err(Nothing)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
        ignored_any
    }
}

#[derive(Debug)]
struct Nothing;

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was read")
    }
}

impl std::error::Error for Nothing {}

impl serde::de::Error for Nothing {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}
