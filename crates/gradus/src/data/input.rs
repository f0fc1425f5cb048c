//! The text of a file, whatever it is packed and encoded in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::ops::Range;
use std::path::Path;

use encoding_rs::{DecoderResult, Encoding, UTF_16BE, UTF_16LE};

use super::foreign::{Foreign, HEAD};
use super::{DataError, Place};
use crate::{Error, Result};

/// What a text was packed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Nothing.
    None,
    /// gzip, possibly several streams one after another.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// A text as a stream of UTF-8, if it is valid.
pub(super) struct Text {
    pub reader: Box<dyn BufRead + Send>,
    pub packing: Packing,
}

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// Opens the file at `path`.
pub(super) fn open(path: &Path) -> Result<Text> {
    let file = File::open(path).map_err(Error::io(path))?;
    text(file, path)
}

/// The text that `reader` holds: packed by gzip or zstd or not, in UTF-8 or in
/// UTF-16 with a byte order mark, which are known by the first bytes. Reads no
/// more than the first line for that.
pub(super) fn text(reader: impl Read + Send + 'static, path: &Path) -> Result<Text> {
    let (head, reader) = peek(reader, path)?;
    let packing = match head.as_slice() {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        _ => Packing::None,
    };
    let reader = match packing {
        Packing::None => decoded(&head, reader, path)?,
        Packing::Gzip => unpacked(flate2::read::MultiGzDecoder::new(reader), path)?,
        Packing::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(reader).map_err(Error::io(path))?;
            unpacked(decoder, path)?
        }
    };
    Ok(Text { reader, packing })
}

fn unpacked(reader: impl Read + Send + 'static, path: &Path) -> Result<Box<dyn BufRead + Send>> {
    let (head, reader) = peek(reader, path).map_err(|error| match error {
        Error::Io { source, .. } => {
            let (at, message) = (Place::new(path, 1), source.to_string());
            DataError::Broken { at, message }.into()
        }
        other => other,
    })?;
    if let [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] = head.as_slice() {
        return Err(foreign(path, Foreign::PackedTwice));
    }
    decoded(&head, reader, path)
}

fn foreign(path: &Path, what: Foreign) -> Error {
    let path = path.to_path_buf();
    DataError::Foreign { path, what }.into()
}

fn decoded(
    head: &[u8],
    reader: impl Read + Send + 'static,
    path: &Path,
) -> Result<Box<dyn BufRead + Send>> {
    if let Some(what) = Foreign::recognise(head) {
        return Err(foreign(path, what));
    }
    Ok(match Encoding::for_bom(head) {
        Some((encoding, _)) if encoding == UTF_16LE || encoding == UTF_16BE => {
            Box::new(BufReader::with_capacity(CHUNK, Wide::new(reader, encoding)))
        }
        Some((_, mark)) => {
            let mut reader = BufReader::with_capacity(CHUNK, reader);
            let mut skipped = [0; 3];
            reader
                .read_exact(&mut skipped[..mark])
                .map_err(Error::io(path))?;
            Box::new(reader)
        }
        None => Box::new(BufReader::with_capacity(CHUNK, reader)),
    })
}

