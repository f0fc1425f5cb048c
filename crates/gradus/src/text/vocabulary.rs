//! What a vocabulary's tokens are: special, or the continuation of a word.

use std::collections::HashMap;

/// A vocabulary, id by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vocabulary {
    special: Vec<bool>,
    continues: Vec<bool>,
    ordinary: Vec<u32>,
    mask: Option<u32>,
    padding: Option<u32>,
}

/// How continuations are told from beginnings.
enum Marks {
    /// WordPiece marks continuations.
    Continuation(&'static str),
    /// Byte-level BPE and SentencePiece mark beginnings.
    Beginning(&'static str),
    /// Nothing is marked: every token is a word.
    None,
}

impl Marks {
    fn of(vocabulary: &HashMap<String, u32>) -> Self {
        let share = |mark: &str| vocabulary.keys().filter(|p| p.starts_with(mark)).count();
        let counts = [share("##"), share("\u{120}"), share("\u{2581}")];
        match counts.iter().max() {
            Some(&most) if most > 0 && counts[0] == most => Self::Continuation("##"),
            Some(&most) if most > 0 && counts[1] == most => Self::Beginning("\u{120}"),
            Some(&most) if most > 0 => Self::Beginning("\u{2581}"),
            _ => Self::None,
        }
    }

    fn continues(&self, token: &str) -> bool {
        match self {
            Self::Continuation(mark) => token.starts_with(mark),
            Self::Beginning(mark) => !token.starts_with(mark),
            Self::None => false,
        }
    }
}

impl Vocabulary {
    /// The tokens of `ids`, of which `special` are no text.
    pub(super) fn new(ids: &HashMap<String, u32>, special: &[u32]) -> Self {
        let len = ids.values().max().map_or(0, |&id| id as usize + 1);
        let marks = Marks::of(ids);
        // An id that stands for no token is as good as special.
        let mut vocabulary = Self {
            special: vec![true; len],
            continues: vec![false; len],
            ..Self::default()
        };
        for (token, &id) in ids {
            vocabulary.special[id as usize] = special.contains(&id);
            vocabulary.continues[id as usize] = marks.continues(token);
        }
        for (id, &special) in vocabulary.special.iter().enumerate() {
            if !special {
                vocabulary.ordinary.push(id as u32);
            }
        }
        let one_of = |names: [&str; 2]| names.iter().find_map(|n| ids.get(*n).copied());
        vocabulary.mask = one_of(["[MASK]", "<mask>"]);
        vocabulary.padding = one_of(["[PAD]", "<pad>"]);
        vocabulary
    }

    /// One more than the highest id.
    pub fn len(&self) -> usize {
        self.special.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.special.is_empty()
    }

    /// Whether an id is no text: padding, separators, the mask, an unknown word.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(true)
    }

    /// Whether a token goes on with the word of the token before it.
    pub fn continues(&self, id: u32) -> bool {
        self.continues.get(id as usize).copied().unwrap_or(false)
    }

    /// The ids of text, in order.
    pub fn ordinary(&self) -> &[u32] {
        &self.ordinary
    }

    /// The id that stands for a masked token.
    pub fn mask(&self) -> Option<u32> {
        self.mask
    }

    /// The id of padding.
    pub fn padding(&self) -> Option<u32> {
        self.padding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(words: &[&str], special: &[u32]) -> Vocabulary {
        let ids = words.iter().zip(0..);
        let vocabulary = ids.map(|(w, i)| ((*w).to_owned(), i)).collect();
        Vocabulary::new(&vocabulary, special)
    }

    #[test]
    fn continuations_are_told_by_the_marks_in_use() {
        let bert = vocabulary(&["[PAD]", "[MASK]", "play", "##ing", "##s"], &[0, 1]);
        assert_eq!((bert.mask(), bert.padding()), (Some(1), Some(0)));
        assert_eq!(bert.ordinary(), [2, 3, 4]);
        assert!(bert.continues(3) && !bert.continues(2) && bert.is_special(1));
        assert!(bert.is_special(99) && !bert.continues(99) && bert.len() == 5);
        let bytes = vocabulary(&["<mask>", "\u{120}play", "ing", "\u{120}a"], &[0]);
        assert!(bytes.continues(2) && !bytes.continues(1));
        let plain = vocabulary(&["a", "b"], &[]);
        assert!(!plain.continues(0) && plain.mask().is_none());
    }
}
