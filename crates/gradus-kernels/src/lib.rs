//! Forward and backward operations of packed transformer encoders.
//!
//! This crate knows no models. It offers
//!
//! - [`Packed`]: a batch of token sequences laid end to end, without padding;
//! - [`Backend`]: the coarse operations an encoder is written over, each with
//!   its backward;
//! - [`cpu::Cpu`]: the backend for processors;
//! - [`dropout`]: the counter-based generator behind every dropout mask.
//!
//! Two properties hold for every operation and are tested: a sentence's result
//! has the same bits whatever else is in the batch, and no result depends on
//! the number of threads.

mod activation;
mod backend;
pub mod cpu;
pub mod dropout;
pub mod int8;
mod packed;
mod pooling;
mod position;
mod specs;
mod view;

pub use activation::{Activation, GateOrder};
pub use backend::{AdamWArenas, AttentionInput, Backend, Clip, RowDropout};
pub use packed::{Packed, Sequence};
pub use pooling::Pooling;
pub use position::{DistanceBias, Rotary, alibi_slopes};
pub use specs::{
    AdamWSegment, AdamWStep, AttentionMask, AttentionSpec, BackendFailure, EmbeddingTables,
    FeedForwardLayers, LayerNormOutput, LayerNormSaved, Linear, NormKind, NormSpec, QueryKeyNorms,
    ScoredRow,
};
pub use view::View;
