//! Texts tokenised by themselves, to be put together into pairs.

use super::guard::guarded;
use super::{Tokenizer, Tokens};
use crate::Result;
use tokenizers::{Encoding, Token};

/// The tokens of a text by itself, whole and without special ones: what a pair is made
/// of. A text that is part of many pairs is tokenised once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BareText {
    ids: Vec<u32>,
}

impl BareText {
    pub(super) fn of(ids: Vec<u32>) -> Self {
        Self { ids }
    }

    /// As the library has it. Templates and truncation go by the number of tokens
    /// alone, so that no token needs its characters again.
    pub(super) fn encoding(&self) -> Encoding {
        let tokens = self.ids.iter();
        let tokens = tokens.map(|&id| Token::new(id, String::new(), (0, 0)));
        Encoding::from_tokens(tokens.collect(), 0)
    }
}

impl Tokenizer {
    /// The tokens of a text by itself, without prompt and template, for
    /// [`Tokenizer::join_pairs`].
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`](crate::format::ModelError::Tokenizer) where the
    /// tokenizer fails.
    pub fn bare_text(&self, text: &str) -> Result<BareText> {
        let text = guarded(|| self.bare_ids(text));
        Ok(text.map_err(|e| self.fail(e))?)
    }

    /// The same of each text.
    ///
    /// # Errors
    /// As [`Tokenizer::bare_text`].
    pub fn bare_texts(&self, texts: &[&str]) -> Result<Vec<BareText>> {
        self.each(texts.to_vec(), |text| self.bare_ids(text))
    }

    fn bare_ids(&self, text: &str) -> Result<BareText, String> {
        let ids = self.bare(text.into())?.get_ids().to_vec();
        Ok(BareText { ids })
    }

    /// The tokens of each pair as one input: the same as
    /// [`Tokenizer::encode_pairs`] gives for the two texts.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_pairs`].
    pub fn join_pairs(&self, pairs: &[(&BareText, &BareText)]) -> Result<Vec<Tokens>> {
        self.each(pairs.to_vec(), |(first, second)| {
            self.finish(first.encoding(), Some(second.encoding()))
        })
    }
}
