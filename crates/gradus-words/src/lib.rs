//! Texts found by their words, by BM25 (k1 = 1.2, b = 0.75).
//!
//! A stretch of texts is packed into one file that is never changed; several stretches are
//! searched as one collection, in which a word weighs what it weighs in all of them. What
//! counts, splits and stores words is tantivy; `packed` lets it read from a part of a file.

mod packed;
mod words;

pub use words::{Hit, Words, WordsError, best};
