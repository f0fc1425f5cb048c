//! The words of an index's texts.

use crate::Result;
use crate::store::Writer;
use gradus::util::{Observer, check_cancelled};
use std::path::Path;

/// Makes an index keep the words of its texts, those that are there and those that will be
/// added, for searches by words. Returns how many texts had none before.
///
/// # Errors
/// [`crate::IndexError::Locked`]; where a file cannot be read or written.
pub fn keep_words(index: &Path, observer: &mut dyn Observer) -> Result<usize> {
    const WHAT: &str = "reading words";
    let mut writer = Writer::open(index)?;
    let total = writer.manifest().rows() as u64;
    writer.keep_words(|done| {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, done as u64, total);
        Ok(())
    })
}
