//! An encoder whose sequences begin with vectors from elsewhere.

use super::encoder::{Activations, Encoder, PassContext};
use gradus_kernels::Backend;

impl Encoder {
    /// As [`Encoder::forward`], with the embedding of each sequence's first
    /// token, after layer norm and dropout, replaced by a row of `first`,
    /// `[sequences, hidden]`. No sequence may be empty.
    pub fn forward_with_first<B: Backend>(
        &self,
        pass: PassContext<'_, B>,
        first: &B::Tensor,
    ) -> Activations<B> {
        let (backend, mut embedded) = (pass.backend, self.embed(pass));
        let rows = backend.packed(pass.batch).first_rows();
        embedded.out = backend.replace_rows(embedded.out, &rows, first);
        self.forward_from(pass, embedded)
    }

    /// As [`Encoder::backward`] for [`Encoder::forward_with_first`]; returns the
    /// gradient of the rows that were given.
    pub fn backward_with_first<B: Backend>(
        &self,
        pass: PassContext<'_, B>,
        activations: Activations<B>,
        dy: B::Tensor,
        grads: &mut B::Arena,
    ) -> B::Tensor {
        let (embedded, dy) = self.layers_backward(pass, activations, dy, grads);
        let backend = pass.backend;
        let rows = backend.packed(pass.batch).first_rows();
        let first = backend.gather(&dy, &rows);
        let (count, width) = backend.shape(&first);
        let zeros = backend.zeros(count, width);
        let dy = backend.replace_rows(dy, &rows, &zeros);
        self.embed_backward(pass, &embedded, dy, grads);
        first
    }
}
