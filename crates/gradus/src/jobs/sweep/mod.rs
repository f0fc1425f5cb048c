//! Sweeps: one recipe under several settings and seeds, and what their
//! differences are worth.
//!
//! A [`Sweep`] is made of [`SweepSettings`]. Its [`Grid`] lists the settings of the
//! recipes, one [`GridRow`] each, and every row is trained with every seed. What a
//! finished cell leaves is its [`Outcome`]; a [`SweepTable`] puts them side by side. The
//! best row is chosen by the dev set, never by test scores.

mod cell;
mod grid;
mod header;
mod job;
mod outcome;
mod recipes;
mod settings;
mod table;

pub use grid::{Axis, Grid, GridRow};
pub use job::{Cell, CellState, Sweep};
pub use outcome::{Outcome, TestScores};
pub use settings::{SavedRecipe, SweepSettings};
pub use table::{RowSummary, SweepTable};
