//! How much of a text a vocabulary covers.

use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokenizers::{Encoding, Model, Tokenizer};

/// What the vocabulary made of one input, special tokens and prompts aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Tokens that stand for the text.
    pub tokens: usize,
    /// Of these, unknown tokens.
    pub unknown: usize,
    /// Of these, single letters of a script that the vocabulary has no words of.
    pub spelled: usize,
    /// Whether tokens were cut off.
    pub truncated: bool,
}

impl Coverage {
    /// Whether the vector can hardly mean anything: there is no token of the
    /// text, or more than half are unknown or single letters of another script.
    pub fn is_unknown(&self) -> bool {
        self.tokens == 0 || 2 * (self.unknown + self.spelled) > self.tokens
    }

    /// What is left without `prompt`, which was part of the text.
    pub(super) fn without(self, prompt: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(prompt.tokens),
            unknown: self.unknown.saturating_sub(prompt.unknown),
            spelled: self.spelled.saturating_sub(prompt.spelled),
            truncated: self.truncated,
        }
    }

    /// Both parts of an input; that of the part that is hardly known where one is.
    pub(super) fn with(self, other: Self) -> Self {
        let truncated = self.truncated || other.truncated;
        match (self.is_unknown(), other.is_unknown()) {
            (true, _) => Self { truncated, ..self },
            (_, true) => Self { truncated, ..other },
            _ => Self {
                tokens: self.tokens + other.tokens,
                unknown: self.unknown + other.unknown,
                spelled: self.spelled + other.spelled,
                truncated,
            },
        }
    }
}

/// How many inputs a model could not read as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TextCounts {
    /// Cut to the model's limit.
    pub truncated: usize,
    /// With [`Coverage::is_unknown`].
    pub unknown: usize,
    /// Of these, without any token.
    pub empty: usize,
}

impl TextCounts {
    /// Counts inputs.
    pub fn of<'a>(inputs: impl IntoIterator<Item = &'a Coverage>) -> Self {
        let mut counts = Self::default();
        for coverage in inputs {
            counts.truncated += usize::from(coverage.truncated);
            counts.unknown += usize::from(coverage.is_unknown());
            counts.empty += usize::from(coverage.tokens == 0);
        }
        counts
    }

    /// Sentences on texts that were cut to `max_tokens` and on those whose
    /// vectors mean little; none where there are none.
    pub fn describe(&self, max_tokens: usize) -> Vec<String> {
        let cut = self.describe_cut("text", max_tokens);
        cut.into_iter().chain(self.describe_unknown()).collect()
    }

    /// The same where the inputs were pairs.
    pub fn describe_pairs(&self, max_tokens: usize) -> Vec<String> {
        let unknown = match self.unknown {
            0 => None,
            1 => Some(("1 pair holds", "its score says")),
            _ => Some(("pairs hold", "their scores say")),
        };
        let unknown = unknown.map(|(pairs, their)| {
            let number = match self.unknown {
                1 => String::new(),
                n => format!("{n} "),
            };
            format!(
                "{number}{pairs} a text that is empty or mostly unknown to the model's vocabulary: {their} next to nothing"
            )
        });
        let cut = self.describe_cut("pair", max_tokens);
        cut.into_iter().chain(unknown).collect()
    }

    fn describe_cut(&self, input: &str, max_tokens: usize) -> Option<String> {
        let inputs = match self.truncated {
            0 => return None,
            1 => format!("1 {input} was"),
            n => format!("{n} {input}s were"),
        };
        Some(format!("{inputs} cut to the model's {max_tokens} tokens"))
    }

    /// A sentence on texts whose vectors mean little; `None` where there are
    /// none.
    fn describe_unknown(&self) -> Option<String> {
        let (texts, are, their) = match self.unknown {
            0 => return None,
            1 => ("text", "is", "its vector says"),
            _ => ("texts", "are", "their vectors say"),
        };
        let empty = match (self.empty, self.unknown) {
            (0, _) => String::new(),
            (1, 1) => " (it is empty)".into(),
            (n, _) => format!(" ({n} of them empty)"),
        };
        Some(format!(
            "{} {texts} {are} empty or mostly unknown to the model's vocabulary{empty}: {their} next to nothing",
            self.unknown
        ))
    }
}

