mod backward;

use super::{EncoderConfig, FeedForward, Layout, Positions};
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{
    Activation, Backend, DistanceBias, EmbeddingTables, FeedForwardLayers, GateOrder, LayerNorm,
    Normed, Packed, Rotary, Standardized,
};

use super::layout::LayerViews;

/// A BERT-like transformer encoder (post-norm): packed tokens in, one vector
/// per token out. Families differ in how they know positions and in the
/// feed-forward part.
///
/// Written once over [`Backend`]; holds no weights, only where they are.
#[derive(Debug, Clone)]
pub struct Encoder {
    embeddings: EmbeddingTables,
    embedding_norm: LayerNorm,
    layers: Vec<LayerViews>,
    heads: usize,
    rotary: Option<Rotary>,
    distance_bias: Option<DistanceBias>,
    feed_forward: FeedForward,
    activation: Activation,
    hidden_dropout: f32,
    attention_dropout: f32,
}

/// What [`Encoder::backward`] needs of a forward pass.
pub struct Activations<B: Backend> {
    embedded: Normed<B::Tensor>,
    bias: Option<B::Tensor>,
    layers: Vec<LayerActivations<B>>,
    dropout: Option<Dropout>,
}

struct LayerActivations<B: Backend> {
    /// As attention takes them: normalised, turned.
    qkv: B::Tensor,
    query_key: Option<Standardized<B::Tensor>>,
    context: B::Tensor,
    /// Its output is that of the second norm where there is one.
    attention: Normed<B::Tensor>,
    second: Option<Standardized<B::Tensor>>,
    inner: Inner<B>,
    out: Normed<B::Tensor>,
}

/// What lies between the feed-forward matrices.
enum Inner<B: Backend> {
    Plain(B::Inner),
    Gated {
        order: GateOrder,
        pre: B::Tensor,
        post: B::Tensor,
    },
}

/// The bias that all layers share and, where it is learned, its gradient.
struct Bias<B: Backend> {
    values: B::Tensor,
    gradient: Option<B::Tensor>,
}

/// Dropout sites: the embeddings are site 0, each layer has these three.
enum Site {
    Attention,
    AttentionOut,
    Down,
}

fn site(layer: usize, site: Site) -> u32 {
    1 + 3 * layer as u32 + site as u32
}

impl Encoder {
    /// The encoder that `config` describes, on parameters laid out by `layout`.
    pub fn new(config: &EncoderConfig, layout: &Layout) -> Self {
        Self {
            embeddings: layout.embeddings,
            embedding_norm: layout.embedding_norm,
            layers: layout.layers.clone(),
            heads: config.heads,
            rotary: match config.positions {
                Positions::Rotary(rotary) => Some(rotary),
                _ => None,
            },
            distance_bias: layout.distance_bias,
            feed_forward: config.feed_forward,
            activation: config.activation,
            hidden_dropout: config.hidden_dropout,
            attention_dropout: config.attention_dropout,
        }
    }

    /// Replaces the configured dropout probabilities.
    pub fn set_dropout(&mut self, hidden: f32, attention: f32) {
        (self.hidden_dropout, self.attention_dropout) = (hidden, attention);
    }

    fn hidden(&self, dropout: Option<Dropout>, site: u32) -> Option<Dropout> {
        let dropout = dropout.filter(|_| self.hidden_dropout > 0.0)?;
        Some(dropout.at(site, self.hidden_dropout))
    }

    /// Dropout between the feed-forward matrices and behind them.
    fn feed_forward_dropout(
        &self,
        dropout: Option<Dropout>,
        layer: usize,
    ) -> (Option<Dropout>, Option<Dropout>) {
        let dropout = self.hidden(dropout, site(layer, Site::Down));
        match self.feed_forward {
            FeedForward::Gated {
                inner_dropout: true,
                ..
            } => (dropout, None),
            _ => (None, dropout),
        }
    }

    fn attention(&self, dropout: Option<Dropout>, layer: usize) -> Option<Dropout> {
        let dropout = dropout.filter(|_| self.attention_dropout > 0.0)?;
        Some(dropout.at(site(layer, Site::Attention), self.attention_dropout))
    }

    /// The last layer's token vectors, `[tokens, hidden]`.
    pub fn infer<B: Backend>(&self, backend: &B, params: &B::Arena, batch: &Packed) -> B::Tensor {
        let mut x = self.embed(backend, params, batch, None).out;
        let bias = self.bias(backend, params, batch);
        for views in &self.layers {
            let (qkv, _) = self.qkv(backend, params, batch, views, &x);
            let context = backend.attention(&qkv, batch, self.heads, bias.as_ref(), None);
            drop(qkv);
            let mixed = backend.linear(params, &views.attention_out, &context);
            drop(context);
            let (attention, _) = self.attended(backend, params, batch, views, mixed, &x, None);
            let attention = attention.out;
            let down = self.fed_forward(backend, params, views, &attention);
            let (norm, residual) = (&views.out_norm, Some(&attention));
            let out = backend.add_layer_norm(params, norm, batch, down, residual, None);
            x = out.out;
        }
        x
    }

