//! Lines of a text file, with their numbers.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use super::input::{self, Packing, Text};
use super::{DataError, Place};
use crate::{Error, Result};

/// The longest line that is read, in bytes. No pair of texts is as long; a
/// file that is not text would otherwise be read into memory whole.
pub const MAX_LINE: usize = 16 << 20;

/// How far a line end is looked for before a lone `\r` is taken for one.
const FIRST_LINE: u64 = 64 << 10;

/// Reads text line by line. Lines end in `\n`, in `\r\n`, or in `\r` alone
/// where the first 64 KiB have no other end. UTF-8, or UTF-16 with a byte order
/// mark; gzip and zstd are unpacked on the way. All this is known by the first
/// bytes, whatever the file's name.
pub struct Lines {
    reader: Box<dyn BufRead + Send>,
    packing: Packing,
    path: PathBuf,
    line: u64,
    limit: usize,
    /// Whether `\r` alone ends a line.
    lone_returns: bool,
    buffer: Vec<u8>,
}

impl Lines {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened, [`DataError::Foreign`] if it is
    /// known not to be text.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self::of(input::open(path)?, path))
    }

    /// Reads from `reader`; `path` is what errors name. What cannot be read is
    /// told by the first line.
    ///
    /// # Errors
    /// As [`Lines::open`].
    pub fn new(reader: impl Read + Send + 'static, path: &Path) -> Result<Self> {
        Ok(Self::of(input::text(reader, path)?, path))
    }

    fn of(text: Text, path: &Path) -> Self {
        Self {
            reader: text.reader,
            packing: text.packing,
            path: path.to_path_buf(),
            line: 0,
            limit: MAX_LINE,
            lone_returns: false,
            buffer: Vec::new(),
        }
    }

    /// The file that errors name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line last read, as a place for errors.
    pub fn place(&self) -> Place {
        Place::new(&self.path, self.line)
    }

    /// Whether the first character that is no white space is this. Looks as far
    /// as what is read at once.
    pub(super) fn begins_with(&mut self, byte: u8) -> Result<bool> {
        let read = self.reader.fill_buf();
        let part = match read {
            Ok(part) => part,
            Err(e) => {
                let error = self.broken(e);
                return Err(error);
            }
        };
        let first = part.iter().find(|b| !b.is_ascii_whitespace());
        Ok(first == Some(&byte))
    }

    /// The reader behind it, the file, and how many lines were read.
    pub(super) fn into_parts(self) -> (Box<dyn BufRead + Send>, PathBuf, u64) {
        (self.reader, self.path, self.line)
    }

    /// The next line without its end, or `None` after the last.
    ///
    /// # Errors
    /// [`DataError::NotUtf8`], [`DataError::LineTooLong`],
    /// [`DataError::Broken`], [`Error::Io`].
    pub fn next_line(&mut self) -> Result<Option<&str>> {
        self.buffer.clear();
        if self.line == 0 {
            self.find_end()?;
        }
        self.fill(self.limit as u64 + 1)?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        if self.buffer.len() > self.limit {
            let (at, limit) = (self.place(), self.limit);
            return Err(DataError::LineTooLong { at, limit }.into());
        }
        let bytes = self.buffer.as_slice();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(bad) => Err(DataError::NotUtf8 {
                at: Place::new(&self.path, self.line),
                byte: bad.valid_up_to() + 1,
                packing: self.packing,
            }
            .into()),
        }
    }

    /// Which end lines have, by the first.
    fn find_end(&mut self) -> Result<()> {
        self.fill(FIRST_LINE)?;
        if self.buffer.last() != Some(&b'\n') && self.buffer.contains(&b'\r') {
            self.lone_returns = true;
        }
        let first = std::mem::take(&mut self.buffer);
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(io::Cursor::new(first).chain(rest));
        Ok(())
    }

    /// Reads up to a line's end or `most` bytes.
    fn fill(&mut self, most: u64) -> Result<()> {
        let mut reader = (&mut self.reader).take(most);
        let read = match self.lone_returns {
            false => reader.read_until(b'\n', &mut self.buffer).map(|_| ()),
            true => read_until_either(&mut reader, &mut self.buffer),
        };
        read.map_err(|e| self.broken(e))
    }

    fn broken(&self, e: io::Error) -> Error {
        if self.packing == Packing::None && e.kind() != io::ErrorKind::InvalidData {
            return Error::io(&self.path)(e);
        }
        let at = Place::new(&self.path, self.line + 1);
        let message = e.to_string();
        DataError::Broken { at, message }.into()
    }
}

