//! Pairs without labels: read from files, or made from texts.

pub(super) mod files;
mod make;
mod neighbours;
mod settings;

pub(super) use make::{PairMaker, Unlabelled};
pub use settings::PairSettings;
