//! Stages that leave the encoder alone: its vectors are computed once.

use super::stage::Prepared;
use super::{Observer, check_cancelled};
use crate::model::{EncodeOptions, SentenceEncoder};
use crate::{Embeddings, Result};
use gradus_kernels::Backend;
use std::time::{Duration, Instant};

/// The vectors of every text of a stage.
pub(super) struct Frozen {
    vectors: Embeddings,
}

/// How often a long encoding tells how far it is.
const BETWEEN_NOTES: Duration = Duration::from_secs(15);

impl Frozen {
    pub fn new<B: Backend>(
        stage: &Prepared,
        model: &SentenceEncoder<B>,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let total = stage.texts.len();
        observer.note(&format!(
            "encoding {total} texts once: the encoder is frozen"
        ));
        let mut values = Vec::with_capacity(total * model.dim());
        let mut noted = Instant::now();
        for chunk in stage.texts.chunks(1024) {
            check_cancelled(observer, "encoding the texts of a frozen stage")?;
            let vectors = model.encode_tokens(chunk, EncodeOptions::default());
            values.extend(vectors.into_vec());
            if noted.elapsed() >= BETWEEN_NOTES {
                noted = Instant::now();
                observer.note(&format!(
                    "encoded {} of {total}",
                    values.len() / model.dim()
                ));
            }
        }
        Ok(Self {
            vectors: Embeddings::new(model.dim(), values),
        })
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
