//! From text to token ids.

mod batches;
mod charsmap;
mod guard;
mod tokenizer;
mod word_pieces;

pub(crate) use batches::batches;
pub use tokenizer::{Tokenizer, Tokens};
