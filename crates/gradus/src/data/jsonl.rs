//! JSON objects: one a line, or all in one array.

use std::path::Path;

use super::json_array::ArrayReader;
use super::json_row::{JsonRow, parse};
use super::{DataError, Lines, Place};
use crate::Result;

/// Reads objects: of JSON Lines, where blank lines are passed over and counted,
/// or of one array, where the text begins with `[`. Ends after the first error.
pub struct JsonReader {
    form: Form,
    blanks: usize,
    done: bool,
}

enum Form {
    /// Nothing was read yet.
    Unread(Lines),
    Lines(Lines),
    Array(ArrayReader),
    /// While it changes from one to the other.
    Changing,
}

impl JsonReader {
    /// Reads objects from `lines`.
    pub fn new(lines: Lines) -> Self {
        Self {
            form: Form::Unread(lines),
            blanks: 0,
            done: false,
        }
    }

    /// The file that errors name.
    pub fn path(&self) -> &Path {
        match &self.form {
            Form::Unread(lines) | Form::Lines(lines) => lines.path(),
            Form::Array(array) => array.path(),
            Form::Changing => Path::new(""),
        }
    }

    /// Line `line` of this file, as a place for errors.
    pub fn place(&self, line: u64) -> Place {
        Place::new(self.path(), line)
    }

    /// How many blank lines came since this was last called.
    pub(super) fn take_blanks(&mut self) -> usize {
        std::mem::take(&mut self.blanks)
    }

    fn read(&mut self) -> Result<Option<JsonRow>> {
        if let Form::Unread(_) = self.form
            && let Form::Unread(mut lines) = std::mem::replace(&mut self.form, Form::Changing)
        {
            self.form = match lines.begins_with(b'[')? {
                true => Form::Array(ArrayReader::new(lines)),
                false => Form::Lines(lines),
            };
        }
        let lines = match &mut self.form {
            Form::Lines(lines) => lines,
            Form::Array(array) => return array.read(),
            Form::Unread(_) | Form::Changing => return Ok(None),
        };
        let parsed = loop {
            match lines.next_line()? {
                None => return Ok(None),
                Some(text) if text.trim().is_empty() => self.blanks += 1,
                Some(text) => break parse(text),
            }
        };
        let at = lines.place();
        match parsed {
            Ok(object) => {
                let line = at.line;
                Ok(Some(JsonRow { line, object }))
            }
            Err(message) => Err(DataError::BadJson { at, message }.into()),
        }
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
            (
                "{}\n{\"a\": 1, \"b\": {\"a\": 2}, \"a\": 1}\n",
                "f.jsonl:2: not a JSON object: the key \"a\" is there twice",
            ),
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
            // Lines may end in `\r`, and objects of an array need no lines.
            prop_assert!(read(&bytes).len() <= bytes.len() + 1);
        }
    }
}
