//! Retrieval: how well a ranking of documents follows relevance judgments.
//!
//! A [`BeirFolder`] has a corpus, queries and [`Qrels`]; [`retrieve`] ranks the corpus
//! for each query; [`RetrievalScores`] holds any [`Ranking`] against the judgments by
//! [`Measure`]s, as trec_eval computes them.

mod beir;
mod measure;
mod qrels;
mod ranking;
mod report;
mod retrieve;
mod scores;

pub use beir::{BeirFolder, Document, Documents};
pub use measure::Measure;
pub use qrels::Qrels;
pub use ranking::Ranking;
pub use report::{ModelRetrieval, RetrievalReport, SetScores};
pub use retrieve::{Corpus, retrieve};
pub use scores::RetrievalScores;
