//! Recipes: a whole training run as a TOML file describes it.

pub(crate) mod difference;
pub(crate) mod exclusive;
pub(crate) mod foreign;
pub(crate) mod overrides;
pub(crate) mod recipe;

pub use difference::{Average, DifferenceSettings, Fill, Filled};
pub use exclusive::exclude_each_other;
pub use overrides::{apply_overrides, parse_recipe};
pub use recipe::{Evaluation, Freeze, NextFrom, Recipe, Stage, Teacher};
