//! What commands do, as functions of the library.

pub mod distill;
pub mod sweep;
