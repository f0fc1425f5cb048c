//! Training: a [`Recipe`] is the whole run, [`Run`] carries it out.
//!
//! A run goes through the recipe's stages. Each stage has its own data,
//! objective, optimizer and schedule; weights and head carry over. Everything
//! random is drawn from (seed, stage, epoch or step), so a run has the same
//! bits whatever the number of threads, and a run that was killed goes on to
//! the bits of one that never was: see [`checkpoint`](Checkpoint).

mod auxiliary;
mod batches;
mod card;
mod checkpoint;
mod chunks;
mod encoding;
mod error;
mod estimate;
mod evaluation;
mod events;
mod examples;
mod exclusive;
mod foreign;
mod frozen;
mod gradients;
mod groups;
mod learnable;
mod metrics;
mod micro_batch;
mod optimizer;
mod overlap;
mod overrides;
mod plan;
mod progress;
mod prompting;
mod recipe;
mod record;
mod run;
mod run_folder;
mod run_inputs;
mod schedule;
mod selection;
mod stage;
mod steps;

pub(crate) use batches::{epoch_key, order};
pub use checkpoint::{Checkpoint, State};
pub use encoding::{EncodingPlan, seconds_per_text};
pub use error::TrainError;
pub use evaluation::{DevEvaluation, DevSet};
pub(crate) use events::check_cancelled;
pub use events::{Observer, Silent, Standing, StepReport};
pub use exclusive::exclude_each_other;
pub use groups::ParameterGroups;
pub(crate) use metrics::Metrics;
pub use optimizer::{AdamW, Optimizer, Rates, Updated};
pub use overlap::RunOverlap;
pub use overrides::{apply_overrides, parse_recipe};
pub use plan::{Plan, StagePlan};
pub use recipe::{Evaluation, Freeze, NextFrom, Recipe, Stage, Teacher};
pub use record::{RunRecord, StageRecord};
pub use run::{Run, RunOptions, Summary};
pub use run_folder::RunFolder;
pub use run_inputs::RunInputs;
pub use schedule::{Schedule, ScheduleKind};
