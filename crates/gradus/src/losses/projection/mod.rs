//! Layers between the embeddings and an objective, which exist while training
//! alone: the vectors that a user gets are those in front of them.

mod batch_norm;
mod dense;
mod mlp;
mod projected;
mod projector;

pub use projected::{Projected, Projection};
