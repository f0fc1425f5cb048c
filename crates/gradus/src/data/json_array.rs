//! One JSON array of objects, cut into its elements as it is read.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::json_row::{JsonRow, parse};
use super::{DataError, Lines, MAX_LINE, Place};
use crate::{Error, Result};

/// Reads the elements of an array one by one, whatever lines it is written in.
pub(super) struct ArrayReader {
    reader: Box<dyn BufRead + Send>,
    path: PathBuf,
    line: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the `[`.
    Before,
    /// After the `[`: an element or the end.
    First,
    /// After a comma: an element.
    Next,
    /// After an element: a comma or the end.
    Between,
    /// After the `]`.
    After,
}

impl ArrayReader {
    /// Reads what `lines` have not read yet.
    pub fn new(lines: Lines) -> Self {
        let (reader, path, line) = lines.into_parts();
        Self {
            reader,
            path,
            line: line + 1,
            state: State::Before,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next object; `None` at the array's end.
    pub fn read(&mut self) -> Result<Option<JsonRow>> {
        loop {
            let Some(byte) = self.peek()? else {
                return match self.state {
                    State::After => Ok(None),
                    _ => Err(self.bad("the array is not closed: the file is cut off")),
                };
            };
            match (self.state, byte) {
                (_, b' ' | b'\t' | b'\r' | b'\n') => self.line += u64::from(byte == b'\n'),
                (State::Before, b'[') => self.state = State::First,
                (State::First | State::Between, b']') => self.state = State::After,
                (State::Between, b',') => self.state = State::Next,
                (State::First | State::Next, _) => {
                    let line = self.line;
                    let element = self.element()?;
                    self.state = State::Between;
                    return self.object(line, &element).map(Some);
                }
                (State::After, _) => return Err(self.bad("text after the end of the array")),
                _ => return Err(self.bad("a comma or ] must follow an element")),
            }
            self.reader.consume(1);
        }
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        let part = self.reader.fill_buf().map_err(Error::io(&self.path))?;
        Ok(part.first().copied())
    }

    /// The bytes of an element, up to the comma or bracket after it.
    fn element(&mut self) -> Result<Vec<u8>> {
        let mut element = Vec::new();
        let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
        let start = self.line;
        loop {
            let part = self.reader.fill_buf().map_err(Error::io(&self.path))?;
            if part.is_empty() {
                return Ok(element);
            }
            let mut end = None;
            for (at, &byte) in part.iter().enumerate() {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if quoted => escaped = true,
                    b'"' => quoted = !quoted,
                    b'\n' => self.line += 1,
                    _ if quoted => {}
                    b'{' | b'[' => depth += 1,
                    b',' | b']' if depth == 0 => {
                        end = Some(at);
                        break;
                    }
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            let taken = end.unwrap_or(part.len());
            element.extend(&part[..taken]);
            self.reader.consume(taken);
            if element.len() > MAX_LINE {
                let at = Place::new(&self.path, start);
                let limit = MAX_LINE;
                return Err(DataError::LineTooLong { at, limit }.into());
            }
            if end.is_some() {
                return Ok(element);
            }
        }
    }

    fn object(&self, line: u64, element: &[u8]) -> Result<JsonRow> {
        let parsed = match std::str::from_utf8(element) {
            Ok(text) => parse(text.trim_end()),
            Err(_) => Err("it is not UTF-8".to_string()),
        };
        let at = Place::new(&self.path, line);
        match parsed {
            Ok(object) => Ok(JsonRow { line, object }),
            Err(message) => {
                // Lines and columns are counted from the element's start.
                let message = match message.rsplit_once(" at line ") {
                    Some((what, _)) => what.to_string(),
                    None => message,
                };
                Err(DataError::BadJson { at, message }.into())
            }
        }
    }

    fn bad(&self, message: &str) -> Error {
        let at = Place::new(&self.path, self.line);
        let message = message.to_string();
        DataError::BadJson { at, message }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::JsonReader;
    use super::*;

    fn read(text: &str) -> Vec<Result<JsonRow>> {
        let bytes = std::io::Cursor::new(text.as_bytes().to_vec());
        JsonReader::new(Lines::new(bytes, Path::new("f.json")).unwrap()).collect()
    }

    #[test]
    fn elements_keep_their_line() {
        let text = "\u{feff}\n [\n{\"a\": \"],}\\\"\"},\n  {\"a\":\n[1, {}]}\n,{}]\n\n";
        let rows: Result<Vec<_>> = read(text).into_iter().collect();
        let rows = rows.unwrap();
        let lines: Vec<_> = rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [3, 4, 6]);
        assert_eq!(rows[0].object["a"], "],}\"");
        assert!(read("[]").is_empty());
        let long = format!("[{}]", vec!["{\"a\": 1}"; 100_000].join(","));
        assert_eq!(read(&long).len(), 100_000);
    }

    #[test]
    fn arrays_that_are_not_of_objects_are_refused() {
        for (text, what) in [
            ("[{},\n3]", "f.json:2: not a JSON object: it is a number"),
            ("[\n{},]", "f.json:2: not a JSON object: EOF"),
            ("[{} {}]", "f.json:1: not a JSON object: trailing"),
            (
                "[{},",
                "f.json:1: not a JSON object: the array is not closed",
            ),
            (
                "[{}",
                "f.json:1: not a JSON object: the array is not closed",
            ),
            ("[{\"a\": ", "f.json:1: not a JSON object: EOF"),
            ("[{}]\n{}", "f.json:2: not a JSON object: text after"),
            (
                "[{\"a\": 1, \"a\": 2}]",
                "f.json:1: not a JSON object: the key \"a\"",
            ),
            ("[[1]]", "f.json:1: not a JSON object: it is an array"),
        ] {
            let error = read(text).pop().unwrap().unwrap_err().to_string();
            assert!(error.starts_with(what), "{text}: {error}");
        }
    }
}
