//! The training engine: what all tasks share.
//!
//! Everything random is a function of (seed, stage, epoch or step), so a run has the
//! same bits whatever the number of threads, and a run that was killed goes on to the
//! bits of one that never was: see [`Checkpoint`].

pub(crate) mod checkpoint;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod groups;
pub(crate) mod metrics;
pub(crate) mod optimizer;
pub(crate) mod order;
pub(crate) mod record;
pub(crate) mod run_folder;
pub(crate) mod run_inputs;
pub(crate) mod schedule;

pub use checkpoint::{Checkpoint, State};
pub use error::TrainError;
pub(crate) use events::check_cancelled;
pub use events::{Observer, Silent, Standing, StepReport};
pub use groups::ParameterGroups;
pub(crate) use metrics::Metrics;
pub use optimizer::{AdamW, Optimizer, Rates, Updated};
pub(crate) use order::{epoch_key, order};
pub use record::{RunRecord, StageRecord};
pub use run_folder::RunFolder;
pub use run_inputs::RunInputs;
pub use schedule::{Schedule, ScheduleKind};
