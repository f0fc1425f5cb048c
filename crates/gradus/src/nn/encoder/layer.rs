//! The two parts of a layer, attention and feed-forward, each with its backward.

use super::{Encoder, PassContext, Site, site};
use crate::families::FeedForward;
use crate::nn::layout::LayerViews;
use gradus_kernels::{
    AttentionInput, Backend, FeedForwardLayers, GateOrder, LayerNormSaved, RowDropout,
};

/// A layer of an encoder in a pass.
pub(crate) struct Layer<'a, B: Backend> {
    pub encoder: &'a Encoder,
    pub pass: PassContext<'a, B>,
    /// Counted from the input.
    pub index: usize,
    /// What all layers add to their scores.
    pub bias: Option<&'a B::Tensor>,
}

/// What attention's backward needs.
pub(crate) struct AttentionSaved<B: Backend> {
    /// As attention takes them: normalised, turned.
    qkv: B::Tensor,
    query_key: Option<LayerNormSaved<B::Tensor>>,
    context: B::Tensor,
    attended: B::Attended,
}

/// What lies between the feed-forward matrices.
pub(crate) enum FeedForwardSaved<B: Backend> {
    Plain(B::FeedForwardSaved),
    Gated {
        order: GateOrder,
        pre: B::Tensor,
        post: B::Tensor,
    },
}

/// Where gradients of parameters go.
pub(crate) struct GradientSink<'g, B: Backend> {
    pub grads: &'g mut B::Arena,
    /// Of the bias that all layers share, where it is learned.
    pub bias: Option<B::Tensor>,
}

/// The gradient of a part's result.
pub(crate) enum Upstream<'t, T> {
    /// And nothing else.
    Alone(&'t T),
    /// Together with that of the residual, to which that of the part's input is
    /// added. `None` means the same as the residual's.
    WithResidual { branch: Option<T>, residual: T },
}

impl<T> Upstream<'_, T> {
    fn dy(&self) -> &T {
        match self {
            Self::Alone(dy) => dy,
            Self::WithResidual { branch, residual } => branch.as_ref().unwrap_or(residual),
        }
    }

    /// What the gradient of the part's input is added to. To be called when the
    /// gradient of its result was used.
    fn onto(self) -> Option<T> {
        match self {
            Self::Alone(_) => None,
            Self::WithResidual { residual, .. } => Some(residual),
        }
    }
}

