//! The queue, and the thread that computes batches.
//!
//! A request's inputs wait in the queue of its model. One thread takes batches: of each
//! model in turn, and within a model of each request in turn, so that a long request
//! does not hold up short ones. It never waits for a batch to fill: a lone input is
//! computed at once, and batches grow while one is being computed. Inputs are packed
//! without padding, so that a batch costs what its tokens cost and needs no texts of
//! like length.

mod queue;
mod worker;

pub(crate) use queue::{Engine, Job};
pub(crate) use worker::{Answer, ItemError};
