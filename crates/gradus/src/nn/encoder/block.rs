//! How a layer's parts, residuals and norms go together.

use super::layer::{AttentionSaved, FeedForwardSaved, GradientSink, Layer, Upstream};
use gradus_kernels::{Backend, LayerNormOutput, LayerNormSaved, NormSpec, RowDropout};

/// Where the norms of a layer stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Block {
    /// Behind each sum of residual and part, as in BERT (Vaswani et al. 2017).
    PostNorm,
    /// Before each part; the sums themselves go on, and a last norm stands behind
    /// all layers (Xiong et al. 2020).
    PreNorm {
        /// The last one.
        final_norm: NormSpec,
    },
}

/// What a layer's backward needs, and its result.
pub(crate) enum LayerSaved<B: Backend> {
    PostNorm {
        attention: AttentionSaved<B>,
        /// The feed-forward part's input: the output of the second norm behind
        /// attention where there is one.
        middle: LayerNormOutput<B::Tensor>,
        second: Option<LayerNormSaved<B::Tensor>>,
        feed_forward: FeedForwardSaved<B>,
        out: LayerNormOutput<B::Tensor>,
    },
    PreNorm {
        first: LayerNormOutput<B::Tensor>,
        attention: AttentionSaved<B>,
        second: LayerNormOutput<B::Tensor>,
        feed_forward: FeedForwardSaved<B>,
        out: B::Tensor,
    },
}

impl<B: Backend> LayerSaved<B> {
    /// The layer's result.
    pub fn out(&self) -> &B::Tensor {
        match self {
            Self::PostNorm { out, .. } => &out.out,
            Self::PreNorm { out, .. } => out,
        }
    }
}