impl<'a, B: Backend> Layer<'a, B> {
    pub fn views(&self) -> &'a LayerViews {
        &self.encoder.layers[self.index]
    }

    /// Dropout behind attention.
    pub fn attention_out_dropout(&self) -> Option<RowDropout<'a, B>> {
        let site = site(self.index, Site::AttentionOut);
        let dropout = self.encoder.hidden(self.pass.dropout, site);
        self.pass.rows(dropout)
    }

    /// Dropout between the feed-forward matrices and behind them.
    fn feed_forward_dropouts(&self) -> [Option<RowDropout<'a, B>>; 2] {
        let site = site(self.index, Site::Down);
        let dropout = self.encoder.hidden(self.pass.dropout, site);
        let dropout = self.pass.rows(dropout);
        match self.encoder.feed_forward {
            FeedForward::Gated {
                inner_dropout: true,
                ..
            } => [dropout, None],
            _ => [None, dropout],
        }
    }

    /// Dropout behind the feed-forward part.
    pub fn feed_forward_out_dropout(&self) -> Option<RowDropout<'a, B>> {
        self.feed_forward_dropouts()[1]
    }

    /// Queries, keys and values as attention takes them, given their product.
    fn qkv(&self, mut qkv: B::Tensor) -> (B::Tensor, Option<LayerNormSaved<B::Tensor>>) {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        let mut saved = None;
        if let Some(norms) = &views.query_key_norms {
            let (normed, own) = b.query_key_norm(p, norms, &self.encoder.attention, qkv);
            (qkv, saved) = (normed, Some(own));
        }
        if let Some(rotary) = &self.encoder.rotary {
            qkv = b.rotary(rotary, &self.encoder.attention, self.pass.batch, qkv);
        }
        (qkv, saved)
    }

    fn attention_input<'q>(&'q self, qkv: &'q B::Tensor) -> AttentionInput<'q, B> {
        AttentionInput {
            qkv,
            batch: self.pass.batch,
            bias: self.bias,
            dropout: self
                .encoder
                .attention_dropout(self.pass.dropout, self.index),
        }
    }

    /// Attention for inference; where `rows` are given only these rows of it.
    pub fn infer_attention(&self, x: &B::Tensor, rows: Option<&[u32]>) -> B::Tensor {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        let (qkv, _) = self.qkv(b.linear_inferred(p, &views.qkv, x));
        let context = b.attention(&self.encoder.attention, self.attention_input(&qkv));
        drop(qkv);
        b.linear_inferred(p, &views.attention_out, &self.picked(context, rows))
    }

    /// The rows of `x` that are wanted.
    pub fn picked(&self, x: B::Tensor, rows: Option<&[u32]>) -> B::Tensor {
        match rows {
            Some(rows) => self.pass.backend.gather(&x, rows),
            None => x,
        }
    }

    /// Attention for training.
    pub fn attention(&self, x: &B::Tensor) -> (B::Tensor, AttentionSaved<B>) {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        let (qkv, query_key) = self.qkv(b.linear(p, &views.qkv, x));
        let input = self.attention_input(&qkv);
        let (context, attended) = b.attention_kept(&self.encoder.attention, input);
        let out = b.linear(p, &views.attention_out, &context);
        let saved = AttentionSaved {
            qkv,
            query_key,
            context,
            attended,
        };
        (out, saved)
    }

    /// The gradient of attention's input `x`.
    pub fn attention_backward(
        &self,
        saved: AttentionSaved<B>,
        x: &B::Tensor,
        upstream: Upstream<'_, B::Tensor>,
        sink: &mut GradientSink<'_, B>,
    ) -> B::Tensor {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        let spec = &self.encoder.attention;
        let AttentionSaved {
            qkv,
            query_key,
            context,
            attended,
        } = saved;
        let (out, dy) = (&views.attention_out, upstream.dy());
        let d = b.linear_backward(p, out, &context, dy, None, sink.grads);
        let (input, bias) = (self.attention_input(&qkv), sink.bias.as_mut());
        let mut d = b.attention_backward(spec, input, (&context, attended), &d, bias);
        drop((qkv, context));
        if let Some(rotary) = &self.encoder.rotary {
            d = b.rotary_backward(rotary, spec, self.pass.batch, d);
        }
        if let Some((norms, saved)) = views.query_key_norms.zip(query_key) {
            d = b.query_key_norm_backward(p, &norms, spec, saved.as_ref(), d, sink.grads);
        }
        b.linear_backward(p, &views.qkv, x, &d, upstream.onto(), sink.grads)
    }

    /// A feed-forward part that is not gated.
    fn plain(&self) -> FeedForwardLayers {
        let views = self.views();
        FeedForwardLayers {
            up: views.up,
            activation: self.encoder.activation,
            down: views.down,
        }
    }

    /// The feed-forward part for inference.
    pub fn infer_feed_forward(&self, x: &B::Tensor) -> B::Tensor {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        match self.encoder.feed_forward {
            FeedForward::Plain => b.feed_forward(p, &self.plain(), x),
            FeedForward::Gated { order, .. } => {
                let pre = b.linear_inferred(p, &views.up, x);
                let post = b.gated(self.encoder.activation, order, &pre);
                drop(pre);
                b.linear_inferred(p, &views.down, &post)
            }
        }
    }

    /// The feed-forward part for training.
    pub fn feed_forward(&self, x: &B::Tensor) -> (B::Tensor, FeedForwardSaved<B>) {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        match self.encoder.feed_forward {
            FeedForward::Plain => {
                let (down, saved) = b.feed_forward_kept(p, &self.plain(), x);
                (down, FeedForwardSaved::Plain(saved))
            }
            FeedForward::Gated { order, .. } => {
                let pre = b.linear(p, &views.up, x);
                let mut post = b.gated(self.encoder.activation, order, &pre);
                if let [Some(dropout), _] = self.feed_forward_dropouts() {
                    post = b.dropout(post, dropout);
                }
                let down = b.linear(p, &views.down, &post);
                (down, FeedForwardSaved::Gated { order, pre, post })
            }
        }
    }

    /// The gradient of the feed-forward part's input `x`.
    pub fn feed_forward_backward(
        &self,
        saved: FeedForwardSaved<B>,
        x: &B::Tensor,
        upstream: Upstream<'_, B::Tensor>,
        sink: &mut GradientSink<'_, B>,
    ) -> B::Tensor {
        let (b, p, views) = (self.pass.backend, self.pass.params, self.views());
        match saved {
            FeedForwardSaved::Gated { order, pre, post } => {
                let (down, dy) = (&views.down, upstream.dy());
                let mut d = b.linear_backward(p, down, &post, dy, None, sink.grads);
                if let [Some(dropout), _] = self.feed_forward_dropouts() {
                    d = b.dropout(d, dropout);
                }
                let d = b.gated_backward(self.encoder.activation, order, pre, &d);
                b.linear_backward(p, &views.up, x, &d, upstream.onto(), sink.grads)
            }
            FeedForwardSaved::Plain(saved) => {
                let (layers, saved) = (self.plain(), (x, saved));
                let both =
                    |dy, onto| b.feed_forward_backward(p, &layers, saved, dy, onto, sink.grads);
                match upstream {
                    Upstream::Alone(dy) => both(dy, None),
                    Upstream::WithResidual {
                        branch: Some(branch),
                        residual,
                    } => both(&branch, Some(residual)),
                    // One operation cannot read and overwrite the same.
                    Upstream::WithResidual {
                        branch: None,
                        residual,
                    } => {
                        let d = both(&residual, None);
                        b.add(residual, &d)
                    }
                }
            }
        }
    }
}
