//! Hashes of what something was made from.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A hash of several parts, each with its length, so that no two lists of parts run
/// into the same bytes.
#[derive(Default)]
pub struct ContentHash(Sha256);

impl ContentHash {
    /// Adds a part.
    pub fn part(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds what a file holds, by its own hash.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn file(&mut self, path: &Path) -> io::Result<()> {
        self.part(digest_of(Sha256::new(), File::open(path)?)?);
        Ok(())
    }

    /// The hash in hexadecimal digits.
    pub fn finish(self) -> String {
        hex(self.0.finalize())
    }
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// The SHA-256 of a file in hexadecimal digits.
///
/// # Errors
/// Those of reading it.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    Ok(hex(digest_of(Sha256::new(), File::open(path)?)?))
}

/// The digest of all that can be read, which may be more than memory should hold.
pub(crate) fn digest_of<D: Digest>(mut state: D, mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(state.finalize().to_vec()),
            Ok(read) => state.update(&buffer[..read]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let of = |parts: &[&str]| {
            let mut hash = ContentHash::default();
            parts.iter().for_each(|part| hash.part(part));
            hash.finish()
        };
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
    }
}
