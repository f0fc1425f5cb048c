use crate::text::Vocabulary;
use gradus_kernels::dropout::mix64;

/// Which tokens are to be predicted, and what stands in their place: as in BERT, of
/// those chosen 80 % are masked, 10 % replaced by random tokens and 10 % left
/// (Devlin et al. 2019, section 3.1 and appendix A.1).
///
/// A choice is a function of seed, step, text and position.
#[derive(Debug, Clone)]
pub struct Masking<'a> {
    vocabulary: &'a Vocabulary,
    mask: u32,
    rate: f64,
    whole_words: bool,
    seed: u64,
}

/// A text with some of its tokens replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Masked {
    /// Its tokens.
    pub ids: Vec<u32>,
    /// The places to be predicted, in order, with the tokens that stood
    /// there.
    pub targets: Vec<(u32, u32)>,
}

/// The share of chosen tokens that are masked.
const MASKED: f64 = 0.8;

/// The share that are masked or replaced by random tokens.
const CHANGED: f64 = 0.9;

impl<'a> Masking<'a> {
    /// Chooses a share `rate` of the tokens, or of the words with all their
    /// tokens, that are not special.
    pub fn new(
        vocabulary: &'a Vocabulary,
        mask: u32,
        rate: f64,
        whole_words: bool,
        seed: u64,
    ) -> Self {
        Self {
            vocabulary,
            mask,
            rate,
            whole_words,
            seed: mix64(seed ^ 0x6d61_736b_696e_6700),
        }
    }

    /// Masks a text at a step.
    pub fn apply(&self, step: u64, text: u64, ids: &[u32]) -> Masked {
        let key = mix64(mix64(self.seed ^ step) ^ mix64(text));
        let mut masked = Masked {
            ids: ids.to_vec(),
            targets: vec![],
        };
        let mut chosen = false;
        let mut in_word = false;
        for (place, &id) in ids.iter().enumerate() {
            if self.vocabulary.is_special(id) {
                in_word = false;
                continue;
            }
            let draws = mix64(key ^ place as u64);
            let goes_on = self.whole_words && in_word && self.vocabulary.continues(id);
            if !goes_on {
                chosen = unit(draws) < self.rate;
            }
            in_word = true;
            if chosen {
                masked.targets.push((place as u32, id));
                masked.ids[place] = self.replacement(mix64(draws), id);
            }
        }
        masked
    }

    fn replacement(&self, draws: u64, id: u32) -> u32 {
        match unit(draws) {
            share if share < MASKED => self.mask,
            share if share < CHANGED => {
                let ordinary = self.vocabulary.ordinary();
                let bits = u128::from(mix64(draws));
                ordinary[((bits * ordinary.len() as u128) >> 64) as usize]
            }
            _ => id,
        }
    }
}

/// A number in `[0, 1)` from random bits.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Tokenizer;
    use proptest::prelude::*;
    use std::path::Path;

    fn vocabulary() -> Vocabulary {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/pretraining/bert"
        );
        Tokenizer::load(Path::new(folder), 40, 150, 2)
            .unwrap()
            .vocabulary()
    }

    /// Ten thousand texts of twenty words of one to three tokens, in brackets
    /// of special tokens.
    fn texts(vocabulary: &Vocabulary) -> Vec<Vec<u32>> {
        let (ends, starts): (Vec<u32>, Vec<u32>) = vocabulary
            .ordinary()
            .iter()
            .partition(|&&id| vocabulary.continues(id));
        let special = (0..vocabulary.len() as u32)
            .find(|&id| vocabulary.is_special(id))
            .unwrap();
        (0..10_000u64)
            .map(|text| {
                let mut ids = vec![special];
                for word in 0..20u64 {
                    let draw = mix64(text << 8 | word);
                    ids.push(starts[draw as usize % starts.len()]);
                    for token in 0..draw >> 60 & 1 {
                        ids.push(ends[(draw >> (8 + token)) as usize % ends.len()]);
                    }
                }
                ids.push(special);
                ids
            })
            .collect()
    }

    #[test]
    fn shares_are_those_asked_for() {
        let vocabulary = vocabulary();
        let mask = vocabulary.mask().unwrap();
        for whole_words in [false, true] {
            let masking = Masking::new(&vocabulary, mask, 0.15, whole_words, 5);
            let (mut tokens, mut chosen, mut masked, mut kept) = (0, 0, 0, 0);
            for (text, ids) in (0..).zip(texts(&vocabulary)) {
                let got = masking.apply(7, text, &ids);
                tokens += ids.len() - 2;
                chosen += got.targets.len();
                for &(place, id) in &got.targets {
                    assert_eq!(ids[place as usize], id);
                    masked += usize::from(got.ids[place as usize] == mask);
                    kept += usize::from(got.ids[place as usize] == id);
                }
            }
            let near = |got: usize, of: usize, share: f64| {
                // Five standard deviations; words of two tokens double them.
                let n = of as f64 / if whole_words { 2.0 } else { 1.0 };
                let bound = 5.0 * (share * (1.0 - share) / n).sqrt();
                assert!(
                    (got as f64 / of as f64 - share).abs() < bound,
                    "{got} of {of}: {share}"
                );
            };
            near(chosen, tokens, 0.15);
            near(masked, chosen, 0.8);
            // A random token is now and then the same.
            near(kept, chosen, 0.1 + 0.1 / vocabulary.ordinary().len() as f64);
        }
    }

    #[test]
    fn words_are_chosen_as_a_whole() {
        let vocabulary = vocabulary();
        let masking = Masking::new(&vocabulary, vocabulary.mask().unwrap(), 0.3, true, 5);
        for (text, ids) in (0..).zip(texts(&vocabulary)) {
            let places: Vec<u32> = masking
                .apply(1, text, &ids)
                .targets
                .iter()
                .map(|t| t.0)
                .collect();
            let chosen = |place: usize| places.contains(&(place as u32));
            for (place, &id) in ids.iter().enumerate() {
                if !vocabulary.is_special(id) && vocabulary.continues(id) {
                    assert_eq!(chosen(place), chosen(place - 1));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn only_chosen_ordinary_tokens_change(
            ids in proptest::collection::vec(0u32..150, 0..60),
            step in any::<u64>(),
            rate in 0.01f64..0.9,
            whole_words in any::<bool>(),
        ) {
            let vocabulary = vocabulary();
            let masking = Masking::new(&vocabulary, vocabulary.mask().unwrap(), rate, whole_words, 9);
            let got = masking.apply(step, 3, &ids);
            prop_assert_eq!(&got, &masking.apply(step, 3, &ids));
            let mut restored = got.ids.clone();
            for &(place, id) in &got.targets {
                prop_assert!(!vocabulary.is_special(id));
                restored[place as usize] = id;
            }
            prop_assert_eq!(restored, ids);
        }
    }

    #[test]
    fn every_step_and_text_has_masks_of_its_own() {
        let vocabulary = vocabulary();
        let ids = &texts(&vocabulary)[0];
        let mask = vocabulary.mask().unwrap();
        let base = Masking::new(&vocabulary, mask, 0.5, false, 1).apply(2, 3, ids);
        for (seed, step, text) in [(2, 2, 3), (1, 3, 3), (1, 2, 4)] {
            assert_ne!(
                base,
                Masking::new(&vocabulary, mask, 0.5, false, seed).apply(step, text, ids)
            );
        }
    }
}
