//! Pages that show what a training run did.
//!
//! A [`Run`] is read from a run's folder; [`judge`] adds what its model, and
//! the model it began with, say of every pair of the test tasks and of the dev
//! set, kept in the folder for the next time. [`page`] makes one HTML file of
//! one or several runs: no script, no network, drawings as SVG within, light
//! and dark.

mod chart;
mod compare;
mod page;
mod published;
mod run;

/// What every page has near its beginning, by which it is known.
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"Gradus\">";

pub use page::page;
pub use run::{
    DevPairs, Metrics, Run, Step, StoredScores, key, read_scores, score_pairs, write_scores,
};
