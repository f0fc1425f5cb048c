//! From text to token ids.

mod charsmap;
mod guard;
mod tokenizer;
mod word_pieces;

pub use tokenizer::{Tokenizer, Tokens};
