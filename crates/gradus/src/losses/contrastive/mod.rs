//! Contrastive objectives: an anchor and its positive against the rest of the
//! batch.

mod info_nce;

pub use info_nce::{InfoNce, InfoNceSettings};
