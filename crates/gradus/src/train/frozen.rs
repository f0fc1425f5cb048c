//! Stages that leave the encoder alone: its vectors are computed once.

use super::stage::Prepared;
use crate::Embeddings;
use crate::model::{EncodeOptions, SentenceEncoder};
use gradus_kernels::Backend;

/// The vectors of every text of a stage.
pub(super) struct Frozen {
    vectors: Embeddings,
}

impl Frozen {
    pub fn new<B: Backend>(stage: &Prepared, model: &SentenceEncoder<B>) -> Self {
        Self {
            vectors: model.encode_tokens(&stage.texts, EncodeOptions::default()),
        }
    }

    /// The vectors of some texts.
    pub fn gather(&self, texts: &[u32]) -> Embeddings {
        let rows = texts
            .iter()
            .flat_map(|&t| self.vectors.row(t as usize))
            .copied();
        Embeddings::new(self.vectors.dim(), rows.collect())
    }
}
