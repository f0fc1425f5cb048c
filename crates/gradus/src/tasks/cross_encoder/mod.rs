//! Training a cross-encoder on graded pairs, or on lists of documents for queries.

mod card;
mod dev;
mod examples;
mod gradients;
mod prepare;
mod ranking;
mod stage;
mod task;

pub use dev::ScoreEvaluation;
pub use ranking::ListEvaluation;
pub use task::CrossEncoding;
