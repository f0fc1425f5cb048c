//! Sweeps: one recipe under several settings and seeds, and what their
//! differences are worth.
//!
//! A [`Grid`] lists the settings, one [`Row`] each, and every row is carried out
//! with every seed. What a finished cell leaves is its [`Outcome`]; a [`Table`]
//! puts them side by side. The best row is chosen by the dev set, never by
//! test scores.

mod grid;
mod outcome;
mod table;

pub use grid::{Axis, Grid, Row};
pub use outcome::{Outcome, TestScores};
pub use table::{RowSummary, Table};
