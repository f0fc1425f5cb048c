//! Pretraining: a small BERT learns, from plain text, to tell the tokens that
//! were masked (Devlin et al. 2019).
//!
//! [`Settings`] are the whole run, [`Run`] carries it out, from a model folder
//! that may be fresh ([`write_fresh`](crate::model::write_fresh)) to one that
//! the rest of this crate takes as it is. Optimizer, schedule, checkpoints and
//! run folder are those of [`train`](crate::train), and so is the promise: all
//! that is random is a function of seed, step and place, so a run that was
//! killed goes on to the bits of one that never was.

mod batches;
mod card;
mod corpus;
mod events;
mod language_model;
mod masking;
mod run;
mod settings;
mod steps;
mod texts;

pub use batches::Batches;
pub use corpus::Corpus;
pub use events::{HeldOut, Observer, Plan, Silent, StepReport};
pub use language_model::{LanguageModel, MaskedBatch, Score};
pub(crate) use masking::unit;
pub use masking::{Masked, Masking};
pub use run::{Run, Summary};
pub use settings::{SETTINGS, Settings};
pub use texts::read_texts;
