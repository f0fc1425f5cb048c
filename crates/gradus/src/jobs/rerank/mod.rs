//! Documents by how well they fit queries.
//!
//! A [`Reranker`] holds documents and a model: a cross-encoder, which reads every
//! document with the query, or a sentence encoder, whose cosines rank. [`texts`] reads
//! queries and documents.

mod item;
mod ranker;

pub use item::{Item, texts};
pub use ranker::{Ranked, Reranker};
