//! JSON Lines: one object a line.

use std::path::Path;

use serde_json::{Map, Value};

use super::{DataError, Lines, Place};
use crate::Result;

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonRow {
    /// The line, counted from 1.
    pub line: u64,
    /// Its keys and values, in the file's order.
    pub object: Map<String, Value>,
}

/// Reads objects; blank lines are passed over. Ends after the first error.
pub struct JsonReader {
    lines: Lines,
    done: bool,
}

impl JsonReader {
    /// Reads objects from `lines`.
    pub fn new(lines: Lines) -> Self {
        Self { lines, done: false }
    }

    /// The file that errors name.
    pub fn path(&self) -> &Path {
        self.lines.path()
    }

    /// Line `line` of this file, as a place for errors.
    pub fn place(&self, line: u64) -> Place {
        Place::new(self.path(), line)
    }

    fn read(&mut self) -> Result<Option<JsonRow>> {
        let parsed = loop {
            match self.lines.next_line()? {
                None => return Ok(None),
                Some(text) if text.trim().is_empty() => continue,
                Some(text) => break serde_json::from_str(text),
            }
        };
        let at = self.lines.place();
        let message = match parsed {
            Ok(Value::Object(object)) => {
                let line = at.line;
                return Ok(Some(JsonRow { line, object }));
            }
            Ok(other) => format!("it is {}", kind(&other)),
            Err(error) => error.to_string(),
        };
        Err(DataError::BadJson { at, message }.into())
    }
}

impl Iterator for JsonReader {
    type Item = Result<JsonRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.read();
        self.done = !matches!(row, Ok(Some(_)));
        row.transpose()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Vec<Result<JsonRow>> {
        let Ok(lines) = Lines::new(std::io::Cursor::new(bytes.to_vec()), Path::new("f.jsonl"))
        else {
            return Vec::new();
        };
        JsonReader::new(lines).collect()
    }

    #[test]
    fn objects_keep_their_line() {
        let rows = read(b"\xef\xbb\xbf{\"a\": 1}\r\n\r\n{\"a\": \"x\"}\n");
        let rows: Vec<_> = rows.into_iter().map(Result::unwrap).collect();
        assert_eq!(rows.iter().map(|r| r.line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(rows[1].object["a"], "x");
    }

    #[test]
    fn other_values_are_refused_with_their_line() {
        for (text, what) in [
            ("{}\n[1]\n", "f.jsonl:2: not a JSON object: it is an array"),
            ("{}\n{\"a\":\n", "f.jsonl:2: not a JSON object: EOF"),
            ("{}\n{\"a\": 1e999}", "f.jsonl:2: not a JSON object: number"),
        ] {
            let error = read(text.as_bytes()).pop().unwrap().unwrap_err();
            assert!(error.to_string().starts_with(what), "{error}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(deep.as_bytes())[0].is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let lines = bytes.iter().filter(|&&b| b == b'\n').count() + 1;
            prop_assert!(read(&bytes).len() <= lines);
        }
    }
}
