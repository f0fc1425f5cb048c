//! Sentence encoders trained by a [`Recipe`](crate::recipe::Recipe).
//!
//! A run goes through the recipe's stages. Each stage has its own data, objective,
//! optimizer and schedule; weights and head carry over.

mod buffer;
pub(crate) mod card;
pub(crate) mod chunks;
pub(crate) mod cross_targets;
pub(crate) mod encoding;
pub(crate) mod evaluation;
pub(crate) mod examples;
pub(crate) mod frozen;
pub(crate) mod gradients;
pub(crate) mod learnable;
pub(crate) mod micro_batch;
mod objective;
mod on_device;
pub(crate) mod overlap;
pub(crate) mod plan;
mod plan_words;
pub(crate) mod prepare;
pub(crate) mod prompting;
pub(crate) mod provenance;
pub(crate) mod stage;
pub(crate) mod task;

pub(crate) use card::overlap as overlap_card;
pub use encoding::{EncodingPlan, seconds_per_text};
pub(crate) use evaluation::check_dev;
pub use evaluation::{DevEvaluation, DevSet};
pub use overlap::RunOverlap;
pub(crate) use overlap::Watch;
pub(crate) use plan::check_memory;
pub use plan::{StagePlan, TrainingPlan};
pub use prepare::RunOptions;
pub(crate) use provenance::keep_overlap;
pub use task::Similarity;
