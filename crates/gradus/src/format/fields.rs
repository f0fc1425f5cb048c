use super::ModelError;
use super::keys::{Keys, Problem};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::path::Path;

/// Larger than any size in any encoder; keeps products of hostile ones small.
const LARGEST: usize = 1 << 24;

/// A description's fields, asked for by type. Null counts as absent, as in the
/// libraries that write these files; any other type is an error and not a
/// default, which would quietly be another model.
pub(crate) struct Fields<'a> {
    path: &'a Path,
    object: &'a Map<String, Value>,
    /// What is done with each key, where there is such a list.
    keys: Option<Keys>,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which was read from `path`, where every key is one
    /// of `keys` with a value that can be obeyed.
    pub fn of(path: &'a Path, value: &'a Value, keys: Keys) -> Result<Self, ModelError> {
        let mut fields = Self::new(path, value)?;
        fields.keys = Some(keys);
        for (key, value) in fields.object {
            match keys.problem(key, value) {
                None => {}
                Some(Problem::Unknown) => return Err(fields.unknown(key, value)),
                Some(Problem::Value(values, why)) => {
                    return Err(fields.not_one_of(key, value, values, why));
                }
            }
        }
        Ok(fields)
    }

    fn unknown(&self, key: &str, value: &Value) -> ModelError {
        ModelError::UnknownKey {
            path: self.path.to_path_buf(),
            key: shorten(key),
            value: brief(value),
        }
    }

    fn not_one_of(&self, key: &str, value: &Value, values: &[&str], why: &str) -> ModelError {
        let flags = values.iter().any(|v| matches!(*v, "true" | "false"));
        if flags && !value.is_boolean() {
            let found = brief(value);
            return self.error(format!("`{key}` is {found}, not true or false"));
        }
        let supported = match values {
            [] => "a folder without it".to_owned(),
            _ => values.join(", "),
        };
        let found = match value {
            Value::Object(_) | Value::Array(_) => shorten(&value.to_string()),
            _ => brief(value),
        };
        ModelError::Unsupported {
            path: self.path.to_path_buf(),
            what: Cow::Owned(key.to_owned()),
            found: format!("{found} ({why})"),
            supported: Cow::Owned(supported),
        }
    }

    /// The fields of `value`, which was read from `path`, whatever its keys.
    pub fn new(path: &'a Path, value: &'a Value) -> Result<Self, ModelError> {
        match value {
            Value::Object(object) => Ok(Self {
                path,
                object,
                keys: None,
            }),
            other => Err(ModelError::Config {
                path: path.to_path_buf(),
                message: format!("an object is expected, not {}", brief(other)),
            }),
        }
    }

    /// The fields of an object among these.
    pub fn within(&self, value: &'a Value, keys: Keys) -> Result<Self, ModelError> {
        Self::of(self.path, value, keys)
    }

    /// An error that names the file.
    pub fn error(&self, message: String) -> ModelError {
        ModelError::Config {
            path: self.path.to_path_buf(),
            message,
        }
    }

    /// An error for a setting that this version cannot run.
    pub fn unsupported(
        &self,
        what: &'static str,
        found: String,
        supported: &'static str,
    ) -> ModelError {
        ModelError::Unsupported {
            path: self.path.to_path_buf(),
            what: what.into(),
            found,
            supported: supported.into(),
        }
    }

    /// The field as it stands.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        debug_assert!(
            self.keys.is_none_or(|keys| keys.is_read(key)),
            "`{key}` is read, but its list says otherwise"
        );
        self.object.get(key).filter(|v| !v.is_null())
    }

    fn typed<T>(
        &self,
        key: &str,
        what: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let found = read(value);
        if found.is_none() {
            return Err(self.error(format!("`{key}` is {}, not {what}", brief(value))));
        }
        Ok(found)
    }

    /// A text.
    pub fn string(&self, key: &str) -> Result<Option<&'a str>, ModelError> {
        self.typed(key, "a text", Value::as_str)
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        self.typed(key, "true or false", Value::as_bool)
    }

    /// A number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        self.typed(key, "a number", Value::as_f64)
    }

    /// A whole number that is not negative.
    pub fn index(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let read = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
        self.typed(key, "a whole number", read)
    }

    /// A size: a whole number from 1 to [`LARGEST`].
    pub fn size(&self, key: &str) -> Result<Option<usize>, ModelError> {
        self.size_up_to(key, LARGEST)
    }

    /// A size of at most `most`.
    pub fn size_up_to(&self, key: &str, most: usize) -> Result<Option<usize>, ModelError> {
        let what = format!("a whole number from 1 to {most}");
        let read = |v: &Value| usize::try_from(v.as_u64()?).ok();
        self.typed(key, &what, |v| read(v).filter(|n| (1..=most).contains(n)))
    }

    /// What a field that has to be there holds.
    pub fn required<T>(&self, key: &str, found: Option<T>) -> Result<T, ModelError> {
        found.ok_or_else(|| self.error(format!("`{key}` is missing")))
    }
}

/// A value for an error message, which a hostile file must not fill.
pub(crate) fn brief(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        Value::String(text) => format!("`{}`", shorten(text)),
        other => other.to_string(),
    }
}

/// The beginning of a name or text for an error message.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
