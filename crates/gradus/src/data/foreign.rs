//! Files that are not read, known by their first bytes.

use std::path::Path;

/// What a file is that cannot be read as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// Parquet, where another format was named.
    Parquet,
    /// An Excel workbook of 2007 or later, or one of LibreOffice.
    Workbook,
    /// An older Excel workbook.
    OldWorkbook,
    /// NumPy's archive of arrays.
    NumpyArchive,
    /// A zip archive of anything else.
    Zip,
    /// A pickled Python object.
    Pickle,
    /// A NumPy array.
    Numpy,
    /// The pointer that Git LFS leaves in place of a file.
    LfsPointer,
    /// A PDF document.
    Pdf,
    /// A page of the web.
    Html,
    /// Another document in XML.
    Xml,
    /// An SQLite database.
    Sqlite,
    /// Packed by bzip2.
    Bzip2,
    /// Packed by xz.
    Xz,
    /// Packed by lz4.
    Lz4,
    /// A 7-Zip archive.
    SevenZip,
    /// A RAR archive.
    Rar,
    /// A tar archive.
    Tar,
    /// Arrow's file, which pandas calls feather.
    Feather,
    /// Arrow's stream, as the `datasets` library caches it.
    ArrowStream,
    /// Avro's container.
    Avro,
    /// ORC columns.
    Orc,
    /// HDF5.
    Hdf5,
    /// An image.
    Image,
    /// UTF-16 without a byte order mark, the low byte first.
    Utf16Le,
    /// UTF-16 without a byte order mark, the high byte first.
    Utf16Be,
    /// UTF-32.
    Utf32,
    /// Packed again inside its packing.
    PackedTwice,
}

/// Magic bytes at the start of a file.
const MAGIC: &[(&[u8], Foreign)] = &[
    (b"PAR1", Foreign::Parquet),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Foreign::OldWorkbook),
    (b"\x93NUMPY", Foreign::Numpy),
    (b"version https://git-lfs.github.com/", Foreign::LfsPointer),
    (b"%PDF-", Foreign::Pdf),
    (b"SQLite format 3\0", Foreign::Sqlite),
    (b"BZh", Foreign::Bzip2),
    (b"\xfd7zXZ\0", Foreign::Xz),
    (b"\x04\x22\x4d\x18", Foreign::Lz4),
    (b"7z\xbc\xaf\x27\x1c", Foreign::SevenZip),
    (b"Rar!\x1a\x07", Foreign::Rar),
    (b"ARROW1\0\0", Foreign::Feather),
    (b"FEA1", Foreign::Feather),
    (b"\xff\xff\xff\xff", Foreign::ArrowStream),
    (b"Obj\x01", Foreign::Avro),
    (b"ORC", Foreign::Orc),
    (b"\x89HDF\r\n\x1a\n", Foreign::Hdf5),
    (b"\x89PNG\r\n\x1a\n", Foreign::Image),
    (b"\xff\xd8\xff", Foreign::Image),
    (b"\xff\xfe\0\0", Foreign::Utf32),
    (b"\0\0\xfe\xff", Foreign::Utf32),
];

/// How much of a file is looked at.
pub(super) const HEAD: usize = 512;

