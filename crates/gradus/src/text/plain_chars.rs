//! What a tokenizer as BERT's makes of single characters, asked of it once.
//!
//! Its normalizer works on each character by itself, marks that combine with the one before them
//! aside, so what it makes of a text is what it makes of its characters.

use std::ops::Range;
use tokenizers::{
    NormalizedString, Normalizer, PreTokenizedString, PreTokenizer, PreTokenizerWrapper,
    normalizers::BertNormalizer,
};

/// The characters that are asked for: Latin, Greek and Cyrillic letters with their signs, and
/// general punctuation and currencies.
const ASKED: [Range<u32>; 2] = [0..0x530, 0x2000..0x20d0];

/// How a character is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// As so many letters of a word; none where it is left out.
    Letters(Short),
    /// As white space.
    Space,
    /// As a word by itself.
    Sign(Short),
    /// The text is for the library: it may hold an added token, or a character that was not
    /// asked for.
    Library,
}

/// Some bytes of UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short {
    len: u8,
    bytes: [u8; 6],
}

impl Short {
    fn of(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        let len = text.len() as u8;
        Some(Self { len, bytes })
    }

    /// These bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// What becomes of each character.
#[derive(Debug, Clone)]
pub(super) struct PlainChars(Vec<Plain>);

impl PlainChars {
    /// Those of a tokenizer; `added` are tokens that are found before anything else is done.
    /// `None` where one of them may begin in the middle of a word.
    pub fn of(
        normalizer: &BertNormalizer,
        splits: &PreTokenizerWrapper,
        added: &[String],
    ) -> Option<Self> {
        let firsts: Vec<char> = added
            .iter()
            .filter_map(|token| token.chars().next())
            .collect();
        let of = |c: char| {
            let plain = plain(normalizer, splits, c)?;
            let begins = |bytes: &[u8]| firsts.iter().any(|f| bytes == f.to_string().as_bytes());
            match plain {
                // Added tokens are looked for in texts as they are, or normalised.
                Plain::Sign(sign) if begins(sign.as_bytes()) => Some(Plain::Library),
                _ if firsts.contains(&c) => Some(Plain::Library),
                plain => Some(plain),
            }
        };
        let asked = ASKED.into_iter().flatten();
        let chars = asked.map(|c| char::from_u32(c).and_then(of).unwrap_or(Plain::Library));
        let chars = Self(chars.collect());
        let only_sign = |first: &char| {
            let alone = plain(normalizer, splits, *first);
            chars.get(*first) == Plain::Library
                && !matches!(alone, Some(Plain::Letters(_) | Plain::Space))
        };
        firsts.iter().all(only_sign).then_some(chars)
    }

    /// How a character is taken.
    #[inline]
    pub fn get(&self, c: char) -> Plain {
        let c = c as u32;
        let place = match () {
            () if c < ASKED[0].end => c,
            () if ASKED[1].contains(&c) => c - ASKED[1].start + ASKED[0].end,
            () => return Plain::Library,
        };
        self.0[place as usize]
    }
}

/// What the tokenizer makes of a character; `None` where that is not so simple.
fn plain(normalizer: &BertNormalizer, splits: &PreTokenizerWrapper, c: char) -> Option<Plain> {
    // Marks change places with others beside them.
    if matches!(c as u32, 0x300..0x370 | 0x483..0x48a | 0x20d0..) {
        return None;
    }
    let mut normalized = NormalizedString::from(c.to_string());
    normalizer.normalize(&mut normalized).ok()?;
    let own = normalized.get();
    // Between letters it belongs to them, stands alone, or is gone.
    let mut text = PreTokenizedString::from(format!("a{own}a"));
    splits.pre_tokenize(&mut text).ok()?;
    let parts = text.get_splits(
        tokenizers::OffsetReferential::Original,
        tokenizers::OffsetType::Byte,
    );
    let parts: Vec<&str> = parts.iter().map(|part| part.0).collect();
    match parts[..] {
        [_] => Short::of(own).map(Plain::Letters),
        ["a", "a"] => Some(Plain::Space),
        ["a", sign, "a"] if sign == own => Short::of(own).map(Plain::Sign),
        _ => None,
    }
}
