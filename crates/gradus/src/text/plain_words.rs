//! A short way from plain text to token ids, for tokenizers as BERT's.
//!
//! Words of texts in Latin, Greek and Cyrillic letters are made without the library's record of
//! where each letter came from, and a word that is a token by itself, as most are, is looked up
//! at once. Every other text goes through the library whole. The ids are the same either way,
//! which is tested on all texts of the data sets.

use super::plain_chars::{Plain, PlainChars};
use foldhash::fast::FixedState;
use std::collections::HashMap;
use tokenizers::{Model, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

type Ids = HashMap<Box<[u8]>, u32, FixedState>;

/// The words of a tokenizer that the short way is right for.
#[derive(Debug, Clone)]
pub(super) struct PlainWords {
    chars: PlainChars,
    /// Tokens that begin a word, and those that go on with one, without their mark.
    first: Ids,
    further: Ids,
    /// Bytes of the longest token.
    longest: usize,
    /// Letters of the longest word that is cut.
    most: usize,
    unknown: u32,
}

impl PlainWords {
    /// That of a tokenizer which normalises and splits as BERT's does and has a vocabulary of word
    /// pieces.
    pub fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let NormalizerWrapper::BertNormalizer(normalizer) = tokenizer.get_normalizer()? else {
            return None;
        };
        let splits = tokenizer.get_pre_tokenizer()?;
        let PreTokenizerWrapper::BertPreTokenizer(_) = splits else {
            return None;
        };
        let ModelWrapper::WordPiece(model) = tokenizer.get_model() else {
            return None;
        };
        let added = tokenizer.get_added_tokens_decoder();
        let added: Vec<String> = added.into_values().map(|token| token.content).collect();
        let (mut first, mut further) = (Ids::default(), Ids::default());
        let mut longest = 0;
        for (token, id) in model.get_vocab() {
            longest = longest.max(token.len());
            if let Some(rest) = token.strip_prefix(&model.continuing_subword_prefix) {
                further.insert(rest.as_bytes().into(), id);
            }
            first.insert(token.into_bytes().into(), id);
        }
        Some(Self {
            chars: PlainChars::of(normalizer, splits, &added)?,
            unknown: *first.get(model.unk_token.as_bytes())?,
            most: model.max_input_chars_per_word,
            first,
            further,
            longest,
        })
    }

    /// The ids of a text without special tokens; `None` where it is for the library.
    pub fn ids(&self, text: &str) -> Option<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 2);
        let mut word = Vec::with_capacity(32);
        for c in text.chars() {
            match self.chars.get(c) {
                Plain::Letters(letters) => {
                    word.extend_from_slice(letters.as_bytes());
                    continue;
                }
                Plain::Library => return None,
                plain => {
                    self.push(&word, &mut ids);
                    word.clear();
                    if let Plain::Sign(sign) = plain {
                        self.push(sign.as_bytes(), &mut ids);
                    }
                }
            }
        }
        self.push(&word, &mut ids);
        Some(ids)
    }

    /// A word's tokens: the longest that it begins with, then the longest that goes on, and so
    /// forth, or the unknown one.
    fn push(&self, word: &[u8], ids: &mut Vec<u32>) {
        let letters = |bytes: &[u8]| bytes.iter().filter(|byte| !is_inside(**byte)).count();
        if word.is_empty() {
            return;
        }
        if word.len() > self.most && letters(word) > self.most {
            return ids.push(self.unknown);
        }
        let (known, mut start) = (ids.len(), 0);
        while start < word.len() {
            let from = if start == 0 {
                &self.first
            } else {
                &self.further
            };
            let most = word.len().min(start + self.longest);
            let ends = (start + 1..=most).rev();
            let whole = ends.filter(|&end| word.get(end).is_none_or(|byte| !is_inside(*byte)));
            let found = whole
                .into_iter()
                .find_map(|end| Some((end, *from.get(&word[start..end])?)));
            let Some((end, id)) = found else {
                ids.truncate(known);
                return ids.push(self.unknown);
            };
            ids.push(id);
            start = end;
        }
    }
}

/// Whether a byte of UTF-8 goes on with a letter.
fn is_inside(byte: u8) -> bool {
    byte & 0xc0 == 0x80
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
            "[\u{80}-\u{52f}]{1,8}",
            "[\u{2000}-\u{20cf}]{1,3}",
            prop::sample::select(vec![
                " ",
                "\t",
                "\n",
                "\u{b}",
                "\u{1}",
                "\u{7f}",
                "\u{a0}",
                "[MASK]",
                "[CLS]",
                "[sep]",
                "don't",
                "e.g.",
                "café",
                "你好",
                "İ",
                "ß",
                "\u{301}",
                "\u{200b}",
                "##ing",
                "$5",
                "“a”",
                "–",
                "…",
                "\u{ad}",
                "\u{37e}",
                "\u{345}",
                "Ωδός",
                "Привет",
                "ǅ",
                "\u{2028}",
                "€",
                "№",
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
