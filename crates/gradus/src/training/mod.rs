//! The training engine: what all tasks share.
//!
//! A [`Task`] says what is trained: its [`ParamSets`], the gradients of a step, how a
//! model is scored and saved. [`train`] is the one loop: it steps, logs, scores,
//! chooses the best model, writes checkpoints, goes on from them, and tells an
//! observer. A run lies in a [`RunFolder`].
//!
//! Everything random is a function of (seed, stage, epoch or step), so a run has the
//! same bits whatever the number of threads, and a run that was killed goes on to the
//! bits of one that never was: see [`Checkpoint`].

mod adamw;
mod checkpoint;
mod error;
mod groups;
mod host_set;
mod metrics;
mod observer;
mod order;
mod param_sets;
mod record;
mod run_folder;
mod run_inputs;
mod schedule;
mod selection;
mod state;
mod steps;
mod task;

pub use adamw::AdamW;
pub use checkpoint::Checkpoint;
pub use error::TrainError;
pub use groups::ParameterGroups;
pub use observer::{Details, Evaluation, StageStart, Standing, StepReport, TrainingObserver};
pub(crate) use order::{StepExamples, epoch_key, order};
pub use param_sets::{Network, Networks, ParamSet, ParamSets};
pub use record::{RunRecord, StageRecord};
pub use run_folder::RunFolder;
pub use run_inputs::RunInputs;
pub use schedule::{Schedule, ScheduleKind};
pub use state::State;
pub use steps::{Summary, seconds_per_step, train};
pub use task::{Identity, Moment, Pace, RunDescription, StageOutline, StepLoss, Task, Tensors};

pub use crate::util::{Observer, Silent};

/// The set of the model's own parameters.
pub const ENCODER: &str = "encoder";

/// The set of an objective's own parameters.
pub const HEAD: &str = "head";
