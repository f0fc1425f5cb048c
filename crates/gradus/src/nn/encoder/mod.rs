mod block;
mod layer;
mod pass;

use super::Layout;
use super::layout::LayerViews;
use crate::families::{EncoderConfig, FeedForward, Positions};
use block::LayerSaved;
use gradus_kernels::dropout::Dropout;
use gradus_kernels::{
    Activation, AttentionSpec, Backend, DistanceBias, EmbeddingTables, LayerNormOutput,
    LayerNormSaved, NormSpec, Pooling, Rotary,
};
use layer::{GradientSink, Layer};

pub use block::Block;
pub use pass::PassContext;

/// A transformer encoder: packed tokens in, one vector per token out. Families
/// differ in how they know positions, in the feed-forward part and in where the
/// norms stand.
///
/// Written once over [`Backend`]; holds no weights, only where they are.
#[derive(Debug, Clone)]
pub struct Encoder {
    embeddings: EmbeddingTables,
    embedding_norm: NormSpec,
    layers: Vec<LayerViews>,
    block: Block,
    attention: AttentionSpec,
    rotary: Option<Rotary>,
    distance_bias: Option<DistanceBias>,
    feed_forward: FeedForward,
    activation: Activation,
    hidden_dropout: f32,
    attention_dropout: f32,
}

/// What [`Encoder::backward`] needs of a forward pass.
pub struct Activations<B: Backend> {
    embedded: LayerNormOutput<B::Tensor>,
    bias: Option<B::Tensor>,
    layers: Vec<LayerSaved<B>>,
    /// Of the norm behind all layers, where there is one.
    last: Option<LayerNormOutput<B::Tensor>>,
    dropout: Option<Dropout>,
}

/// What of the activations is left when the layers' backward is done.
pub(crate) struct EmbeddingSaved<B: Backend> {
    norm: LayerNormSaved<B::Tensor>,
    dropout: Option<Dropout>,
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
            block: Block::PostNorm,
            attention: AttentionSpec::full(config.heads, config.hidden_size / config.heads),
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

    /// The same layers with their norms elsewhere.
    pub fn with_block(self, block: Block) -> Self {
        Self { block, ..self }
    }

    /// The same layers with another attention on queries, keys and values of the
    /// same widths: another mask or scale.
    ///
    /// # Panics
    /// Where the widths are others.
    pub fn with_attention(self, attention: AttentionSpec) -> Self {
        assert_eq!(attention.qkv_width(), self.attention.qkv_width(), "width");
        assert_eq!(attention.q_width(), self.attention.q_width(), "width");
        Self { attention, ..self }
    }

    /// Replaces the configured dropout probabilities.
    pub fn set_dropout(&mut self, hidden: f32, attention: f32) {
        (self.hidden_dropout, self.attention_dropout) = (hidden, attention);
    }

    fn hidden(&self, dropout: Option<Dropout>, site: u32) -> Option<Dropout> {
        let dropout = dropout.filter(|_| self.hidden_dropout > 0.0)?;
        Some(dropout.at(site, self.hidden_dropout))
    }

    fn attention_dropout(&self, dropout: Option<Dropout>, layer: usize) -> Option<Dropout> {
        let dropout = dropout.filter(|_| self.attention_dropout > 0.0)?;
        Some(dropout.at(site(layer, Site::Attention), self.attention_dropout))
    }