impl Foreign {
    /// By the first bytes, up to [`HEAD`].
    pub(super) fn recognise(head: &[u8]) -> Option<Self> {
        let holds = |word: &[u8]| head.windows(word.len()).any(|part| part == word);
        if head.starts_with(b"PK\x03\x04") {
            return Some(match () {
                _ if holds(b"[Content_Types].xml") || holds(b"xl/") || holds(b"opendocument") => {
                    Self::Workbook
                }
                _ if holds(b".npy") => Self::NumpyArchive,
                _ => Self::Zip,
            });
        }
        let magic = MAGIC.iter().find(|(magic, kind)| {
            // "ORC" and "BZh" are also how a text might begin.
            let text = *kind == Self::Orc || *kind == Self::Bzip2;
            head.starts_with(magic) && (!text || !is_text(head))
        });
        if let Some((_, kind)) = magic {
            return Some(*kind);
        }
        // Protocols 2 to 5 say so themselves.
        if let [0x80, 2..=5, ..] = head {
            return Some(Self::Pickle);
        }
        if head.get(257..262) == Some(b"ustar") {
            return Some(Self::Tar);
        }
        let bare = head.trim_ascii_start();
        let bare = bare.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bare);
        let begins = |word: &[u8]| {
            let part = bare.get(..word.len());
            part.is_some_and(|part| part.eq_ignore_ascii_case(word))
        };
        if begins(b"<!doctype html") || begins(b"<html") {
            return Some(Self::Html);
        }
        if begins(b"<?xml") {
            return Some(Self::Xml);
        }
        wide(head)
    }

    /// What it is, in words: "it is ...".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Workbook => "a workbook of a spreadsheet program (xlsx or ods)",
            Self::OldWorkbook => "an Excel workbook (xls)",
            Self::NumpyArchive => "a NumPy archive (npz)",
            Self::Zip => "a zip archive",
            Self::Pickle => "a pickled Python object",
            Self::Numpy => "a NumPy array",
            Self::LfsPointer => "a pointer of Git LFS, not the file itself",
            Self::Pdf => "a PDF document",
            Self::Html => "an HTML page",
            Self::Xml => "an XML document",
            Self::Sqlite => "an SQLite database",
            Self::Bzip2 => "packed by bzip2",
            Self::Xz => "packed by xz",
            Self::Lz4 => "packed by lz4",
            Self::SevenZip => "a 7-Zip archive",
            Self::Rar => "a RAR archive",
            Self::Tar => "a tar archive",
            Self::Feather => "an Arrow file (feather)",
            Self::ArrowStream => "an Arrow stream",
            Self::Avro => "an Avro container",
            Self::Orc => "an ORC file",
            Self::Hdf5 => "an HDF5 file",
            Self::Image => "an image",
            Self::Utf16Le | Self::Utf16Be => "UTF-16 without a byte order mark",
            Self::Utf32 => "UTF-32",
            Self::PackedTwice => "packed twice",
        }
    }

    /// What makes it readable.
    pub(super) fn remedy(self, path: &Path) -> String {
        let (from, stem) = (quoted(path), path.with_extension(""));
        let (plain, csv, text) = (quoted(&stem), beside(path, "csv"), beside(path, "utf8.txt"));
        let pandas = |read: &str| {
            format!(
                "convert it with `python3 -c 'import pandas, sys; \
                 pandas.{read}(sys.argv[1]).to_csv(sys.argv[2], index=False)' {from} {csv}`"
            )
        };
        let unpack = |program: &str| {
            let to = if stem == path { &text } else { &plain };
            format!("unpack it with `{program} -dc {from} > {to}`")
        };
        let encoding =
            |name: &str| format!("convert it with `iconv -f {name} -t UTF-8 {from} > {text}`");
        match self {
            Self::Parquet => "read it from a file whose name ends in .parquet".into(),
            Self::Workbook | Self::OldWorkbook => {
                let saved = "save the sheet as CSV (UTF-8) in the spreadsheet program";
                format!("{saved}, or {}", pandas("read_excel"))
            }
            Self::Zip => format!("unpack it with `unzip {from}` and name the file inside"),
            Self::Pickle => pandas("read_pickle"),
            Self::Numpy => format!(
                "write its texts one a line with `python3 -c 'import numpy, sys; \
                 print(*numpy.load(sys.argv[1]).ravel(), sep=\"\\n\")' {from} > {text}`"
            ),
            Self::NumpyArchive => "write the texts in it as a file with a row a line".into(),
            Self::LfsPointer => "fetch the file with `git lfs pull` in its repository".into(),
            Self::Pdf => format!("take the text out with `pdftotext {from} {text}`"),
            Self::Html => "fetch the file itself, not the page about it (on a model hub its \
                           address has /resolve/ where the page has /blob/)"
                .into(),
            Self::Xml => "write its texts as tab-separated rows".into(),
            Self::Sqlite => {
                format!(
                    "export a table with `sqlite3 -header -csv {from} 'SELECT * FROM NAME' > {csv}`"
                )
            }
            Self::Bzip2 => unpack("bzip2"),
            Self::Xz => unpack("xz"),
            Self::Lz4 => unpack("lz4"),
            Self::SevenZip => format!("unpack it with `7z x {from}` and name the file inside"),
            Self::Rar => format!("unpack it with `unrar x {from}` and name the file inside"),
            Self::Tar => format!("unpack it with `tar -xf {from}` and name the file inside"),
            Self::Feather => pandas("read_feather"),
            Self::ArrowStream => format!(
                "convert it with `python3 -c 'import pyarrow, sys; \
                 pyarrow.ipc.open_stream(sys.argv[1]).read_pandas().to_csv(sys.argv[2], \
                 index=False)' {from} {csv}`"
            ),
            Self::Avro => format!(
                "convert it with `python3 -c 'import fastavro, pandas, sys; \
                 pandas.DataFrame(fastavro.reader(open(sys.argv[1], \"rb\")))\
                 .to_csv(sys.argv[2], index=False)' {from} {csv}`"
            ),
            Self::Orc => pandas("read_orc"),
            Self::Hdf5 => pandas("read_hdf"),
            Self::Image => "name a file of text".into(),
            Self::Utf16Le => encoding("UTF-16LE"),
            Self::Utf16Be => encoding("UTF-16BE"),
            Self::Utf32 => encoding("UTF-32"),
            Self::PackedTwice => {
                format!("unpack it once with `gzip -dc {from} > {plain}` (or zstd -dc)")
            }
        }
    }
}

