//! A short way from plain English text to token ids, for tokenizers as BERT's.
//!
//! In ASCII text normalising is no more than making letters small, and words end at white
//! space and at signs. A word that is a token by itself, as most are, is looked up at once;
//! the library's model cuts all others. Every other text goes through the library whole. The ids
//! are the same either way, which is tested on all texts of the data sets.

use std::collections::HashMap;
use tokenizers::{Model, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

/// Words that are tokens, for a tokenizer that the short way is right for.
#[derive(Debug, Clone)]
pub(super) struct PlainWords {
    words: HashMap<Box<[u8]>, u32>,
    /// Letters are made small.
    lowercase: bool,
    /// How each byte is taken.
    bytes: [Byte; 256],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Byte {
    /// Of a word.
    Letter,
    /// White space.
    Space,
    /// A word by itself.
    Sign,
    /// The text is for the library: it is not ASCII, holds a control character, or may hold an
    /// added token.
    Other,
}

impl PlainWords {
    /// That of a tokenizer which normalises and splits as BERT's does and has a vocabulary of word
    /// pieces.
    pub fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let NormalizerWrapper::BertNormalizer(normalizer) = tokenizer.get_normalizer()? else {
            return None;
        };
        let PreTokenizerWrapper::BertPreTokenizer(_) = tokenizer.get_pre_tokenizer()? else {
            return None;
        };
        let ModelWrapper::WordPiece(model) = tokenizer.get_model() else {
            return None;
        };
        if !normalizer.clean_text {
            return None;
        }
        let mut bytes = [Byte::Other; 256];
        for (byte, kind) in (0u8..128).zip(&mut bytes) {
            *kind = match byte {
                b' ' | b'\t' | b'\n' | b'\r' => Byte::Space,
                _ if byte.is_ascii_punctuation() => Byte::Sign,
                _ if byte.is_ascii_alphanumeric() => Byte::Letter,
                _ => Byte::Other,
            };
        }
        // Added tokens are found before anything else is done.
        for added in tokenizer.get_added_tokens_decoder().values() {
            let first = *added.content.as_bytes().first()?;
            match bytes[usize::from(first)] {
                Byte::Sign | Byte::Other => bytes[usize::from(first)] = Byte::Other,
                Byte::Letter | Byte::Space => return None,
            }
        }
        let most = model.max_input_chars_per_word;
        let whole = |word: &str| word.is_ascii() && word.len() <= most;
        let vocabulary = model.get_vocab().into_iter();
        let words = vocabulary.filter(|(word, _)| whole(word));
        Some(Self {
            words: words
                .map(|(word, id)| (word.into_bytes().into(), id))
                .collect(),
            lowercase: normalizer.lowercase,
            bytes,
        })
    }

    /// The ids of a text without special tokens; `None` where it is for the library.
    pub fn ids(&self, model: &ModelWrapper, text: &str) -> Option<Vec<u32>> {
        let text = text.as_bytes();
        let mut ids = Vec::with_capacity(text.len() / 4 + 2);
        let mut word = Vec::with_capacity(32);
        for &byte in text {
            let kind = self.bytes[usize::from(byte)];
            if kind == Byte::Letter {
                word.push(if self.lowercase {
                    byte.to_ascii_lowercase()
                } else {
                    byte
                });
                continue;
            }
            if !word.is_empty() {
                self.push(model, &word, &mut ids)?;
                word.clear();
            }
            match kind {
                Byte::Sign => self.push(model, &[byte], &mut ids)?,
                Byte::Other => return None,
                Byte::Letter | Byte::Space => {}
            }
        }
        if !word.is_empty() {
            self.push(model, &word, &mut ids)?;
        }
        Some(ids)
    }

    fn push(&self, model: &ModelWrapper, word: &[u8], ids: &mut Vec<u32>) -> Option<()> {
        match self.words.get(word) {
            Some(&id) => ids.push(id),
            None => {
                let pieces = model.tokenize(std::str::from_utf8(word).ok()?).ok()?;
                ids.extend(pieces.iter().map(|piece| piece.id));
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use crate::text::Tokenizer as Own;
    use proptest::prelude::*;
    use std::path::Path;

    fn load(name: &str) -> Own {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/models")
            .join(name);
        Own::load(&folder, 32, 100_000, 2).unwrap()
    }

    /// Texts of words, signs, white space, special tokens and other scripts.
    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[a-zA-Z]{1,12}",
            "[ -~]{1,20}",
            "\\PC{1,5}",
            prop::sample::select(vec![
                " ", "\t", "\n", "\u{b}", "\u{1}", "\u{7f}", "\u{a0}", "[MASK]", "[CLS]", "[sep]",
                "don't", "e.g.", "café", "你好", "İ", "ß", "\u{301}", "\u{200b}", "##ing", "$5",
                "a_b",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    #[test]
    fn the_short_way_gives_the_same_ids() {
        let tokenizer = load("bert-small");
        let apart = tokenizer.without_short_way();
        assert!(tokenizer.has_short_way() && !apart.has_short_way());
        let config = ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(2_000)
        };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let result = runner.run(&texts(), |text| {
            prop_assert_eq!(
                tokenizer.encode(&[&text]).unwrap(),
                apart.encode(&[&text]).unwrap()
            );
            Ok(())
        });
        result.unwrap_or_else(|failure| panic!("{failure}"));
    }

    #[test]
    fn other_tokenizers_have_none() {
        for name in ["roberta-small", "xlmr-small"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/fixtures/models")
                .join(name);
            if folder.is_dir() {
                assert!(!load(name).has_short_way(), "{name}");
            }
        }
    }
}
