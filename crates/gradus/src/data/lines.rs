//! Lines of a text file, with their numbers.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{DataError, Place};
use crate::{Error, Result};

/// The longest line that is read, in bytes. No pair of texts is as long; a
/// file that is not text would otherwise be read into memory whole.
pub const MAX_LINE: usize = 16 << 20;

/// Reads UTF-8 text line by line: `\n` or `\r\n`, with or without a byte
/// order mark; a file whose name ends in `.gz` is unpacked on the way.
pub struct Lines {
    reader: Box<dyn BufRead + Send>,
    path: PathBuf,
    line: u64,
    limit: usize,
    buffer: Vec<u8>,
}

impl Lines {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let gz = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("gz"));
        Ok(if gz {
            // A .gz file may be several streams one after another.
            let unpacked = flate2::read::MultiGzDecoder::new(file);
            Self::new(BufReader::new(unpacked), path)
        } else {
            Self::new(BufReader::new(file), path)
        })
    }

    /// Reads from `reader`; `path` is what errors name.
    pub fn new(reader: impl BufRead + Send + 'static, path: &Path) -> Self {
        Self {
            reader: Box::new(reader),
            path: path.to_path_buf(),
            line: 0,
            limit: MAX_LINE,
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

    /// The next line without its end, or `None` after the last.
    ///
    /// # Errors
    /// [`DataError::NotUtf8`], [`DataError::LineTooLong`], [`Error::Io`].
    pub fn next_line(&mut self) -> Result<Option<&str>> {
        self.buffer.clear();
        let most = self.limit as u64 + 1;
        let read = (&mut self.reader)
            .take(most)
            .read_until(b'\n', &mut self.buffer)
            .map_err(Error::io(&self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if self.buffer.len() > self.limit {
            let (at, limit) = (self.place(), self.limit);
            return Err(DataError::LineTooLong { at, limit }.into());
        }
        let mut bytes = self.buffer.as_slice();
        if self.line == 1 {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(bad) => Err(DataError::NotUtf8 {
                at: Place::new(&self.path, self.line),
                byte: bad.valid_up_to() + 1,
            }
            .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(bytes: &[u8]) -> Lines {
        Lines::new(std::io::Cursor::new(bytes.to_vec()), Path::new("f.tsv"))
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
        let mut cut = Lines::open(&path).unwrap();
        assert!(matches!(cut.next_line(), Err(Error::Io { .. })));
    }
}
