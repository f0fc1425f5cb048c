//! Pages that show what a training run did.
//!
//! A [`Run`] is read from a run's folder; [`score_pairs`] adds the scores by
//! its model, and by the one it began with, of every pair of the test tasks and of the
//! dev set; the folder keeps them for the next time. [`page`] makes one HTML file of
//! one or several runs: no script, no network, drawings as SVG within, light
//! and dark.

mod chart;
mod compare;
mod markup;
mod page;
mod published;
mod run;

/// What every page has near its beginning, by which it is known.
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"Gradus\">";

pub use page::page;
pub use run::{
    DevPairs, Evaluation, Metrics, Run, Step, StoredScores, key, read_scores, score_pairs,
    write_scores,
};
