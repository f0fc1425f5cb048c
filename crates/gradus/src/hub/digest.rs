//! The checksums by which a hub names its files.

use crate::util::content_hash::{digest_of, hex};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The checksum that a file is stored under, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Oid {
    /// Of a large file (LFS): SHA-256 of its bytes.
    Sha256(String),
    /// Of a small one: git's blob id, SHA-1 of `blob {length}\0` and its bytes.
    GitBlob(String),
}

impl Oid {
    /// Reads a checksum, or an ETag header that holds one; the length tells
    /// which. Anything else cannot be checked and is `None`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches("W/").trim_matches('"');
        if !is_lower_hex(text) {
            return None;
        }
        match text.len() {
            64 => Some(Oid::Sha256(text.into())),
            40 => Some(Oid::GitBlob(text.into())),
            _ => None,
        }
    }

    /// The hexadecimal digits: the name of the blob in the cache.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Oid::Sha256(hex) | Oid::GitBlob(hex) => hex,
        }
    }

    /// The same kind of checksum of the file at `path`.
    pub(super) fn of_file(&self, path: &Path) -> io::Result<String> {
        let file = File::open(path)?;
        match self {
            Oid::Sha256(_) => hash(Sha256::new(), file),
            Oid::GitBlob(_) => {
                let header = format!("blob {}\0", file.metadata()?.len());
                hash(Sha1::new_with_prefix(header), file)
            }
        }
    }
}

pub(super) use crate::util::content_hash::sha256_of_file;

/// Whether `text` is hexadecimal as checksums and commits are written.
pub(super) fn is_lower_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn hash<D: Digest>(state: D, input: impl Read) -> io::Result<String> {
    digest_of(state, input).map(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values from `git hash-object` and `sha256sum`.
    const GIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
    const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

    #[test]
    fn checksums_agree_with_git_and_sha256sum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "hello\n").unwrap();
        for known in [GIT, SHA256] {
            assert_eq!(Oid::parse(known).unwrap().of_file(&path).unwrap(), known);
        }
        assert_eq!(sha256_of_file(&path).unwrap(), SHA256);
    }

    #[test]
    fn etags_are_read_and_anything_else_is_not_a_checksum() {
        let oid = Oid::parse(&format!("W/\"{GIT}\"")).unwrap();
        assert_eq!(oid, Oid::GitBlob(GIT.into()));
        for odd in ["", "\"abc\"", &GIT[1..], &GIT.to_uppercase(), "../../x"] {
            assert_eq!(Oid::parse(odd), None, "{odd:?}");
        }
    }
}
