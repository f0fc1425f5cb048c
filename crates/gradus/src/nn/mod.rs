//! Networks: a transformer encoder over a backend, forward and backward, the heads
//! on it, and the layout of all its parameters in one arena.

pub(crate) mod dense;
pub(crate) mod embedding_override;
pub(crate) mod encoder;
pub(crate) mod initial;
pub(crate) mod layout;
mod memory;
pub(crate) mod mlm_head;
pub(crate) mod pooling;
pub(crate) mod regression_head;
pub(crate) mod sequence_head;

pub use dense::Dense;
pub use encoder::{Activations, Block, Encoder, PassContext};
pub use layout::{Layout, NamedView};
pub(crate) use memory::training_bytes;
pub use pooling::PoolingMode;
pub use regression_head::{Features, RegressionHead};
