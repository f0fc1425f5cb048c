//! What a request brought back, whichever client made it.

use std::io::Read;

/// The start of an answer; its body is still to be read.
pub(super) struct Reply {
    /// The HTTP status of the last hop.
    pub(super) status: u16,
    /// The checksum the hub names the file by, if it sent one. Good in the reply
    /// to `head` only: a content host's own ETag is something else.
    pub(super) etag: Option<String>,
    /// How many bytes the body will have.
    pub(super) length: Option<u64>,
    /// For a part of a file: its first byte, and the length of the whole.
    pub(super) range: Option<(u64, Option<u64>)>,
    /// The hub's name for what went wrong.
    pub(super) error_code: Option<String>,
    /// The body.
    pub(super) body: Box<dyn Read>,
}

/// Reads `bytes 5-9/10` (or `/*`).
#[cfg_attr(not(feature = "hub"), allow(dead_code))]
pub(super) fn parse_content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (span, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let first = span.split_once('-')?.0.trim().parse().ok()?;
    Some((first, total.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        for (value, expected) in [
            ("bytes 5-9/10", Some((5, Some(10)))),
            ("bytes 0-9/*", Some((0, None))),
            ("bytes */10", None),
            ("5-9/10", None),
            ("bytes 99999999999999999999-1/2", None),
        ] {
            assert_eq!(parse_content_range(value), expected, "{value}");
        }
    }
}
