//! How alike pairs of texts are.
//!
//! A [`Scorer`] is a model with its regression head and calibration; of each pair
//! it gives a [`PairScore`], with the number to use first. [`Answers`] scores the
//! rows of a file or stream, in their order.

mod answers;
mod pair_score;
mod scorer;

pub use answers::{Answer, Answers, PairReader};
pub use pair_score::{PairScore, Recommended};
pub use scorer::Scorer;