/// The counts of a tokenizer and its clones, which work in parallel.
#[derive(Debug, Default)]
pub(super) struct Counters {
    truncated: AtomicUsize,
    unknown: AtomicUsize,
    empty: AtomicUsize,
}

impl Counters {
    pub fn add(&self, coverage: &Coverage) {
        let one = TextCounts::of([coverage]);
        // Most texts have nothing to count, and threads would fight for these places.
        let count = |counter: &AtomicUsize, add| {
            if add > 0 {
                counter.fetch_add(add, Ordering::Relaxed);
            }
        };
        count(&self.truncated, one.truncated);
        count(&self.unknown, one.unknown);
        count(&self.empty, one.empty);
    }

    pub fn read(&self) -> TextCounts {
        TextCounts {
            truncated: self.truncated.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
            empty: self.empty.load(Ordering::Relaxed),
        }
    }
}

/// No character, so no vocabulary has it.
const NO_CHARACTER: &str = "\u{fdd0}";

/// Characters that every vocabulary of Chinese or Japanese has, and those of
/// other languages, which hold some hundred characters by chance, have not.
const COMMON_HAN: [&str; 2] = ["是", "了"];

/// What a token says of the text it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A token of a word, or any other sign.
    Known,
    Unknown,
    /// A single letter of a script whose words the vocabulary lacks.
    Spelled,
    /// White space, or a special token.
    Blank,
}

/// What each token of a vocabulary is.
#[derive(Debug, Clone)]
pub(super) struct KnownTokens(Arc<[Kind]>);

impl Default for KnownTokens {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl KnownTokens {
    pub fn new(tokenizer: &Tokenizer) -> Self {
        // Asked of the model itself, as not every kind names its unknown token.
        let found = tokenizer.get_model().tokenize(NO_CHARACTER);
        let found = found.ok().filter(|tokens| tokens.len() == 1);
        let unknown = found.map(|tokens| tokens[0].id);
        let added = tokenizer.get_added_tokens_decoder();
        let has = |token: &str| {
            let mut forms = ["", "\u{2581}"].iter();
            forms.any(|mark| tokenizer.token_to_id(&format!("{mark}{token}")).is_some())
        };
        let reads_han = COMMON_HAN.iter().any(|&c| has(c));
        let kind = |id: u32| match tokenizer.id_to_token(id) {
            _ if Some(id) == unknown => Kind::Unknown,
            _ if added.get(&id).is_some_and(|token| token.special) => Kind::Blank,
            Some(token) if is_blank(&token) => Kind::Blank,
            Some(token) if is_spelled(&token, reads_han) => Kind::Spelled,
            _ => Kind::Known,
        };
        let ids = tokenizer.get_vocab_size(true) as u32;
        Self((0..ids).map(kind).collect())
    }

    /// How much of a text these tokens cover.
    pub fn coverage(&self, text: &Encoding) -> Coverage {
        self.coverage_of(text.get_ids())
    }

    /// The same of ids.
    pub fn coverage_of(&self, ids: &[u32]) -> Coverage {
        let mut coverage = Coverage::default();
        for &id in ids {
            let kind = self.0.get(id as usize).copied().unwrap_or(Kind::Known);
            coverage.tokens += usize::from(kind != Kind::Blank);
            coverage.unknown += usize::from(kind == Kind::Unknown);
            coverage.spelled += usize::from(kind == Kind::Spelled);
        }
        coverage
    }
}

/// Whether a token is a single letter of a script whose words the vocabulary
/// lacks, or a byte of one. Latin vocabularies hold the letters of other scripts,
/// so that no token of such a text is unknown, and none means anything.
fn is_spelled(token: &str, reads_han: bool) -> bool {
    // How vocabularies of characters write what they do not have.
    if token.len() == 6 && token.starts_with("<0x") && token.ends_with('>') {
        return true;
    }
    let token = token.strip_prefix("##").unwrap_or(token);
    let mut letters = token.trim_start_matches('\u{2581}').chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_alphabetic() => match letter as u32 {
            // Latin letters, with which byte-level vocabularies write bytes.
            0..0x370 | 0x1e00..0x1f00 => false,
            // Syllables of Korean, which are words or parts of them.
            0xac00..0xd7b0 => false,
            // Kana and the characters of Chinese.
            0x3005..0x3100 | 0x3400..0xa000 | 0xf900..0xfb00 | 0x2_0000.. => !reads_han,
            _ => true,
        },
        _ => false,
    }
}

