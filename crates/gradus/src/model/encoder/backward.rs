//! The encoder's backward pass, layer by layer.

use super::{Activations, Bias, Encoder, Inner, LayerActivations, Site, site};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{Backend, DistanceBias, Normed, Packed};

impl Encoder {
    /// Adds the gradient of every parameter to `grads`, given that of the
    /// output, `[tokens, hidden]`. Consumes the activations, layer by layer.
    pub fn backward<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        activations: Activations<B>,
        dy: B::Tensor,
        grads: &mut B::Arena,
    ) {
        let (embedded, dropout, dy) =
            self.layers_backward(backend, params, batch, activations, dy, grads);
        self.embed_backward(backend, params, batch, &embedded, dropout, dy, grads);
    }

    /// Back to the embeddings: what was kept of them, and their gradient.
    pub(in crate::model) fn layers_backward<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        activations: Activations<B>,
        mut dy: B::Tensor,
        grads: &mut B::Arena,
    ) -> (Normed<B::Tensor>, Option<Dropout>, B::Tensor) {
        let Activations {
            embedded,
            bias,
            mut layers,
            dropout,
        } = activations;
        let mut bias = bias.map(|bias| self.with_gradient(backend, bias));
        for i in (0..self.layers.len()).rev() {
            let Some(saved) = layers.pop() else { break };
            let x = layers.last().map_or(&embedded.out, |l| &l.out.out);
            let pass = (x, bias.as_mut());
            dy = self.layer_backward(backend, params, batch, i, saved, pass, dropout, dy, grads);
        }
        let gradient = bias.as_ref().and_then(|b| b.gradient.as_ref());
        if let (Some(kind), Some(gradient)) = (&self.distance_bias, gradient) {
            backend.distance_bias_backward(kind, batch, gradient, grads);
        }
        (embedded, dropout, dy)
    }

    #[allow(clippy::too_many_arguments)] // the state of one step of a backward pass
    pub(in crate::model) fn embed_backward<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        embedded: &Normed<B::Tensor>,
        dropout: Option<Dropout>,
        mut dy: B::Tensor,
        grads: &mut B::Arena,
    ) {
        if let Some(dropout) = self.hidden(dropout, 0) {
            dy = backend.dropout(batch, dy, dropout);
        }
        let norm = &self.embedding_norm;
        let (dsum, _) =
            backend.add_layer_norm_backward(params, norm, batch, &embedded.kept, &dy, None, grads);
        backend.embed_backward(&self.embeddings, batch, &dsum, grads);
    }

    /// A bias and, where it is learned, room for its gradient.
    fn with_gradient<B: Backend>(&self, backend: &B, values: B::Tensor) -> Bias<B> {
        let (rows, cols) = backend.shape(&values);
        let learned = matches!(self.distance_bias, Some(DistanceBias::Learned { .. }));
        let zeros = learned.then(|| backend.tensor(rows, cols, &vec![0.0; rows * cols]));
        Bias {
            values,
            gradient: zeros,
        }
    }

    #[allow(clippy::too_many_arguments)] // the state of one step of a backward pass
    fn layer_backward<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        i: usize,
        saved: LayerActivations<B>,
        (x, bias): (&B::Tensor, Option<&mut Bias<B>>),
        dropout: Option<Dropout>,
        dy: B::Tensor,
        grads: &mut B::Arena,
    ) -> B::Tensor {
        let views = &self.layers[i];
        let (inner_dropout, drop) = self.feed_forward_dropout(dropout, i);
        let (residual, branch) = backend.add_layer_norm_backward(
            params,
            &views.out_norm,
            batch,
            &saved.out.kept,
            &dy,
            drop,
            grads,
        );
        let branch = branch.as_ref().unwrap_or(&residual);
        let x_inner = &saved.attention.out;
        let d = match saved.inner {
            Inner::Gated { order, pre, post } => {
                let mut d = backend.linear_backward(params, &views.down, &post, branch, grads);
                if let Some(dropout) = inner_dropout {
                    d = backend.dropout(batch, d, dropout);
                }
                let d = backend.gated_backward(self.activation, order, pre, &d);
                backend.linear_backward(params, &views.up, x_inner, &d, grads)
            }
            Inner::Plain(inner) => {
                let (layers, saved) = (self.plain(views), (x_inner, inner));
                backend.feed_forward_backward(params, &layers, saved, branch, grads)
            }
        };
        let dy = backend.add(residual, &d);
        let again = views
            .second_attention_norm
            .zip(saved.second)
            .map(|(norm, kept)| {
                let dy =
                    backend.add_layer_norm_backward(params, &norm, batch, &kept, &dy, None, grads);
                dy.0
            });
        let dy = again.as_ref().unwrap_or(&dy);
        let drop = self.hidden(dropout, site(i, Site::AttentionOut));
        let (residual, branch) = backend.add_layer_norm_backward(
            params,
            &views.attention_norm,
            batch,
            &saved.attention.kept,
            dy,
            drop,
            grads,
        );
        let branch = branch.as_ref().unwrap_or(&residual);
        let d =
            backend.linear_backward(params, &views.attention_out, &saved.context, branch, grads);
        let drop = self.attention(dropout, i);
        let (bias, dbias) = match bias {
            Some(bias) => (Some(&bias.values), bias.gradient.as_mut()),
            None => (None, None),
        };
        let qkv = &saved.qkv;
        let mut d = backend.attention_backward(qkv, batch, self.heads, bias, drop, &d, dbias);
        if let Some(rotary) = &self.rotary {
            d = backend.rotary_backward(rotary, batch, self.heads, d);
        }
        if let Some((norms, kept)) = views.query_key_norms.zip(saved.query_key) {
            d = backend.query_key_norm_backward(params, &norms, &kept, d, grads);
        }
        let d = backend.linear_backward(params, &views.qkv, x, &d, grads);
        let dx = backend.add(residual, &d);
        match again {
            Some(dsum) => backend.add(dx, &dsum),
            None => dx,
        }
    }
}
