//! A training pass of the whole sentence encoder, forward and back.

use super::{Batch, SentenceEncoder};
use crate::Embeddings;
use crate::nn::encoder::{Activations, PassContext};
use gradus_kernels::Backend;
use gradus_kernels::dropout::Dropout;

/// A training forward pass of the whole sentence encoder.
pub struct ForwardState<B: Backend> {
    passed: Passed<B>,
    embeddings: Embeddings,
}

/// The same, all of it on the device.
pub(crate) struct Passed<B: Backend> {
    batch: B::Batch,
    /// The sequence of each text's bare template; see [`Batch`].
    biases: Vec<u32>,
    dropout: Option<Dropout>,
    tokens: Activations<B>,
    /// Input and pre-activation of each Dense module.
    dense: Vec<(B::Tensor, B::Tensor)>,
    /// What was normalised.
    pooled: Option<B::Tensor>,
    /// `[texts, width]`, not truncated.
    vectors: B::Tensor,
}

impl<B: Backend> Passed<B> {
    /// One vector per text of the batch.
    pub fn vectors(&self) -> &B::Tensor {
        &self.vectors
    }
}

impl<B: Backend> ForwardState<B> {
    /// One vector per text of the batch.
    pub fn embeddings(&self) -> &Embeddings {
        &self.embeddings
    }
}

impl<B: Backend> SentenceEncoder<B> {
    /// A forward pass for training, with dropout where it is given.
    pub fn forward(&self, batch: impl Into<Batch>, dropout: Option<Dropout>) -> ForwardState<B> {
        self.on_host(self.pass(batch, dropout))
    }

    /// The same with vectors that stay on the device.
    pub(crate) fn pass(&self, batch: impl Into<Batch>, dropout: Option<Dropout>) -> Passed<B> {
        let batch = batch.into();
        self.backend.enter(|| self.pass_here(batch, dropout))
    }

    /// Waits for a pass, and copies its vectors from the device.
    pub(crate) fn on_host(&self, passed: Passed<B>) -> ForwardState<B> {
        let values = self.backend.enter(|| self.backend.read(&passed.vectors));
        ForwardState {
            passed,
            embeddings: Embeddings::new(self.dim(), self.truncated(values)),
        }
    }

    fn pass_here(&self, batch: Batch, dropout: Option<Dropout>) -> Passed<B> {
        let (b, p) = (&*self.backend, &self.params);
        let Batch { packed, biases } = batch;
        let batch = b.training_batch(packed);
        let pass = PassContext::inference(b, p, &batch).with_dropout(dropout);
        let tokens = self.encoder.forward(pass);
        let pooled = self.pool(b, &batch, tokens.output(), self.unpooled);
        let mut x = Batch::subtract(b, &biases, pooled);
        let mut saved = vec![];
        for (dense, views) in self.dense() {
            let (pre, out) = b.linear_activated(p, &views.linear, dense.activation, &x);
            let out = match (dense.residual, &views.residual) {
                (false, _) => out,
                (true, None) => b.add(out, &x),
                (true, Some(second)) => b.add(out, &b.linear(p, second, &x)),
            };
            saved.push((std::mem::replace(&mut x, out), pre));
        }
        let dense = saved;
        let (pooled, vectors) = match self.folder.modules.normalize {
            true => {
                let unit = b.normalize(&x);
                (Some(x), unit)
            }
            false => (None, x),
        };
        Passed {
            batch,
            biases,
            dropout,
            tokens,
            dense,
            pooled,
            vectors,
        }
    }

    /// Adds every parameter's gradient to `grads`, given that of the
    /// embeddings, `[texts, dim]`.
    pub fn backward(&self, state: ForwardState<B>, gradient: &[f32], grads: &mut B::Arena) {
        self.backend.enter(|| {
            let (b, rows) = (&*self.backend, state.embeddings.rows());
            let d = match self.is_truncated() {
                false => b.tensor(rows, self.dim(), gradient),
                true => {
                    let gradient = self.truncated_backward(gradient);
                    b.tensor(rows, gradient.len() / rows.max(1), &gradient)
                }
            };
            self.backward_here(state.passed, d, grads);
        });
    }

    /// Whether vectors are cut to less than their width.
    pub(crate) fn is_truncated(&self) -> bool {
        let modules = &self.folder.modules;
        self.dim() != modules.whole_width(self.folder.config.hidden_size)
    }

    /// The same from a gradient on the device, of vectors that are not truncated.
    pub(crate) fn backward_from(
        &self,
        passed: Passed<B>,
        gradient: B::Tensor,
        grads: &mut B::Arena,
    ) {
        self.backend
            .enter(|| self.backward_here(passed, gradient, grads));
    }

    fn backward_here(&self, passed: Passed<B>, mut d: B::Tensor, grads: &mut B::Arena) {
        let (b, p) = (&*self.backend, &self.params);
        let Passed {
            batch,
            biases,
            dropout,
            tokens,
            dense,
            pooled,
            vectors: _,
        } = passed;
        if let Some(pooled) = &pooled {
            d = b.normalize_backward(pooled, &d);
        }
        for ((layer, views), (x, pre)) in self.dense().zip(&dense).rev() {
            let onto = match (layer.residual, &views.residual) {
                (false, _) => None,
                (true, None) => Some(b.copy(&d)),
                (true, Some(second)) => Some(b.linear_backward(p, second, x, &d, None, grads)),
            };
            let slope = b.activation_backward(layer.activation, pre, d);
            d = b.linear_backward(p, &views.linear, x, &slope, onto, grads);
        }
        let sequences = b.packed(&batch).sequences();
        let d = Batch::subtract_backward(b, (&biases, sequences), d);
        let d = self.pool_backward(b, &batch, tokens.output(), d);
        let pass = PassContext::inference(b, p, &batch).with_dropout(dropout);
        self.encoder.backward(pass, tokens, d, grads);
    }

    /// The gradient of whole vectors, given that of truncated ones.
    fn truncated_backward(&self, gradient: &[f32]) -> Vec<f32> {
        let modules = &self.folder.modules;
        let whole = modules.whole_width(self.folder.config.hidden_size);
        let mut wide = Vec::with_capacity(gradient.len() / self.dim().max(1) * whole);
        for row in gradient.chunks_exact(self.dim()) {
            wide.extend_from_slice(row);
            wide.resize(wide.len() + whole - row.len(), 0.0);
        }
        wide
    }
}
