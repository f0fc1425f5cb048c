//! Where every parameter lies; what each family calls it is in `names.rs`.

pub(super) mod builder;

use builder::Builder;
pub use builder::NamedView;

use super::Dense;
use super::mlm_head::MlmHead;
use super::sequence_head::SequenceHead;
use crate::families::names::{self, TensorNames};
use crate::families::{EncoderConfig, Positions};
use gradus_kernels::{DistanceBias, EmbeddingTables, Linear, NormSpec, QueryKeyNorms};

/// One transformer layer's places in the arena.
#[derive(Debug, Clone)]
pub(crate) struct LayerViews {
    pub qkv: Linear,
    pub query_key_norms: Option<QueryKeyNorms>,
    pub attention_out: Linear,
    pub attention_norm: NormSpec,
    /// Of the first norm's output and the layer's input, summed.
    pub second_attention_norm: Option<NormSpec>,
    pub up: Linear,
    pub down: Linear,
    pub out_norm: NormSpec,
}

/// A Dense module's places in the arena.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DenseViews {
    pub linear: Linear,
    /// Leads the input to the result, where that has another width.
    pub residual: Option<Linear>,
}

/// Where every parameter of a sentence encoder lies in its arena.
///
/// Queries, keys and values of a layer are adjacent, so that one product
/// computes all three.
#[derive(Debug, Clone)]
pub struct Layout {
    named: Vec<NamedView>,
    len: usize,
    pub(crate) embeddings: EmbeddingTables,
    pub(crate) embedding_norm: NormSpec,
    pub(crate) distance_bias: Option<DistanceBias>,
    pub(crate) layers: Vec<LayerViews>,
    pub(crate) dense: Vec<DenseViews>,
    /// Where it is to be trained.
    pub(crate) mlm_head: Option<MlmHead>,
    /// Of a cross-encoder.
    pub(crate) sequence_head: Option<SequenceHead>,
}

impl Layout {
    /// The layout of an encoder and the Dense modules behind it.
    ///
    /// It costs memory by the number of layers, not by their widths. Before an
    /// arena of [`Layout::len`] is allocated, the weights must be known to
    /// have these shapes.
    pub fn new(config: &EncoderConfig, dense: &[Dense]) -> Self {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let names = TensorNames::of(config.architecture);
        let mut b = Builder {
            named: Vec::new(),
            len: 0,
            layer: None,
        };
        let table = |b: &mut Builder, name: &str, rows| {
            let name = format!("embeddings.{name}_embeddings.weight");
            b.add(name, rows, width, false)
        };
        let (positions, segments) = (config.positions.has_table(), config.type_vocab_size);
        let embeddings = EmbeddingTables {
            words: table(&mut b, "word", config.vocab_size),
            positions: positions.then(|| table(&mut b, "position", config.max_positions)),
            segments: (segments > 0).then(|| table(&mut b, "token_type", segments)),
        };
        let embedding_norm = b.norm(names.embedding_norm, width, eps);
        let distance_bias = match config.positions {
            Positions::Learned | Positions::Rotary(_) => None,
            Positions::Alibi => Some(DistanceBias::Alibi),
            Positions::Relative {
                buckets,
                max_distance,
            } => Some(DistanceBias::Learned {
                table: b.add(names::RELATIVE_BIAS.into(), buckets, config.heads, false),
                max_distance,
            }),
        };
        let inner = config.intermediate_size;
        let first = inner.saturating_mul(config.feed_forward.fan()) / names.up.len();
        let layers = (0..config.layers)
            .map(|l| {
                b.layer = Some(l);
                let name = |part: &&str| format!("{}.{l}.{part}", names.layers);
                let all = |parts: &[&str]| parts.iter().map(name).collect::<Vec<_>>();
                let third = width.saturating_mul(3) / names.qkv.len();
                LayerViews {
                    qkv: b.stacked(&all(names.qkv), third, width, names.attention_bias),
                    query_key_norms: names.query_key_norms.map(|[queries, keys]| QueryKeyNorms {
                        queries: b.norm(&name(&queries), width, eps),
                        keys: b.norm(&name(&keys), width, eps),
                    }),
                    attention_out: b.linear(
                        &name(&names.attention_out),
                        width,
                        width,
                        names.attention_bias,
                    ),
                    attention_norm: b.norm(&name(&names.attention_norm), width, eps),
                    second_attention_norm: names
                        .second_attention_norm
                        .map(|second| b.norm(&name(&second), width, eps)),
                    up: b.stacked(&all(names.up), first, width, names.up_bias),
                    down: b.linear(&name(&names.down), width, inner, names.down_bias),
                    out_norm: b.norm(&name(&names.out_norm), width, eps),
                }
            })
            .collect();
        b.layer = None;
        let dense = dense
            .iter()
            .map(|d| {
                let (out, width) = (d.out_width, d.in_width);
                let linear = b.linear(&format!("{}/linear", d.folder), out, width, d.bias);
                let name = format!("{}/residual", d.folder);
                let second = d.has_second_matrix();
                DenseViews {
                    linear,
                    residual: second.then(|| b.linear(&name, out, width, false)),
                }
            })
            .collect();
        Self {
            named: b.named,
            len: b.len,
            embeddings,
            embedding_norm,
            distance_bias,
            layers,
            dense,
            mlm_head: None,
            sequence_head: None,
        }
    }

    /// The same with the head that predicts masked tokens, behind all else.
    pub fn with_mlm_head(config: &EncoderConfig, dense: &[Dense]) -> Self {
        let mut layout = Self::new(config, dense);
        let words = layout.embeddings.words;
        layout.mlm_head = Some(layout.behind(|b| MlmHead::new(b, config, words)));
        layout
    }

    /// The layout of an encoder with the head that scores a whole input, behind all
    /// else.
    pub(crate) fn with_sequence_head(config: &EncoderConfig, labels: usize) -> Self {
        let mut layout = Self::new(config, &[]);
        layout.sequence_head = Some(layout.behind(|b| SequenceHead::new(b, config, labels)));
        layout
    }

    /// The same with a linear layer that sorts token vectors of `width` into
    /// classes, behind all else.
    pub(crate) fn with_classifier(mut self, width: usize, classes: usize) -> (Self, Linear) {
        let classifier = self.behind(|b| b.linear("classifier", classes, width, true));
        (self, classifier)
    }

    /// Adds parameters behind all that there are.
    fn behind<T>(&mut self, add: impl FnOnce(&mut Builder) -> T) -> T {
        let mut b = Builder {
            named: std::mem::take(&mut self.named),
            len: self.len,
            layer: None,
        };
        let added = add(&mut b);
        (self.named, self.len) = (b.named, b.len);
        added
    }

    /// Whether there is a head on the encoder, beside which transformers keeps the
    /// encoder under a prefix.
    pub(crate) fn has_head(&self) -> bool {
        self.mlm_head.is_some() || self.sequence_head.is_some()
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every parameter, in the order of the arena, without gaps.
    pub fn named(&self) -> &[NamedView] {
        &self.named
    }

    /// Number of transformer layers.
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }

    /// The parameter that holds the arena's value `index`.
    pub fn name_at(&self, index: usize) -> &str {
        let i = self.named.partition_point(|n| n.view.offset <= index);
        &self.named[i - 1].name
    }
}
