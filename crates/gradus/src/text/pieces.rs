//! Inputs seen token by token, and inputs given as tokens.

use super::bare::BareText;
use super::guard::guarded;
use super::{Tokenizer, Tokens};
use crate::Result;
use serde::Serialize;
use tokenizers::{EncodeInput, Encoding};

/// A token of an input, and where it is in the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextToken {
    /// Its number in the vocabulary.
    pub id: u32,
    /// As the vocabulary writes it.
    pub text: String,
    /// Whether it stands for no text.
    pub special: bool,
    /// The first character of the text that it stands for; none of a special token.
    pub start: Option<usize>,
    /// The character behind the last.
    pub stop: Option<usize>,
}

impl Tokenizer {
    /// The tokens of a text, neither truncated nor behind a prompt or in a template.
    /// Characters are counted from the text's first.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`](crate::format::ModelError::Tokenizer) where the
    /// tokenizer fails.
    pub fn text_tokens(&self, text: &str, special: bool) -> Result<Vec<TextToken>> {
        let encoding = guarded(|| {
            let input = EncodeInput::Single(text.into());
            let bare = self.inner.encode_char_offsets(input, false);
            let bare = bare.map_err(|e| e.to_string())?;
            match special {
                true => self.with_special(bare, None),
                false => Ok(bare),
            }
        });
        let encoding = encoding.map_err(|e| self.fail(e))?;
        Ok(described(&encoding))
    }

    /// The text of tokens, as near as the tokenizer can tell, with its special tokens or
    /// without.
    ///
    /// # Errors
    /// As [`Tokenizer::text_tokens`]; where an id is none of the vocabulary's.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.check_ids(ids).map_err(|e| self.fail(e))?;
        let text = guarded(|| {
            let text = self.inner.decode(ids, skip_special);
            text.map_err(|e| e.to_string())
        });
        Ok(text.map_err(|e| self.fail(e))?)
    }

    /// An input given as the tokens of a text, with its special tokens at both ends or
    /// without them: the same as [`Tokenizer::encode`] makes of that text without a
    /// prompt.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`]; where the model puts texts into a template.
    pub fn encode_ids(&self, ids: &[u32]) -> Result<Tokens> {
        let tokens = guarded(|| {
            if self.template.is_some() {
                return Err("the model puts texts into a template; give the text".into());
            }
            self.check_ids(ids)?;
            let special = |id: &&u32| self.special_ids().contains(id);
            let before = ids.iter().take_while(special).count();
            let text = &ids[before..];
            let after = text.iter().rev().take_while(special).count();
            let text = BareText::of(text[..text.len() - after].to_vec());
            let mut tokens = self.finish(text.encoding(), None)?;
            self.clear_single_segments(&mut tokens);
            Ok(tokens)
        });
        Ok(tokens.map_err(|e| self.fail(e))?)
    }
}

fn described(encoding: &Encoding) -> Vec<TextToken> {
    let texts = encoding.get_tokens().iter();
    let special = encoding.get_special_tokens_mask().iter();
    let all = encoding.get_ids().iter().zip(texts).zip(special);
    let all = all.zip(encoding.get_offsets());
    all.map(|(((&id, text), &special), &(start, stop))| {
        let special = special == 1;
        TextToken {
            id,
            text: text.clone(),
            special,
            start: (!special).then_some(start),
            stop: (!special).then_some(stop),
        }
    })
    .collect()
}
