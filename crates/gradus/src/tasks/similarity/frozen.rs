//! Stages that leave the encoder alone: its vectors are computed once.

use super::stage::Prepared;
use crate::models::{EncodeOptions, SentenceEncoder};
use crate::text::Tokens;
use crate::util::{Observer, check_cancelled};
use crate::{Embeddings, Result};
use gradus_kernels::Backend;

/// The vectors of the texts that a stage's steps will see.
pub(crate) struct Frozen {
    vectors: Embeddings,
    /// The row of each text, by its number.
    rows: Vec<u32>,
}

impl Frozen {
    pub fn new<B: Backend>(
        stage: &Prepared,
        model: &SentenceEncoder<B>,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        const WHAT: &str = "frozen encoder: encoding";
        let total = stage.encoded.len() as u64;
        let mut values = Vec::with_capacity(stage.encoded.len() * model.dim());
        let mut rows = vec![u32::MAX; stage.texts.len()];
        let mut done = 0;
        observer.progress(WHAT, done, total);
        for chunk in stage.encoded.chunks(1024) {
            check_cancelled(observer, "encoding the texts of a frozen stage")?;
            let tokens: Vec<Tokens> = chunk
                .iter()
                .map(|&text| stage.texts[text as usize].clone())
                .collect();
            let vectors = model.encode_tokens(&tokens, EncodeOptions::default());
            values.extend(vectors.into_vec());
            for (&text, row) in chunk.iter().zip(done as u32..) {
                rows[text as usize] = row;
            }
            done += chunk.len() as u64;
            observer.progress(WHAT, done, total);
        }
        Ok(Self {
            vectors: Embeddings::new(model.dim(), values),
            rows,
        })
    }

    /// The vectors of some texts.
    pub fn gather(&self, texts: &[u32]) -> Embeddings {
        let rows = texts
            .iter()
            .flat_map(|&t| self.vectors.row(self.rows[t as usize] as usize))
            .copied();
        Embeddings::new(self.vectors.dim(), rows.collect())
    }
}
