//! What a pass runs on.

use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Backend, RowDropout};

/// A pass of an encoder: on which backend, with which parameters, over which
/// batch.
pub struct PassContext<'a, B: Backend> {
    /// What it runs on.
    pub backend: &'a B,
    /// The parameters.
    pub params: &'a B::Arena,
    /// The batch, on the backend.
    pub batch: &'a B::Batch,
    /// Dropout of a training step; none in inference.
    pub dropout: Option<Dropout>,
}

impl<B: Backend> Clone for PassContext<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for PassContext<'_, B> {}

impl<'a, B: Backend> PassContext<'a, B> {
    /// Inference: without dropout.
    pub fn inference(backend: &'a B, params: &'a B::Arena, batch: &'a B::Batch) -> Self {
        Self {
            backend,
            params,
            batch,
            dropout: None,
        }
    }

    /// The same pass with other dropout.
    pub fn with_dropout(self, dropout: Option<Dropout>) -> Self {
        Self { dropout, ..self }
    }

    /// A site's dropout on the rows of the batch.
    pub(crate) fn rows(&self, dropout: Option<Dropout>) -> Option<RowDropout<'a, B>> {
        let batch = self.batch;
        dropout.map(|dropout| RowDropout { batch, dropout })
    }
}
