//! What can be trained: each task plugs into the engine of
//! [`training`](crate::training).

pub mod cross_encoder;
pub mod diffcse;
pub mod masked_lm;
pub mod similarity;
