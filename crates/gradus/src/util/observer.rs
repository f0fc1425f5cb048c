//! The observer of long work.

use crate::{Error, Result};
use std::path::Path;

/// Hears how work gets on, and may end it. Every method does nothing by default.
pub trait Observer {
    /// Something that a person would like to know.
    fn note(&mut self, _message: &str) {}

    /// Something is amiss, but the work goes on.
    fn warn(&mut self, _message: &str) {}

    /// So much is done of `what`, such as texts encoded: 0 as it begins, `total`
    /// as it ends. A total of 0 is not known.
    fn progress(&mut self, _what: &str, _done: u64, _total: u64) {}

    /// A file is being fetched.
    fn transfer(&mut self, _transfer: Transfer<'_>) {}

    /// From now on work that ends early can go on from what is in `folder`.
    fn resumable(&mut self, _folder: &Path) {}

    /// Whether the work is to end. It is looked at between its parts; the work
    /// then ends with an error that says where it was.
    fn cancelled(&self) -> bool {
        false
    }
}

/// A part of fetching a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer<'a> {
    /// A file's transfer begins. It comes again when a connection that broke is
    /// made anew.
    Begin {
        /// The file.
        name: &'a str,
        /// Its size in bytes, where it is known.
        total: Option<u64>,
        /// Bytes that are here from an earlier attempt.
        already: u64,
    },
    /// So many more bytes arrived.
    Bytes(u64),
    /// The file is complete.
    End,
}

/// Hears nothing, and lets all work go on.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {}

/// Ends what is under way, described by `what`, if the observer wishes so.
///
/// # Errors
/// [`Error::Stopped`].
pub fn check_cancelled(observer: &dyn Observer, what: &str) -> Result<()> {
    match observer.cancelled() {
        true => Err(Error::Stopped(format!("while {what}"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Wants(bool);

    impl Observer for Wants {
        fn cancelled(&self) -> bool {
            self.0
        }
    }

    #[test]
    fn work_ends_where_an_end_is_wished_for() {
        assert!(check_cancelled(&Silent, "reading").is_ok());
        assert!(check_cancelled(&Wants(false), "reading").is_ok());
        let error = check_cancelled(&Wants(true), "reading").unwrap_err();
        assert_eq!(error.to_string(), "stopped while reading");
    }
}