impl<B: Backend> Layer<'_, B> {
    /// The layer's result for inference. Where `rows` are given only these rows of
    /// it: keys and values are of all tokens, and all behind attention works row by
    /// row, so that the bits are those of the whole result.
    pub fn infer(&self, x: B::Tensor, rows: Option<&[u32]>) -> B::Tensor {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        match self.encoder.block {
            Block::PostNorm => {
                let mixed = self.infer_attention(&x, rows);
                let x = self.picked(x, rows);
                let mut middle = b.norm_inferred(p, &views.attention_norm, mixed, Some(&x));
                if let Some(norm) = &views.second_attention_norm {
                    middle = b.norm_inferred(p, norm, middle, Some(&x));
                }
                let down = self.infer_feed_forward(&middle);
                b.norm_inferred(p, &views.out_norm, down, Some(&middle))
            }
            Block::PreNorm { .. } => {
                let first = b.norm_inferred(p, &views.attention_norm, b.copy(&x), None);
                let mixed = self.infer_attention(&first, rows);
                drop(first);
                let x = b.add(self.picked(x, rows), &mixed);
                let second = b.norm_inferred(p, &views.out_norm, b.copy(&x), None);
                b.add(x, &self.infer_feed_forward(&second))
            }
        }
    }

    /// The layer for training.
    pub fn forward(&self, x: &B::Tensor) -> LayerSaved<B> {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        match self.encoder.block {
            Block::PostNorm => {
                let (mixed, attention) = self.attention(x);
                let dropout = self.attention_out_dropout();
                let (middle, second) = self.behind_attention(mixed, x, dropout);
                let (down, feed_forward) = self.feed_forward(&middle.out);
                let (norm, residual) = (&views.out_norm, Some(&middle.out));
                let dropout = self.feed_forward_out_dropout();
                let out = b.add_norm(p, norm, down, residual, dropout);
                LayerSaved::PostNorm {
                    attention,
                    middle,
                    second,
                    feed_forward,
                    out,
                }
            }
            Block::PreNorm { .. } => {
                let first = b.norm_of(p, &views.attention_norm, x);
                let (mixed, attention) = self.attention(&first.out);
                let sum = b.add(self.dropped(mixed, self.attention_out_dropout()), x);
                let second = b.norm_of(p, &views.out_norm, &sum);
                let (down, feed_forward) = self.feed_forward(&second.out);
                let out = b.add(self.dropped(down, self.feed_forward_out_dropout()), &sum);
                LayerSaved::PreNorm {
                    first,
                    attention,
                    second,
                    feed_forward,
                    out,
                }
            }
        }
    }

    /// The gradient of the layer's input `x`.
    pub fn backward(
        &self,
        saved: LayerSaved<B>,
        x: &B::Tensor,
        dy: B::Tensor,
        sink: &mut GradientSink<'_, B>,
    ) -> B::Tensor {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        match saved {
            LayerSaved::PostNorm {
                attention,
                middle,
                second,
                feed_forward,
                out,
            } => {
                let dropout = self.feed_forward_out_dropout();
                let up = self.behind(&views.out_norm, &out.saved, &dy, dropout, sink);
                drop((out, dy));
                let dy = self.feed_forward_backward(feed_forward, &middle.out, up, sink);
                let again = views.second_attention_norm.zip(second);
                let again = again.map(|(norm, saved)| {
                    b.add_norm_backward(p, &norm, saved.as_ref(), &dy, None, sink.grads)
                        .0
                });
                let (norm, dy) = (&views.attention_norm, again.as_ref().unwrap_or(&dy));
                let dropout = self.attention_out_dropout();
                let up = self.behind(norm, &middle.saved, dy, dropout, sink);
                let dx = self.attention_backward(attention, x, up, sink);
                match again {
                    Some(dsum) => b.add(dx, &dsum),
                    None => dx,
                }
            }
            LayerSaved::PreNorm {
                first,
                attention,
                second,
                feed_forward,
                ..
            } => {
                let branch = self.branch(&dy, self.feed_forward_out_dropout());
                let up = Upstream::Alone(branch.as_ref().unwrap_or(&dy));
                let d = self.feed_forward_backward(feed_forward, &second.out, up, sink);
                let (norm, saved) = (&views.out_norm, &second.saved);
                let d = b
                    .add_norm_backward(p, norm, saved.as_ref(), &d, None, sink.grads)
                    .0;
                let dsum = b.add(dy, &d);
                let branch = self.branch(&dsum, self.attention_out_dropout());
                let up = Upstream::Alone(branch.as_ref().unwrap_or(&dsum));
                let d = self.attention_backward(attention, &first.out, up, sink);
                let (norm, saved) = (&views.attention_norm, &first.saved);
                let d = b
                    .add_norm_backward(p, norm, saved.as_ref(), &d, None, sink.grads)
                    .0;
                b.add(dsum, &d)
            }
        }
    }

    /// The sum of a layer's input `x` and what attention makes of it, through one
    /// norm, or summed with `x` again and through a second; what is saved of
    /// that.
    fn behind_attention(
        &self,
        mixed: B::Tensor,
        x: &B::Tensor,
        dropout: Option<RowDropout<'_, B>>,
    ) -> (
        LayerNormOutput<B::Tensor>,
        Option<LayerNormSaved<B::Tensor>>,
    ) {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        let first = b.add_norm(p, &views.attention_norm, mixed, Some(x), dropout);
        let Some(norm) = &views.second_attention_norm else {
            return (first, None);
        };
        let second = b.add_norm(p, norm, first.out, Some(x), None);
        let (out, saved) = (second.out, first.saved);
        (LayerNormOutput { out, saved }, Some(second.saved))
    }

    /// The gradients in front of a norm behind a sum.
    fn behind(
        &self,
        norm: &NormSpec,
        saved: &LayerNormSaved<B::Tensor>,
        dy: &B::Tensor,
        dropout: Option<RowDropout<'_, B>>,
        sink: &mut GradientSink<'_, B>,
    ) -> Upstream<'static, B::Tensor> {
        let (b, p) = (self.pass.backend, self.pass.params);
        let back = b.add_norm_backward(p, norm, saved.as_ref(), dy, dropout, sink.grads);
        let (residual, branch) = back;
        Upstream::WithResidual { branch, residual }
    }

    fn dropped(&self, x: B::Tensor, dropout: Option<RowDropout<'_, B>>) -> B::Tensor {
        match dropout {
            Some(dropout) => self.pass.backend.dropout(x, dropout),
            None => x,
        }
    }

    /// The gradient in front of dropout, where there was one.
    fn branch(&self, dy: &B::Tensor, dropout: Option<RowDropout<'_, B>>) -> Option<B::Tensor> {
        let b = self.pass.backend;
        dropout.map(|dropout| b.dropout(b.copy(dy), dropout))
    }
}