    /// The layers in a pass.
    fn layers<'a, B: Backend>(
        &'a self,
        pass: PassContext<'a, B>,
        bias: Option<&'a B::Tensor>,
    ) -> impl DoubleEndedIterator<Item = Layer<'a, B>> {
        (0..self.layers.len()).map(move |index| Layer {
            encoder: self,
            pass,
            index,
            bias,
        })
    }

    /// The last layer's token vectors, `[tokens, hidden]`, without dropout.
    pub fn infer<B: Backend>(&self, pass: PassContext<'_, B>) -> B::Tensor {
        self.infer_rows(pass, None)
    }

    /// Those of each sequence's first token, `[sequences, hidden]`, with the same
    /// bits and less work: what the last layer does behind attention is done for
    /// these rows alone. A sequence without tokens has zeros.
    pub fn infer_first<B: Backend>(&self, pass: PassContext<'_, B>) -> B::Tensor {
        let offsets = pass.backend.packed(pass.batch).offsets();
        if offsets.windows(2).any(|w| w[0] == w[1]) {
            let all = self.infer(pass);
            return pass.backend.pool(&[Pooling::Cls], pass.batch, &all);
        }
        let first: Vec<u32> = offsets.windows(2).map(|w| w[0] as u32).collect();
        self.infer_rows(pass, Some(&first))
    }

    /// The last layer's token vectors, or the given rows of them.
    fn infer_rows<B: Backend>(&self, pass: PassContext<'_, B>, rows: Option<&[u32]>) -> B::Tensor {
        let pass = pass.with_dropout(None);
        let (b, p) = (pass.backend, pass.params);
        let sum = b.embed(p, &self.embeddings, pass.batch);
        let mut x = b.norm_inferred(p, &self.embedding_norm, sum, None);
        let bias = self.bias(pass);
        let last = self.layers.len().saturating_sub(1);
        for layer in self.layers(pass, bias.as_ref()) {
            let rows = rows.filter(|_| layer.index == last);
            x = layer.infer(x, rows);
        }
        if let Some(rows) = rows.filter(|_| self.layers.is_empty()) {
            x = b.gather(&x, rows);
        }
        match &self.block {
            Block::PostNorm => x,
            Block::PreNorm { final_norm } => b.norm_inferred(p, final_norm, x, None),
        }
    }

    /// The same for training: with dropout where the pass has it, saving what
    /// [`Encoder::backward`] needs. The result is [`Activations::output`].
    pub fn forward<B: Backend>(&self, pass: PassContext<'_, B>) -> Activations<B> {
        let embedded = self.embed(pass);
        self.forward_from(pass, embedded)
    }

    /// The layers, on embeddings.
    pub(crate) fn forward_from<B: Backend>(
        &self,
        pass: PassContext<'_, B>,
        embedded: LayerNormOutput<B::Tensor>,
    ) -> Activations<B> {
        let bias = self.bias(pass);
        let mut layers: Vec<LayerSaved<B>> = Vec::with_capacity(self.layers.len());
        for layer in self.layers(pass, bias.as_ref()) {
            let x = layers.last().map_or(&embedded.out, LayerSaved::out);
            let saved = layer.forward(x);
            layers.push(saved);
        }
        let last = match &self.block {
            Block::PostNorm => None,
            Block::PreNorm { final_norm } => {
                let x = layers.last().map_or(&embedded.out, LayerSaved::out);
                Some(pass.backend.norm_of(pass.params, final_norm, x))
            }
        };
        Activations {
            embedded,
            bias,
            layers,
            last,
            dropout: pass.dropout,
        }
    }

    /// What all layers add to their scores.
    fn bias<B: Backend>(&self, pass: PassContext<'_, B>) -> Option<B::Tensor> {
        let (bias, heads) = (self.distance_bias?, self.attention.q_heads);
        let backend = pass.backend;
        Some(backend.distance_bias(pass.params, &bias, pass.batch, heads))
    }

    pub(crate) fn embed<B: Backend>(&self, pass: PassContext<'_, B>) -> LayerNormOutput<B::Tensor> {
        let (backend, params) = (pass.backend, pass.params);
        let sum = backend.embed(params, &self.embeddings, pass.batch);
        let mut normed = backend.add_norm(params, &self.embedding_norm, sum, None, None);
        if let Some(dropout) = pass.rows(self.hidden(pass.dropout, 0)) {
            normed.out = backend.dropout(normed.out, dropout);
        }
        normed
    }

    /// Adds the gradient of every parameter to `grads`, given that of the
    /// output, `[tokens, hidden]`. Consumes the activations, layer by layer.
    pub fn backward<B: Backend>(
        &self,
        pass: PassContext<'_, B>,
        activations: Activations<B>,
        dy: B::Tensor,
        grads: &mut B::Arena,
    ) {
        let (embedded, dy) = self.layers_backward(pass, activations, dy, grads);
        self.embed_backward(pass, &embedded, dy, grads);
    }

    /// Back to the embeddings: what was saved of them, and their gradient.
    pub(crate) fn layers_backward<B: Backend>(
        &self,
        pass: PassContext<'_, B>,
        activations: Activations<B>,
        mut dy: B::Tensor,
        grads: &mut B::Arena,
    ) -> (EmbeddingSaved<B>, B::Tensor) {
        let backend = pass.backend;
        let Activations {
            embedded,
            bias,
            mut layers,
            last,
            dropout,
        } = activations;
        let pass = pass.with_dropout(dropout);
        if let (Block::PreNorm { final_norm }, Some(last)) = (&self.block, last) {
            let (params, saved) = (pass.params, &last.saved);
            dy = backend
                .add_norm_backward(params, final_norm, saved.as_ref(), &dy, None, grads)
                .0;
        }
        let learned = matches!(self.distance_bias, Some(DistanceBias::Learned { .. }));
        let mut sink = GradientSink {
            grads,
            bias: bias.as_ref().filter(|_| learned).map(|bias| {
                let (rows, cols) = backend.shape(bias);
                backend.zeros(rows, cols)
            }),
        };
        for layer in self.layers(pass, bias.as_ref()).rev() {
            let Some(saved) = layers.pop() else { break };
            let x = layers.last().map_or(&embedded.out, LayerSaved::out);
            dy = layer.backward(saved, x, dy, &mut sink);
        }
        if let (Some(kind), Some(gradient)) = (&self.distance_bias, &sink.bias) {
            backend.distance_bias_backward(kind, pass.batch, gradient, sink.grads);
        }
        let norm = embedded.saved;
        (EmbeddingSaved { norm, dropout }, dy)
    }

    pub(crate) fn embed_backward<B: Backend>(
        &self,
        pass: PassContext<'_, B>,
        saved: &EmbeddingSaved<B>,
        mut dy: B::Tensor,
        grads: &mut B::Arena,
    ) {
        let (backend, params) = (pass.backend, pass.params);
        if let Some(dropout) = pass.rows(self.hidden(saved.dropout, 0)) {
            dy = backend.dropout(dy, dropout);
        }
        let (norm, saved) = (&self.embedding_norm, &saved.norm);
        let (dsum, _) = backend.add_norm_backward(params, norm, saved.as_ref(), &dy, None, grads);
        backend.embed_backward(&self.embeddings, pass.batch, &dsum, grads);
    }
}

impl<B: Backend> Activations<B> {
    /// The last layer's token vectors, `[tokens, hidden]`.
    pub fn output(&self) -> &B::Tensor {
        match &self.last {
            Some(last) => &last.out,
            None => self
                .layers
                .last()
                .map_or(&self.embedded.out, LayerSaved::out),
        }
    }
}