/// Whether bytes read as text, but for a character that their end cuts off.
fn is_text(head: &[u8]) -> bool {
    let clean = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    clean && !head.contains(&0)
}

/// Text of two bytes a character shows zeros at every other place.
fn wide(head: &[u8]) -> Option<Foreign> {
    // What has a byte order mark is known by it.
    if head.len() < 4 || encoding_rs::Encoding::for_bom(head).is_some() {
        return None;
    }
    let zeros = |from: usize| {
        head.iter()
            .skip(from)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    let (even, odd, pairs) = (zeros(0), zeros(1), head.len() / 2);
    // Letters beyond Latin have no zero byte, but tabs, blanks and digits do,
    // and such text is not UTF-8. A text may hold single zeros.
    let wide =
        |zeros: usize| zeros > 1 && (2 * zeros >= pairs || std::str::from_utf8(head).is_err());
    match (even, odd) {
        (0, odd) if wide(odd) => Some(Foreign::Utf16Le),
        (even, 0) if wide(even) => Some(Foreign::Utf16Be),
        _ => None,
    }
}

/// A file's name as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let name = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,=@%".contains(c);
    match name.chars().all(plain) && !name.starts_with('-') && !name.is_empty() {
        true => name,
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

/// A name for what a file is converted to, as a shell takes it.
pub(super) fn beside(path: &Path, extension: &str) -> String {
    quoted(&path.with_extension(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_their_first_bytes() {
        let mut tar = vec![b'a'; 257];
        tar.extend(b"ustar\x0000");
        for (head, kind) in [
            (
                &b"PK\x03\x04\x14\0[Content_Types].xml"[..],
                Foreign::Workbook,
            ),
            (b"PK\x03\x04\x14\0a.csv", Foreign::Zip),
            (b"PK\x03\x04\x14\0arr_0.npy", Foreign::NumpyArchive),
            (b"\x80\x04\x95\x10", Foreign::Pickle),
            (b"\x93NUMPY\x01\0", Foreign::Numpy),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                Foreign::LfsPointer,
            ),
            (b"\n<!DOCTYPE HTML>\n<html>", Foreign::Html),
            (b"BZh91AY&SY\x01\xff", Foreign::Bzip2),
            (b"a\0\t\0b\0\n\0", Foreign::Utf16Le),
            (b"\0a\0\t\0b\0\n", Foreign::Utf16Be),
            (&tar, Foreign::Tar),
        ] {
            assert_eq!(Foreign::recognise(head), Some(kind), "{head:?}");
        }
        for text in [
            "",
            "a",
            "BZh is a word",
            "ORCs live\there",
            "a\0b\tc",
            "{\"a\": 1}",
        ] {
            assert_eq!(Foreign::recognise(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn names_are_quoted_for_a_shell() {
        assert_eq!(quoted(Path::new("a/b.csv")), "a/b.csv");
        assert_eq!(quoted(Path::new("my file.csv")), "'my file.csv'");
        assert_eq!(quoted(Path::new("it's")), r"'it'\''s'");
        let remedy = Foreign::Xz.remedy(Path::new("a b.tsv.xz"));
        assert_eq!(remedy, "unpack it with `xz -dc 'a b.tsv.xz' > 'a b.tsv'`");
    }
}
