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
mod packed;
mod pooling;
mod position;
mod view;

pub use activation::{Activation, GateOrder};
pub use backend::{
    AdamWSegment, AdamWStep, Backend, EmbeddingTables, FeedForwardLayers, LayerNorm, Linear,
    Normed, QueryKeyNorms, ScoredRow, Standardized,
};
pub use packed::{Packed, Sequence};
pub use pooling::Pooling;
pub use position::{DistanceBias, Rotary, alibi_slopes};
pub use view::View;
