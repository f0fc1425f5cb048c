//! Ranking objectives over two views of a batch (RankCSE; Liu et al. 2023): how
//! each text ranks all others should agree between the views, and with a
//! teacher.
//!
//! An example is a text twice. `s_ij` is the cosine of the first view of text
//! `i` and the second of text `j`; a text's place in its own list is left out
//! unless asked for.

mod candidates;
mod consistency;
mod lists;
mod ranking_distillation;

pub use candidates::CandidateLists;
pub use consistency::{Consistency, ConsistencySettings};
pub use ranking_distillation::{
    ListMleSettings, ListNetSettings, RankingDistillation, RankingLoss,
};
