use super::Corpus;
use crate::training::{epoch_key, order};

/// Which texts each step trains on: every epoch all of them, in an order of its
/// own, cut into steps of about equal numbers of tokens.
#[derive(Debug)]
pub struct Batches {
    seed: u64,
    per_epoch: u64,
    tokens: usize,
    /// The epoch last asked for: its texts in order, and the tokens before each.
    epoch: Option<(u64, Vec<u32>, Vec<usize>)>,
}

impl Batches {
    /// Steps of about `batch_tokens` tokens, at most so many but for part of a
    /// text.
    pub fn new(corpus: &Corpus, batch_tokens: usize, seed: u64) -> Self {
        let tokens = corpus.tokens(corpus.train());
        Self {
            seed,
            per_epoch: tokens.div_ceil(batch_tokens.max(1)).max(1) as u64,
            tokens,
            epoch: None,
        }
    }

    /// Steps of an epoch: the same in all of them.
    pub fn per_epoch(&self) -> u64 {
        self.per_epoch
    }

    /// Tokens of an epoch.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The texts of a step, counted from 0.
    pub fn texts(&mut self, corpus: &Corpus, step: u64) -> &[u32] {
        let (epoch, step) = (step / self.per_epoch, step % self.per_epoch);
        if self.epoch.as_ref().is_none_or(|e| e.0 != epoch) {
            let train = corpus.train();
            let key = epoch_key(self.seed, 0, epoch);
            let places = order(train.len(), Some(key)).into_iter();
            let texts: Vec<u32> = places.map(|i| train[i as usize]).collect();
            let mut before = 0;
            let starts = texts.iter().map(|&text| {
                let start = before;
                before += corpus.text(text).len();
                start
            });
            let starts = starts.collect();
            self.epoch = Some((epoch, texts, starts));
        }
        let Some((_, texts, starts)) = &self.epoch else {
            return &[];
        };
        // A text belongs to the step in whose share of the tokens it begins.
        let (tokens, steps) = (self.tokens as u128, u128::from(self.per_epoch));
        let bound = |step: u64| {
            let share = (u128::from(step) * tokens / steps) as usize;
            starts.partition_point(|&start| start < share)
        };
        &texts[bound(step)..bound(step + 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::MaskedLm;
    use gradus_kernels::cpu::Cpu;
    use std::path::Path;

    #[test]
    fn every_epoch_has_every_text_once_in_even_steps() {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/pretraining/bert"
        );
        let model = MaskedLm::load(Path::new(folder), Cpu::new(1), 1).unwrap();
        let words = [
            "the cat",
            "a dog in the park",
            "one",
            "two birds",
            "very very slow",
        ];
        let texts: Vec<String> = (0..500)
            .map(|i| format!("{} {} {i}", words[i % 5], words[i / 5 % 5]))
            .collect();
        let tokenizer = model.encoder().tokenizer();
        let corpus = Corpus::new(&texts, tokenizer, &tokenizer.vocabulary(), 3).unwrap();
        assert_eq!((corpus.len(), corpus.held_out().len()), (500, 5));
        let mut batches = Batches::new(&corpus, 100, 3);
        let steps = batches.per_epoch();
        let longest = (0..500).map(|t| corpus.text(t).len()).max().unwrap();
        let mut orders = vec![];
        for epoch in 0..3 {
            let mut seen = vec![];
            for step in 0..steps {
                let texts = batches.texts(&corpus, epoch * steps + step).to_vec();
                let tokens = corpus.tokens(&texts);
                assert!(!texts.is_empty() && tokens <= 100 + longest, "{tokens}");
                seen.extend(texts);
            }
            orders.push(seen.clone());
            seen.sort_unstable();
            assert_eq!(seen, corpus.train());
        }
        assert!(orders[0] != orders[1] && orders[1] != orders[2]);
        // Any step can be asked for first.
        let mut anew = Batches::new(&corpus, 100, 3);
        let last = 3 * steps - 1;
        assert_eq!(anew.texts(&corpus, last), batches.texts(&corpus, last));
    }
}