/// Whether a token is nothing but a mark of white space.
fn is_blank(token: &str) -> bool {
    let token = token.strip_suffix("</w>").unwrap_or(token);
    // How byte-level vocabularies write space, line feed, carriage return, tab.
    let marks = ['\u{2581}', '\u{120}', '\u{10a}', '\u{10d}', '\u{109}'];
    let blank = |c: char| marks.contains(&c) || c.is_whitespace();
    token.chars().all(blank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn word_pieces(words: &[&str]) -> Tokenizer {
        let vocabulary: Vec<String> = (0..)
            .zip(words)
            .map(|(id, word)| format!("{word:?}: {id}"))
            .collect();
        let json = format!(
            r###"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [
                {{"id": 0, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}},
                {{"id": 1, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}}],
                "normalizer": {{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}},
                "pre_tokenizer": {{"type": "BertPreTokenizer"}}, "post_processor": null, "decoder": null,
                "model": {{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                "vocab": {{{}}}}}}}"###,
            vocabulary.join(", ")
        );
        Tokenizer::from_str(&json).unwrap()
    }

    fn of(tokenizer: &Tokenizer, text: &str) -> Coverage {
        let encoding = tokenizer.encode_fast(text, false).unwrap();
        KnownTokens::new(tokenizer).coverage(&encoding)
    }

    #[test]
    fn english_vocabularies_know_no_other_script() {
        let english = word_pieces(&[
            "[UNK]", "[SEP]", "cat", "a", "д", "##а", "##д", "好", "の", "é", "!",
        ]);
        let known = |text: &str| {
            let c = of(&english, text);
            (c.tokens, c.unknown, c.spelled, c.is_unknown())
        };
        assert_eq!(known("a cat"), (2, 0, 0, false));
        assert_eq!(known("a cat 🍕"), (3, 1, 0, false));
        assert_eq!(known("cat 🍕"), (2, 1, 0, false), "half is not most");
        assert_eq!(known("🍕 🍕 cat"), (3, 2, 0, true));
        assert_eq!(known("да"), (2, 0, 2, true), "letters alone are no word");
        assert_eq!(known("你好の"), (3, 1, 2, true));
        for empty in ["", "  ", "[SEP] [SEP]", "\u{200b}"] {
            assert_eq!(known(empty), (0, 0, 0, true), "{empty:?}");
        }
        assert_eq!(known("a !"), (2, 0, 0, false));
    }

    #[test]
    fn a_vocabulary_with_chinese_reads_single_characters() {
        let chinese = word_pieces(&["[UNK]", "[SEP]", "是", "你", "好"]);
        assert!(!of(&chinese, "你好").is_unknown());
        assert!(of(&chinese, "猫猫好").is_unknown());
    }

    #[test]
    fn counts_are_said_once() {
        let empty = Coverage::default();
        let cut = Coverage {
            tokens: 3,
            truncated: true,
            ..empty
        };
        let counts = TextCounts::of([&empty, &cut]);
        assert_eq!((counts.truncated, counts.unknown, counts.empty), (1, 1, 1));
        let said = counts.describe_unknown().unwrap();
        assert!(said.starts_with("1 text is"), "{said}");
        assert_eq!(TextCounts::of([&cut]).describe_unknown(), None);
        let said = counts.describe_pairs(8);
        assert_eq!(said[0], "1 pair was cut to the model's 8 tokens");
        assert!(said[1].starts_with("1 pair holds a text"), "{said:?}");
        let said = TextCounts::of([&empty, &empty]).describe_pairs(8);
        assert!(said[0].starts_with("2 pairs hold a text"), "{said:?}");
    }

    #[test]
    fn a_pair_is_unknown_where_one_of_its_texts_is() {
        let known = Coverage {
            tokens: 9,
            ..Coverage::default()
        };
        let strange = Coverage {
            tokens: 2,
            unknown: 2,
            ..known
        };
        assert!(known.with(strange).is_unknown() && strange.with(known).is_unknown());
        assert!(known.with(Coverage::default()).is_unknown());
        assert_eq!(known.with(known).tokens, 18);
    }
}
