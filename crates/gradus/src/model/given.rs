//! An encoder whose sequences begin with vectors from elsewhere.

use super::encoder::{Activations, Encoder};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Backend, Packed};

impl Encoder {
    /// As [`Encoder::forward`], with the embedding of each sequence's first
    /// token, after layer norm and dropout, replaced by a row of `first`,
    /// `[sequences, hidden]`. No sequence may be empty.
    pub fn forward_given<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        first: &B::Tensor,
        dropout: Option<Dropout>,
    ) -> Activations<B> {
        let mut embedded = self.embed(backend, params, batch, dropout);
        embedded.out = backend.replace_rows(embedded.out, &batch.first_rows(), first);
        self.forward_from(backend, params, batch, embedded, dropout)
    }

    /// As [`Encoder::backward`] for [`Encoder::forward_given`]; returns the
    /// gradient of the rows that were given.
    pub fn backward_given<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        activations: Activations<B>,
        dy: B::Tensor,
        grads: &mut B::Arena,
    ) -> B::Tensor {
        let (embedded, dropout, dy) =
            self.layers_backward(backend, params, batch, activations, dy, grads);
        let rows = batch.first_rows();
        let first = backend.gather(&dy, &rows);
        let (count, width) = backend.shape(&first);
        let zeros = backend.tensor(count, width, &vec![0.0; count * width]);
        let dy = backend.replace_rows(dy, &rows, &zeros);
        self.embed_backward(backend, params, batch, &embedded, dropout, dy, grads);
        first
    }
}
