use crate::Result;
use crate::text::Masked;
use crate::text::{Tokenizer, Vocabulary};
use crate::training::order;
use crate::util::content_hash::hex;
use gradus_kernels::dropout::mix64;
use sha2::{Digest, Sha256};

/// Texts that are tokenised at a time.
const CHUNK: usize = 1 << 14;

/// One in so many texts is held out.
const HELD_OUT: usize = 100;

/// No more are: scoring them should not take long.
const MOST_HELD_OUT: usize = 10_000;

/// Texts as token ids, some of them held out from training.
#[derive(Debug, Clone)]
pub struct Corpus {
    ids: Vec<u32>,
    /// Where each text begins and the last ends.
    bounds: Vec<usize>,
    train: Vec<u32>,
    held_out: Vec<u32>,
}

impl Corpus {
    /// Tokenises `texts`, and holds out one in a hundred (at least one), drawn
    /// from `seed`. Texts without any token that could be masked are left out.
    ///
    /// # Errors
    /// Where the tokenizer fails.
    pub fn new(
        texts: &[String],
        tokenizer: &Tokenizer,
        vocabulary: &Vocabulary,
        seed: u64,
    ) -> Result<Self> {
        let mut corpus = Self {
            ids: vec![],
            bounds: vec![0],
            train: vec![],
            held_out: vec![],
        };
        for chunk in texts.chunks(CHUNK) {
            let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
            for tokens in tokenizer.encode(&chunk)? {
                if tokens.ids.iter().any(|&id| !vocabulary.is_special(id)) {
                    corpus.ids.extend(tokens.ids);
                    corpus.bounds.push(corpus.ids.len());
                }
            }
        }
        let n = corpus.len();
        let held_out = n.div_ceil(HELD_OUT).min(MOST_HELD_OUT);
        let key = mix64(seed ^ 0x6865_6c64_206f_7574);
        let mut drawn = order(n, Some(key));
        corpus.train = drawn.split_off(held_out);
        corpus.held_out = drawn;
        // In the order of the files, whatever they were drawn in.
        corpus.train.sort_unstable();
        corpus.held_out.sort_unstable();
        Ok(corpus)
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens of a text, special ones included.
    pub fn text(&self, text: u32) -> &[u32] {
        &self.ids[self.bounds[text as usize]..self.bounds[text as usize + 1]]
    }

    /// The texts to train on.
    pub fn train(&self) -> &[u32] {
        &self.train
    }

    /// The texts held out.
    pub fn held_out(&self) -> &[u32] {
        &self.held_out
    }

    /// How many tokens some texts have.
    pub fn tokens(&self, texts: &[u32]) -> usize {
        texts.iter().map(|&t| self.text(t).len()).sum()
    }

    /// Ties a run to its texts and their tokens.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for &bound in &self.bounds {
            hash.update((bound as u64).to_le_bytes());
        }
        for id in &self.ids {
            hash.update(id.to_le_bytes());
        }
        hex(hash.finalize())
    }
}

/// Cuts masked texts into runs of about `limit` tokens.
pub(crate) fn chunks(texts: &[(Masked, u64)], limit: usize) -> Vec<&[(Masked, u64)]> {
    crate::text::batches(texts, |(text, _)| text.ids.len(), limit, 1)
}
