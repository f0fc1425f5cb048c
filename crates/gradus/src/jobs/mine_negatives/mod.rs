//! Hard negatives: texts of a corpus that are near a query and not among its
//! positives.
//!
//! [`Mining::prepare`] reads pairs of queries and positives and the corpus;
//! [`Mining::run`] compares every query with every text and hands on what
//! [`MiningRules`] leave of the nearest, query by query. [`MinedForm`] makes rows of
//! them. Options and results are those of sentence-transformers'
//! `mine_hard_negatives`.

mod job;
mod rows;
mod rules;

pub use job::{Mined, Mining, MiningReport, MiningSettings, Rescore};
pub use rows::{MinedForm, MinedFormat, Written};
pub use rules::{Dropped, MiningRules, Sampling};
