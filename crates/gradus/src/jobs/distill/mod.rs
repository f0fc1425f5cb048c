//! Distillation: small students that learn a teacher's vectors from texts
//! without labels.
//!
//! A student is written by [`write_student`](crate::model::write_student) and
//! trained by an ordinary [`Recipe`](crate::train::Recipe), which [`Settings`]
//! makes. What is of its own here: the texts, of which some are held out
//! ([`Texts`]), how well a student agrees with its teacher on those
//! ([`Agreement`]), and the table of score against speed and size ([`Table`]).

pub(crate) mod agreement;
pub(crate) mod settings;
pub(crate) mod sizes;
pub(crate) mod table;
pub(crate) mod texts;

pub use agreement::Agreement;
pub use settings::{Imitation, SETTINGS, Settings};
pub use sizes::Sizes;
pub use table::{Row, Table};
pub use texts::{HELD_OUT, TRAIN, Texts};