/// The first bytes, up to a line's end, and a reader of all.
fn peek<R: Read>(mut reader: R, path: &Path) -> Result<(Vec<u8>, impl Read + use<R>)> {
    let mut head = Vec::new();
    let mut part = [0; HEAD];
    while head.len() < HEAD && !head.contains(&b'\n') {
        match reader.read(&mut part[..HEAD - head.len()]) {
            Ok(0) => break,
            Ok(n) => head.extend(&part[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io(path)(e)),
        }
    }
    Ok((head.clone(), Cursor::new(head).chain(reader)))
}

/// UTF-16 as UTF-8.
struct Wide<R> {
    reader: R,
    decoder: encoding_rs::Decoder,
    read: Vec<u8>,
    /// What of `read` is not decoded yet.
    rest: Range<usize>,
    decoded: Vec<u8>,
    /// What of `decoded` is not handed on yet.
    ready: Range<usize>,
    ended: bool,
}

impl<R: Read> Wide<R> {
    fn new(reader: R, encoding: &'static Encoding) -> Self {
        Self {
            reader,
            // It takes the byte order mark away.
            decoder: encoding.new_decoder_with_bom_removal(),
            read: vec![0; CHUNK],
            rest: 0..0,
            decoded: vec![0; CHUNK],
            ready: 0..0,
            ended: false,
        }
    }

    /// Decodes some more; whether there may be more after it.
    fn decode(&mut self) -> io::Result<bool> {
        if self.rest.is_empty() && !self.ended {
            let n = self.reader.read(&mut self.read)?;
            (self.rest, self.ended) = (0..n, n == 0);
        }
        let source = &self.read[self.rest.clone()];
        let out = &mut self.decoded;
        let (result, read, written) = self
            .decoder
            .decode_to_utf8_without_replacement(source, out, self.ended);
        self.rest.start += read;
        self.ready = 0..written;
        match result {
            DecoderResult::Malformed(..) => {
                let message = "half a character of UTF-16, which is damaged or cut off";
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
            DecoderResult::InputEmpty => Ok(!self.ended),
            DecoderResult::OutputFull => Ok(true),
        }
    }
}

impl<R: Read> Read for Wide<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut more = true;
        while self.ready.is_empty() && more {
            // After the end the decoder must not be called again.
            more = !(self.ended && self.rest.is_empty()) && self.decode()?;
        }
        let n = out.len().min(self.ready.len());
        out[..n].copy_from_slice(&self.decoded[self.ready.start..self.ready.start + n]);
        self.ready.start += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String> {
        let path = Path::new("a.tsv");
        let mut text = text(Cursor::new(bytes.to_vec()), path)?;
        let mut all = String::new();
        let read = text.reader.read_to_string(&mut all);
        read.map_err(Error::io(path))?;
        Ok(all)
    }

    fn wide(text: &str, big: bool) -> Vec<u8> {
        let units = text.encode_utf16();
        let bytes = units.flat_map(|u| {
            if big {
                u.to_be_bytes()
            } else {
                u.to_le_bytes()
            }
        });
        bytes.collect()
    }

    #[test]
    fn byte_order_marks_tell_the_encoding() {
        let text = "a \u{e9}\t\u{1f600}\n".repeat(40_000);
        let marked = format!("\u{feff}{text}");
        assert_eq!(read(marked.as_bytes()).unwrap(), text);
        assert_eq!(read(&wide(&marked, false)).unwrap(), text);
        assert_eq!(read(&wide(&marked, true)).unwrap(), text);
        assert_eq!(read(&wide("\u{feff}", true)).unwrap(), "");
        assert_eq!(read(b"\xef\xbb\xbf").unwrap(), "");
    }

    #[test]
    fn wide_text_that_is_cut_or_unmarked_is_refused() {
        let mut cut = wide("\u{feff}a\tb\n", false);
        cut.pop();
        let error = read(&cut).unwrap_err().to_string();
        assert!(error.contains("half a character"), "{error}");
        let error = read(&wide("one\ttwo\n", false)).unwrap_err().to_string();
        let command = "`iconv -f UTF-16LE -t UTF-8 a.tsv > a.utf8.txt`";
        assert!(error.contains(command), "{error}");
    }

    #[test]
    fn packed_text_is_known_by_its_bytes() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        io::Write::write_all(&mut gz, &wide("\u{feff}a\tb\n", true)).unwrap();
        let gz = gz.finish().unwrap();
        assert_eq!(read(&gz).unwrap(), "a\tb\n");
        let twice = zstd::encode_all(&gz[..], 3).unwrap();
        let error = read(&twice).unwrap_err().to_string();
        assert!(error.contains("packed twice"), "{error}");
        let mut packed = zstd::encode_all(&b"a\tb\n"[..], 3).unwrap();
        packed.extend(zstd::encode_all(&b"c\td\n"[..], 3).unwrap());
        assert_eq!(read(&packed).unwrap(), "a\tb\nc\td\n");
        for end in [5, 9, packed.len() - 1] {
            assert!(read(&packed[..end]).is_err(), "cut at {end}");
        }
    }
}
