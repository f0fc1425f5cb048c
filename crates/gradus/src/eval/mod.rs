//! Evaluation: how well a model's similarities follow people's grades.
//!
//! A [`Suite`] holds the seven STS [`EvalTask`]s of the published tables (and any
//! added from a [`Source`](crate::data::Source)); [`Suite::evaluate`] asks a
//! [`PairScorer`] (an [`Embedder`], or a cross-encoder) for a number a pair and
//! gives [`SuiteScores`]; a [`Report`] shows those of one or more models. [`Geometry`] says how the vectors are spread,
//! which shows a collapse before the scores do.
//!
//! Of retrieval: a [`BeirFolder`] with its judgments, [`exact_search`] for the nearest
//! documents, [`RetrievalScores`] of any [`Ranking`].

mod bootstrap;
mod correlation;
mod embedder;
mod geometry;
mod pair_scorer;
mod pair_scores;
mod report;
mod retrieval;
mod search;
mod sts;
mod tasks;

pub use bootstrap::{Interval, paired_bootstrap, resampled_spearman};
pub use correlation::{Correlation, Undefined, average_ranks, is_level, pearson, spearman};
pub use embedder::Embedder;
pub use geometry::{Geometry, MAX_MEAN_COSINE, MAX_UNIFORMITY};
pub use pair_scorer::{PairScorer, Similarity, WithHead};
pub use pair_scores::PairScores;
pub use report::{ModelScores, Report, View, partial_average};
pub use retrieval::{
    BeirFolder, Corpus, Document, Documents, Measure, ModelRetrieval, Qrels, Ranking,
    RetrievalReport, RetrievalScores, SetScores, retrieve,
};
pub use search::{ExactSearch, exact_search};
pub use sts::{Aggregated, Aggregation, Metric, Scores, SubsetScores, SuiteScores, TaskScores};
pub use tasks::{EvalTask, Suite};
