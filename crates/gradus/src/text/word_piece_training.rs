//! Learning a WordPiece vocabulary from text.

use super::guard::guarded;
use super::word_pieces::word_pieces;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    AddedToken, Model, NormalizedString, Normalizer, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer, Trainer,
};

/// BERT's special tokens, at the ids 0 to 4.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// The most different characters of a vocabulary; words with rarer ones become
/// `[UNK]`, as in BERT's own.
const ALPHABET: usize = 1000;

/// The `tokenizer.json` of a BERT tokenizer (lower case, without accents) of at
/// most `vocabulary` pieces, learned from `texts`: the same for the same texts.
/// As the tokenizers library does it, pieces are merged by how often they
/// stand together.
///
/// # Errors
/// A message where the vocabulary has no room for the characters, or the
/// library fails.
pub fn train_word_pieces(texts: &[&str], vocabulary: usize) -> Result<String, String> {
    let alphabet = alphabet(texts)?;
    // Every character may begin a word or continue one.
    let least = SPECIAL.len() + 2 * alphabet.len();
    if vocabulary < least {
        return Err(format!(
            "a vocabulary of {vocabulary} has no room for the {} characters of the texts; {least} are needed",
            alphabet.len()
        ));
    }
    guarded(|| {
        // The library numbers the continuing characters in the order of a hash
        // table, on which ties among merges depend. Named as special ones they
        // have ids of their own before it starts; nothing else comes of it, as
        // the tokenizer below is made from the words alone.
        let continuing = alphabet.iter().map(|c| format!("##{c}"));
        let first = SPECIAL.map(str::to_owned).into_iter().chain(continuing);
        let mut trainer = WordPieceTrainer::builder()
            .show_progress(false)
            .vocab_size(vocabulary)
            .special_tokens(first.map(|t| AddedToken::from(t, true)).collect())
            .build();
        let known = |word: &String| word.chars().all(|c| alphabet.contains(&c));
        trainer
            .feed(texts.iter(), |text| {
                let words = words(text)?;
                Ok(words.into_iter().filter(known).collect())
            })
            .map_err(|e| e.to_string())?;
        let mut model = WordPiece::default();
        trainer.train(&mut model).map_err(|e| e.to_string())?;
        let by_id: BTreeMap<u32, String> =
            model.get_vocab().into_iter().map(|(w, i)| (i, w)).collect();
        let list: String = by_id.values().map(|w| format!("{w}\n")).collect();
        let tokenizer = word_pieces(&list)?;
        tokenizer.to_string(true).map_err(|e| e.to_string())
    })
}

/// The words of a text as BERT's tokenizer sees them.
fn words(text: &str) -> tokenizers::Result<Vec<String>> {
    let mut normalized = NormalizedString::from(text);
    BertNormalizer::default().normalize(&mut normalized)?;
    let mut cut = PreTokenizedString::from(normalized);
    BertPreTokenizer.pre_tokenize(&mut cut)?;
    let parts = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
    Ok(parts.into_iter().map(|part| part.0.to_owned()).collect())
}

/// The most frequent characters.
fn alphabet(texts: &[&str]) -> Result<BTreeSet<char>, String> {
    let count = |mut counts: BTreeMap<char, u64>, text: &&str| {
        for word in words(text).map_err(|e| e.to_string())? {
            for c in word.chars() {
                *counts.entry(c).or_default() += 1;
            }
        }
        Ok(counts)
    };
    let join = |mut a: BTreeMap<char, u64>, b: BTreeMap<char, u64>| {
        for (c, n) in b {
            *a.entry(c).or_default() += n;
        }
        Ok(a)
    };
    let counts = texts
        .par_iter()
        .try_fold(BTreeMap::new, count)
        .try_reduce(BTreeMap::new, join);
    let counts: Result<BTreeMap<char, u64>, String> = counts;
    let mut counts: Vec<(char, u64)> = counts?.into_iter().collect();
    // Stable: of equally frequent ones those of lower code come first.
    counts.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
    Ok(counts.into_iter().take(ALPHABET).map(|(c, _)| c).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 4] = [
        "The cat sat on the mat, and the dog sat on the cat.",
        "Two dogs are playing in the park while a child is playing.",
        "Café déjà vu: the young woman walks, the old man walked.",
        "Hello world, this is one small sentence of four or five words.",
    ];

    #[test]
    fn the_same_texts_give_the_same_pieces() {
        let trained = train_word_pieces(&TEXTS, 120).unwrap();
        for _ in 0..5 {
            assert!(train_word_pieces(&TEXTS, 120).unwrap() == trained);
        }
        let tokenizer: tokenizers::Tokenizer = trained.parse().unwrap();
        assert!(tokenizer.get_vocab_size(true) <= 120);
        for (id, special) in SPECIAL.iter().enumerate() {
            assert_eq!(tokenizer.token_to_id(special), Some(id as u32));
        }
        let encoded = tokenizer.encode("The CAFÉ 猫", true).unwrap();
        let tokens = encoded.get_tokens();
        assert_eq!(tokens[..2], ["[CLS]", "the"]);
        assert_eq!(tokens[tokens.len() - 2..], ["[UNK]", "[SEP]"]);
        // A continuing character is text like any other.
        assert!(
            !tokenizer
                .get_added_tokens_decoder()
                .values()
                .any(|t| t.content.starts_with("##"))
        );
    }

    #[test]
    fn too_small_a_vocabulary_is_refused() {
        let error = train_word_pieces(&TEXTS, 40).unwrap_err();
        assert!(error.contains("no room"), "{error}");
    }
}
