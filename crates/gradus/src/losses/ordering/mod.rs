//! Objectives on the order of graded pairs: the better grade should have the
//! higher similarity, whatever its value.

mod cosent;
mod pair_similarity;
mod pearson;

pub use cosent::{AngleSettings, Cosent, CosentSettings};
pub use pair_similarity::PairSimilarity;
pub use pearson::{PearsonLoss, PearsonSettings};
