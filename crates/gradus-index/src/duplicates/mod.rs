//! Texts that say again what an earlier one said: by their words (MinHash, exact overlap
//! behind it), or by their meaning (exact cosines). Rows come in an order of preference;
//! a row is a duplicate where a row that is kept before it is alike enough, so that for
//! every row that goes there is one that stays.

mod meaning;
mod words;

pub use meaning::{ByMeaning, Nearest, by_meaning};
pub use words::{ByWords, by_words};

/// What a duplicate is one of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duplicate {
    /// The row that is kept.
    pub of: usize,
    /// How alike they are: the cosine, or the overlap of their words.
    pub score: f32,
}
