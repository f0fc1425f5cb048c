//! Pretraining: a BERT learns, from plain text, to predict the tokens that were
//! masked (Devlin et al. 2019).
//!
//! [`Settings`] are the whole run, [`Run`] carries it out, from a model folder
//! that may be fresh ([`write_fresh`](crate::models::write_fresh)) to one that
//! the rest of this crate takes as it is.

pub(crate) mod batches;
pub(crate) mod card;
pub(crate) mod corpus;
pub(crate) mod events;
pub(crate) mod run;
pub(crate) mod settings;
pub(crate) mod steps;
pub(crate) mod texts;

pub use batches::Batches;
pub use corpus::Corpus;
pub use events::{HeldOut, Observer, Plan, Silent, StepReport};
pub use run::{Run, Summary};
pub use settings::{SETTINGS, Settings};
pub use texts::read_texts;
