//! Answers that were given before. Answers are exact, so that one may stand for another
//! computation of the same.

use crate::model::{Ask, ServedModel};
use gradus::text::Tokens;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use std::sync::Arc;

type Key = [u8; 32];

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<[f32]>> for Bytes {
    fn weight(&self, _: &Key, values: &Arc<[f32]>) -> u64 {
        // The entry itself, its key and the counts beside it.
        (4 * values.len() + 128) as u64
    }
}

/// Values by the hash of model, input and what was asked.
pub(crate) struct AnswerCache(Cache<Key, Arc<[f32]>, Bytes>);

impl AnswerCache {
    /// Of at most so many bytes; none where that is 0.
    pub fn new(bytes: usize) -> Option<Self> {
        let items = bytes / 1024 + 1;
        (bytes > 0).then(|| Self(Cache::with_weighter(items, bytes as u64, Bytes)))
    }

    /// The key of an input.
    pub fn key(model: &ServedModel, ask: Ask, tokens: &Tokens) -> Key {
        let mut hash = Sha256::new();
        hash.update(model.hash.as_bytes());
        let (kind, unpooled) = match ask {
            Ask::Vector { unpooled } => (0u8, unpooled),
            Ask::TokenVectors => (1, 0),
            Ask::Logits => (2, 0),
        };
        hash.update([kind]);
        hash.update((unpooled as u64).to_le_bytes());
        hash.update((tokens.ids.len() as u64).to_le_bytes());
        for id in tokens.ids.iter().chain(&tokens.segments) {
            hash.update(id.to_le_bytes());
        }
        if let Some(frame) = &tokens.frame {
            for place in [frame.mask, frame.text.start, frame.text.end, frame.gap] {
                hash.update((place as u64).to_le_bytes());
            }
        }
        hash.finalize().into()
    }

    pub fn get(&self, key: &Key) -> Option<Arc<[f32]>> {
        self.0.get(key)
    }

    pub fn put(&self, key: Key, values: &[f32]) {
        self.0.insert(key, values.into());
    }
}
