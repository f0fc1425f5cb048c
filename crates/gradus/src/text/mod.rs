//! From text to token ids.

mod bare;
mod batches;
mod building;
mod charsmap;
mod class;
mod coverage;
mod guard;
mod masking;
mod pieces;
mod plain_chars;
mod plain_words;
mod repetition;
mod settings;
mod special_tokens;
mod template;
mod tokenizer;
mod vocabulary;
mod word_piece_training;
mod word_pieces;

pub use bare::BareText;
pub(crate) use batches::batches;
pub use coverage::{Coverage, TextCounts};
pub(crate) use masking::unit;
pub use masking::{Masked, Masking};
pub use pieces::TextToken;
pub(crate) use repetition::Repetition;
pub(crate) use settings::{TokenizerOverrides, TokenizerSettings};
pub use template::{Frame, Template};
pub use tokenizer::{Tokenizer, Tokens};
pub use vocabulary::Vocabulary;
pub use word_piece_training::train_word_pieces;
