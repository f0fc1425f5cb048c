//! What the front ends do, as functions: typed settings in, typed results out.
//!
//! A job takes an [`Environment`], which says where data and models are and what
//! models run on, and an [`Observer`](crate::util::Observer), which hears how it
//! gets on and may end it. Nothing is printed.

pub mod bench;
pub mod calibrate;
mod chunks;
pub mod distill;
pub mod encode;
mod environment;
mod error;
pub mod eval;
pub mod label;
pub mod machine;
pub mod mine_negatives;
pub mod negatives;
mod observed;
mod pair_model;
pub mod pairing;
pub mod pretrain;
pub mod quantize;
pub mod quickstart;
mod recipes;
pub mod rerank;
pub mod retrieval;
mod run_folders;
pub mod score;
pub mod self_distill;
pub mod sweep;
mod tables;
mod test_sets;
pub mod train;

pub use environment::{Environment, Model};
pub use error::JobError;
pub use observed::{Observed, ObservedPairs};
pub use pair_model::PairModel;
pub use test_sets::TestSets;
