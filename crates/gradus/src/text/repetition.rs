//! Sub-word repetition.

use super::masking::unit;
use super::{Tokens, Vocabulary};
use gradus_kernels::dropout::mix64;

/// Texts with some of their tokens twice: a view of the same meaning and another
/// length (ESimCSE; Wu et al. 2022, section 3.1, on tokens as its code has it).
///
/// Of a text of `len` tokens that are not special, `n` are doubled where they stand,
/// `n` drawn from 0 to `min(10, max(2, floor(rate len)))` and no more than there are.
/// What goes beyond the limit of tokens is cut from the text's end. A choice is a
/// function of seed, step and example.
#[derive(Debug, Clone)]
pub(crate) struct Repetition {
    vocabulary: Vocabulary,
    rate: f64,
    /// So many tokens at the beginning, a prompt's, are never doubled.
    before: usize,
    max_tokens: usize,
    seed: u64,
}

/// The most and the fewest that `n` may reach.
const MOST: usize = 10;
const LEAST: usize = 2;

impl Repetition {
    pub fn new(
        vocabulary: Vocabulary,
        rate: f64,
        (before, max_tokens): (usize, usize),
        seed: u64,
    ) -> Self {
        Self {
            vocabulary,
            rate,
            before,
            max_tokens,
            seed: mix64(seed ^ 0x7265_7065_6174),
        }
    }

    /// The places of a text's own tokens.
    fn ordinary(&self, ids: &[u32]) -> Vec<usize> {
        let places = (self.before..ids.len()).filter(|&i| !self.vocabulary.is_special(ids[i]));
        places.collect()
    }

    fn most(&self, len: usize) -> usize {
        let share = (self.rate * len as f64).floor() as usize;
        share.clamp(LEAST, MOST).min(len)
    }

    /// About how long a text becomes.
    pub fn expected(&self, text: &Tokens) -> usize {
        let len = text.ids.len();
        let more = self.most(self.ordinary(&text.ids).len()).div_ceil(2);
        (len + more).min(self.max_tokens.max(len))
    }

    /// A text as an example of a step has it.
    pub fn apply(&self, step: u64, example: u32, text: &Tokens) -> Tokens {
        let key = mix64(mix64(self.seed ^ step) ^ mix64(u64::from(example)));
        let mut places = self.ordinary(&text.ids);
        let choices = self.most(places.len()) + 1;
        // Below `choices`, as a unit number is below 1.
        let count = (unit(mix64(key ^ u64::MAX)) * choices as f64) as usize;
        places.sort_by_key(|&place| mix64(key ^ place as u64));
        places.truncate(count);
        places.sort_unstable();
        let repeated = |values: &[u32]| {
            let mut out = Vec::with_capacity(values.len() + places.len());
            let mut next = places.iter().peekable();
            for (place, &value) in values.iter().enumerate() {
                out.push(value);
                out.extend(next.next_if(|p| **p == place).map(|_| value));
            }
            out
        };
        let (mut ids, mut segments) = (repeated(&text.ids), repeated(&text.segments));
        while ids.len() > self.max_tokens {
            let Some(last) = self.ordinary(&ids).pop() else {
                break;
            };
            ids.remove(last);
            if last < segments.len() {
                segments.remove(last);
            }
        }
        Tokens {
            ids,
            segments,
            ..text.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Tokenizer;
    use std::path::Path;

    /// `[CLS]`, `[SEP]` and words of the fixture's vocabulary.
    fn tokenizer() -> Tokenizer {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/pretraining/bert"
        );
        Tokenizer::load(Path::new(folder), 40, 150, 2).unwrap()
    }

    fn text(words: usize) -> Tokens {
        let vocabulary = tokenizer().vocabulary();
        let special = |id: &u32| vocabulary.is_special(*id);
        let (start, end) = {
            let mut special = (0..150).filter(special);
            (special.next().unwrap(), special.next().unwrap())
        };
        let words = vocabulary.ordinary()[..words].iter().copied();
        let ids: Vec<u32> = [start].into_iter().chain(words).chain([end]).collect();
        Tokens {
            segments: (0..ids.len() as u32).collect(),
            ids,
            ..Tokens::default()
        }
    }

    fn repetition(rate: f64, before: usize, max_tokens: usize) -> Repetition {
        Repetition::new(tokenizer().vocabulary(), rate, (before, max_tokens), 7)
    }

    #[test]
    fn the_tokens_of_some_draws() {
        let (repetition, text) = (repetition(0.32, 1, 40), text(12));
        for (example, doubled) in [
            (5, &[3, 7][..]),
            (6, &[3]),
            (7, &[1, 8]),
            (8, &[11]),
            (9, &[]),
            (10, &[5, 6]),
        ] {
            let copies = |place| 1 + usize::from(doubled.contains(&place));
            let wanted = text.ids.iter().enumerate();
            let wanted = wanted.flat_map(|(place, &id)| vec![id; copies(place)]);
            let found = repetition.apply(3, example, &text);
            assert_eq!(found.ids, wanted.collect::<Vec<_>>(), "{example}");
        }
    }

    /// Every number of doubled tokens occurs about as often, places too, and special
    /// tokens and prompts are never doubled.
    #[test]
    fn counts_and_places_are_drawn_evenly() {
        for (rate, words, most) in [(0.32, 16, 4), (0.1, 16, 2), (1.0, 16, 10), (0.5, 1, 1)] {
            let (repetition, text) = (repetition(rate, 2, 400), text(words));
            // The prompt's word is one of them.
            let most = most.min(words - 1);
            let (mut counts, mut places) = (vec![0usize; most + 1], vec![0usize; words + 2]);
            const DRAWS: usize = 6000;
            for example in 0..DRAWS as u32 {
                let found = repetition.apply(9, example, &text);
                assert_eq!(found, repetition.apply(9, example, &text));
                counts[found.ids.len() - text.ids.len()] += 1;
                for pair in found.segments.windows(2).filter(|w| w[0] == w[1]) {
                    places[pair[0] as usize] += 1;
                }
            }
            for count in &counts {
                let share = *count as f64 / DRAWS as f64 * counts.len() as f64;
                assert!((0.85..1.15).contains(&share), "{rate}: {counts:?}");
            }
            let total: usize = places.iter().sum();
            for (place, count) in places.iter().enumerate() {
                let ordinary = place > 1 && place <= words;
                let share = *count as f64 / total.max(1) as f64 * (words - 1) as f64;
                assert_eq!(*count > 0, ordinary, "{rate}: {places:?}");
                assert!(!ordinary || (0.85..1.15).contains(&share), "{places:?}");
            }
        }
        let (repetition, text) = (repetition(0.9, 1, 40), text(9));
        let steps = (0..20).map(|step| repetition.apply(step, 0, &text));
        let steps: std::collections::HashSet<_> = steps.map(|t| t.ids).collect();
        assert!(steps.len() > 10);
    }

    #[test]
    fn what_is_too_long_loses_its_last_words() {
        let (whole, short) = (repetition(1.0, 1, 99), repetition(1.0, 1, 12));
        let text = text(10);
        let mut cut = 0;
        for example in 0..50 {
            let (long, found) = (
                whole.apply(1, example, &text),
                short.apply(1, example, &text),
            );
            let kept = long.ids.len().min(12) - 1;
            assert_eq!(found.ids[..kept], long.ids[..kept]);
            assert_eq!(found.ids.last(), text.ids.last());
            assert_eq!(found.ids.len(), kept + 1);
            assert_eq!(found.segments.len(), found.ids.len());
            cut += usize::from(long.ids.len() > 12);
        }
        assert!(cut > 30);
    }
}