/// Reads through the next `\r`, `\r\n` or `\n`, or to the end.
fn read_until_either(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let part = reader.fill_buf()?;
        let end = part.iter().position(|b| matches!(b, b'\r' | b'\n'));
        let taken = end.map_or(part.len(), |end| end + 1);
        buffer.extend(&part[..taken]);
        let ended = part.is_empty() || end.is_some();
        reader.consume(taken);
        if !ended {
            continue;
        }
        if buffer.last() == Some(&b'\r') && reader.fill_buf()?.first() == Some(&b'\n') {
            buffer.push(b'\n');
            reader.consume(1);
        }
        return Ok(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(bytes: &[u8]) -> Lines {
        Lines::new(std::io::Cursor::new(bytes.to_vec()), Path::new("f.tsv")).unwrap()
    }

    fn all(mut lines: Lines) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            out.push(line.to_string());
        }
        out
    }

    #[test]
    fn byte_order_mark_and_line_ends_are_not_text() {
        assert_eq!(all(lines(b"\xef\xbb\xbfa\r\n\nb\rc")), ["a", "", "b\rc"]);
        assert_eq!(all(lines(b"")), Vec::<String>::new());
    }

    #[test]
    fn bad_utf8_names_line_and_byte() {
        let mut lines = lines(b"ok\nab\xff\n");
        lines.next_line().unwrap();
        let error = lines.next_line().unwrap_err().to_string();
        assert!(error.starts_with("f.tsv:2: byte 3 "), "{error}");
    }

    #[test]
    fn a_line_over_the_limit_is_refused_not_stored() {
        let mut lines = lines(b"1234\n12345678901234567890\n");
        lines.limit = 5;
        assert_eq!(lines.next_line().unwrap(), Some("1234"));
        let error = lines.next_line().unwrap_err().to_string();
        assert!(error.starts_with("f.tsv:2: longer than 5 bytes"), "{error}");
        assert_eq!(lines.buffer.len(), 6);
    }

    #[test]
    fn gzip_is_unpacked_and_a_cut_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tsv.gz");
        let mut packed = Vec::new();
        for part in ["one\n", "two\n"] {
            let mut gz = flate2::write::GzEncoder::new(&mut packed, Default::default());
            gz.write_all(part.as_bytes()).unwrap();
            gz.finish().unwrap();
        }
        std::fs::write(&path, &packed).unwrap();
        assert_eq!(all(Lines::open(&path).unwrap()), ["one", "two"]);

        std::fs::write(&path, &packed[..packed.len() / 4]).unwrap();
        let cut = Lines::open(&path).and_then(|mut lines| lines.next_line().map(drop));
        let error = cut.unwrap_err().to_string();
        assert!(error.contains("a.tsv.gz:1: cannot be read on"), "{error}");
        // Whatever its name.
        let plain = folder.path().join("a.tsv");
        std::fs::write(&plain, &packed).unwrap();
        assert_eq!(all(Lines::open(&plain).unwrap()), ["one", "two"]);
    }

    #[test]
    fn carriage_returns_alone_end_lines_where_nothing_else_does() {
        assert_eq!(all(lines(b"a\rb\r\rc")), ["a", "b", "", "c"]);
        assert_eq!(all(lines(b"a\rb\r")), ["a", "b"]);
        assert_eq!(all(lines(b"a\r")), ["a"]);
        assert_eq!(all(lines(b"a\r\nb\r\n")), ["a", "b"]);
        assert_eq!(all(lines(b"a\n\rb\r\n")), ["a", "\rb"]);
        let long = "x".repeat(70_000);
        let mixed = format!("a\r{long}\nb\r");
        assert_eq!(all(lines(mixed.as_bytes())), ["a", &long, "b"]);
    }
}
