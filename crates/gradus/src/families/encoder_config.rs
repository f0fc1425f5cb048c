//! What families of encoders differ in.

use gradus_kernels::{Activation, GateOrder, Rotary};

/// The supported families of transformer encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// BERT (Devlin et al. 2019).
    Bert,
    /// RoBERTa (Liu et al. 2019): positions start behind the padding id.
    Roberta,
    /// XLM-RoBERTa (Conneau et al. 2020): RoBERTa with another vocabulary.
    XlmRoberta,
    /// DistilBERT (Sanh et al. 2019): BERT without segments.
    DistilBert,
    /// Nomic BERT (Nussbaum et al. 2024): rotary positions, gated feed-forward
    /// part, no biases.
    NomicBert,
    /// Jina BERT v2 (Günther et al. 2023): symmetric ALiBi, gated feed-forward
    /// part.
    JinaBert,
    /// The same with layer norms of queries and keys and a second one behind
    /// attention, as in jina-embeddings-v2-base-code.
    JinaBertQkNorm,
    /// ELECTRA's discriminator (Clark et al. 2020): BERT by other names, here with
    /// embeddings as wide as the layers.
    Electra,
    /// MPNet (Song et al. 2020): a learned bias by distance in all layers.
    MpNet,
}

impl Architecture {
    /// The name people use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "BERT",
            Self::Roberta => "RoBERTa",
            Self::XlmRoberta => "XLM-RoBERTa",
            Self::DistilBert => "DistilBERT",
            Self::NomicBert => "Nomic BERT",
            Self::JinaBert => "Jina BERT v2",
            Self::JinaBertQkNorm => "Jina BERT v2 (QK norm)",
            Self::Electra => "ELECTRA",
            Self::MpNet => "MPNet",
        }
    }
}

/// How an encoder knows where a token stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Positions {
    /// A learned vector of each position is added to the word's.
    Learned,
    /// Queries and keys are turned by the position.
    Rotary(Rotary),
    /// Scores fall with the distance, in each head at its own rate.
    Alibi,
    /// Learned vectors, and a learned bias on scores by distance, one table for
    /// all layers.
    Relative {
        /// Rows of that table.
        buckets: usize,
        /// Larger distances share a row.
        max_distance: usize,
    },
}

impl Positions {
    /// Whether the embeddings have a table of positions.
    pub fn has_table(self) -> bool {
        match self {
            Self::Learned | Self::Relative { .. } => true,
            Self::Rotary(_) | Self::Alibi => false,
        }
    }
}

/// The part of a layer behind attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedForward {
    /// `down(f(up(x)))`.
    Plain,
    /// `down(f(gate(x)) * up(x))` (Shazeer 2020): the first matrix computes
    /// gate and up side by side.
    Gated {
        /// Which of the two comes first.
        order: GateOrder,
        /// Whether dropout acts between the two matrices, as in Jina's code,
        /// and not behind the second.
        inner_dropout: bool,
    },
}

impl FeedForward {
    /// Outputs of the first matrix for each input of the second.
    pub fn fan(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Gated { .. } => 2,
        }
    }
}

/// What `config.json` says about an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// The family.
    pub architecture: Architecture,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Width of the token vectors.
    pub hidden_size: usize,
    /// Number of transformer layers.
    pub layers: usize,
    /// Attention heads per layer.
    pub heads: usize,
    /// Input width of the second feed-forward matrix.
    pub intermediate_size: usize,
    /// How positions are known.
    pub positions: Positions,
    /// Rows of the position table; without one, the longest input.
    pub max_positions: usize,
    /// Position of the first token.
    pub first_position: usize,
    /// Rows of the segment table; 0 where there is none.
    pub type_vocab_size: usize,
    /// Added to variances in layer norms.
    pub layer_norm_eps: f32,
    /// The kind of feed-forward part.
    pub feed_forward: FeedForward,
    /// Between the feed-forward matrices.
    pub activation: Activation,
    /// Dropout probability of hidden states in training.
    pub hidden_dropout: f32,
    /// Dropout probability of attention in training.
    pub attention_dropout: f32,
}

/// Deeper than any encoder there is; every layer costs memory before the
/// weights are seen.
pub(crate) const DEEPEST: usize = 1 << 10;

impl EncoderConfig {
    /// The longest sequence of tokens that positions reach for.
    pub fn max_tokens(&self) -> usize {
        self.max_positions - self.first_position
    }
}
