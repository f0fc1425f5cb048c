//! One object of a JSON file.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonRow {
    /// The line on which it begins, counted from 1; where the file has no
    /// lines, the row.
    pub line: u64,
    /// Its keys and values, in the file's order.
    pub object: Map<String, Value>,
}

/// An object whose keys differ; else what is wrong.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Object(object)) => Ok(object),
        Err(error) => Err(match serde_json::from_str::<Value>(text) {
            Ok(other @ (Value::Null | Value::Bool(_) | Value::Number(_))) => is(&other),
            Ok(other @ (Value::String(_) | Value::Array(_))) => is(&other),
            _ => error.to_string(),
        }),
    }
}

fn is(value: &Value) -> String {
    format!("it is {}", kind(value))
}

/// `serde_json` takes the last of two values under one key.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Object;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Object, A::Error> {
                let mut object = Map::new();
                while let Some((key, value)) = entries.next_entry::<String, Value>()? {
                    if object.contains_key(&key) {
                        let message = format!("the key {key:?} is there twice");
                        return Err(A::Error::custom(message));
                    }
                    object.insert(key, value);
                }
                Ok(Object(object))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// What a JSON value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