    /// The same for training: with dropout where it is given, and keeping what
    /// [`Encoder::backward`] needs. The result is [`Activations::output`].
    pub fn forward<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        dropout: Option<Dropout>,
    ) -> Activations<B> {
        let embedded = self.embed(backend, params, batch, dropout);
        self.forward_from(backend, params, batch, embedded, dropout)
    }

    /// The layers, on embeddings.
    pub(super) fn forward_from<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        embedded: Normed<B::Tensor>,
        dropout: Option<Dropout>,
    ) -> Activations<B> {
        let bias = self.bias(backend, params, batch);
        let mut layers: Vec<LayerActivations<B>> = Vec::with_capacity(self.layers.len());
        for i in 0..self.layers.len() {
            let x = layers.last().map_or(&embedded.out, |l| &l.out.out);
            let layer = self.layer(backend, params, batch, i, x, bias.as_ref(), dropout);
            layers.push(layer);
        }
        Activations {
            embedded,
            bias,
            layers,
            dropout,
        }
    }

    /// What all layers add to their scores.
    fn bias<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
    ) -> Option<B::Tensor> {
        let bias = self.distance_bias?;
        Some(backend.distance_bias(params, &bias, batch, self.heads))
    }

    /// Queries, keys and values as attention takes them.
    fn qkv<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        views: &LayerViews,
        x: &B::Tensor,
    ) -> (B::Tensor, Option<Standardized<B::Tensor>>) {
        let (mut qkv, mut kept) = (backend.linear(params, &views.qkv, x), None);
        if let Some(norms) = &views.query_key_norms {
            let (normed, own) = backend.query_key_norm(params, norms, qkv);
            (qkv, kept) = (normed, Some(own));
        }
        if let Some(rotary) = &self.rotary {
            qkv = backend.rotary(rotary, batch, self.heads, qkv);
        }
        (qkv, kept)
    }

    /// The sum of a layer's input `x` and what attention makes of it, through one
    /// norm, or summed with `x` again and through a second; what is kept of that.
    #[allow(clippy::too_many_arguments)] // the state of one step of a forward pass
    fn attended<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        views: &LayerViews,
        mixed: B::Tensor,
        x: &B::Tensor,
        dropout: Option<Dropout>,
    ) -> (Normed<B::Tensor>, Option<Standardized<B::Tensor>>) {
        let norm = &views.attention_norm;
        let first = backend.add_layer_norm(params, norm, batch, mixed, Some(x), dropout);
        let Some(norm) = &views.second_attention_norm else {
            return (first, None);
        };
        let second = backend.add_layer_norm(params, norm, batch, first.out, Some(x), None);
        let kept = first.kept;
        let out = second.out;
        (Normed { out, kept }, Some(second.kept))
    }

    /// A feed-forward part that is not gated.
    fn plain(&self, views: &LayerViews) -> FeedForwardLayers {
        FeedForwardLayers {
            up: views.up,
            activation: self.activation,
            down: views.down,
        }
    }

    /// The feed-forward part for inference.
    fn fed_forward<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        views: &LayerViews,
        x: &B::Tensor,
    ) -> B::Tensor {
        match self.feed_forward {
            FeedForward::Plain => backend.feed_forward(params, &self.plain(views), x),
            FeedForward::Gated { order, .. } => {
                let pre = backend.linear(params, &views.up, x);
                let post = backend.gated(self.activation, order, &pre);
                drop(pre);
                backend.linear(params, &views.down, &post)
            }
        }
    }

    pub(super) fn embed<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        dropout: Option<Dropout>,
    ) -> Normed<B::Tensor> {
        let sum = backend.embed(params, &self.embeddings, batch);
        let mut normed =
            backend.add_layer_norm(params, &self.embedding_norm, batch, sum, None, None);
        if let Some(dropout) = self.hidden(dropout, 0) {
            normed.out = backend.dropout(batch, normed.out, dropout);
        }
        normed
    }

    #[allow(clippy::too_many_arguments)] // the state of one step of a forward pass
    fn layer<B: Backend>(
        &self,
        backend: &B,
        params: &B::Arena,
        batch: &Packed,
        i: usize,
        x: &B::Tensor,
        bias: Option<&B::Tensor>,
        dropout: Option<Dropout>,
    ) -> LayerActivations<B> {
        let views = &self.layers[i];
        let (qkv, query_key) = self.qkv(backend, params, batch, views, x);
        let drop = self.attention(dropout, i);
        let context = backend.attention(&qkv, batch, self.heads, bias, drop);
        let mixed = backend.linear(params, &views.attention_out, &context);
        let drop = self.hidden(dropout, site(i, Site::AttentionOut));
        let (attention, second) = self.attended(backend, params, batch, views, mixed, x, drop);
        let (inner_dropout, drop) = self.feed_forward_dropout(dropout, i);
        let (down, inner) = match self.feed_forward {
            FeedForward::Plain => {
                let layers = self.plain(views);
                let (down, inner) = backend.feed_forward_kept(params, &layers, &attention.out);
                (down, Inner::Plain(inner))
            }
            FeedForward::Gated { order, .. } => {
                let pre = backend.linear(params, &views.up, &attention.out);
                let mut post = backend.gated(self.activation, order, &pre);
                if let Some(dropout) = inner_dropout {
                    post = backend.dropout(batch, post, dropout);
                }
                let down = backend.linear(params, &views.down, &post);
                (down, Inner::Gated { order, pre, post })
            }
        };
        let out = backend.add_layer_norm(
            params,
            &views.out_norm,
            batch,
            down,
            Some(&attention.out),
            drop,
        );
        LayerActivations {
            qkv,
            query_key,
            context,
            attention,
            second,
            inner,
            out,
        }
    }
}

impl<B: Backend> Activations<B> {
    /// The last layer's token vectors, `[tokens, hidden]`.
    pub fn output(&self) -> &B::Tensor {
        self.layers
            .last()
            .map_or(&self.embedded.out, |l| &l.out.out)
    }
}
