//! From text to token ids.

mod tokenizer;

pub use tokenizer::{Tokenizer, Tokens};
