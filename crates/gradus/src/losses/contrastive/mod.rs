//! Contrastive objectives: an anchor and its positive against the rest of the
//! batch.

mod info_nce;
mod plain;

pub use info_nce::{InfoNce, InfoNceSettings};
pub use plain::PlainContrast;
pub(crate) use plain::left_out;
