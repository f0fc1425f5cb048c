//! Pretraining: a BERT learns, from plain text, to predict the tokens that were
//! masked (Devlin et al. 2019).
//!
//! [`PretrainingSettings`] are the whole run, [`Pretraining`] does it, from a model folder
//! that may be fresh ([`write_fresh`](crate::models::write_fresh)) to one that
//! the rest of this crate takes as it is.

mod batches;
mod card;
mod corpus;
mod plan;
mod settings;
mod task;
mod texts;

pub use batches::Batches;
pub use corpus::Corpus;
pub use plan::{HeldOutScores, PretrainingPlan};
pub use settings::{PretrainingSettings, SETTINGS};
pub use task::{Pretraining, PretrainingSummary};
pub use texts::read_texts;
