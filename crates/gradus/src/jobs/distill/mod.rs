//! Distillation: small students that learn a teacher's vectors from texts
//! without labels.
//!
//! A [`Distillation`] is made of [`DistillSettings`] and [`Students`]. A student is written
//! by [`write_student`](crate::models::write_student) and trained by an ordinary
//! [`Recipe`](crate::recipe::Recipe), which the settings make. What is of its own
//! here: the texts, of which some are held out ([`Texts`]), how well a student agrees
//! with its teacher on those ([`Agreement`]), and the table of score against speed
//! and size ([`StudentTable`]).

mod agreement;
mod job;
mod measuring;
mod plan;
mod settings;
mod sizes;
mod student_run;
mod students;
mod table;
mod texts;

pub use agreement::Agreement;
pub use job::Distillation;
pub use plan::{Plan, StudentState};
pub use settings::{DistillSettings, Imitation, SETTINGS};
pub use sizes::Sizes;
pub use students::{FreshLayers, Layers, Students};
pub use table::{StudentRow, StudentTable};
pub use texts::{HELD_OUT, TRAIN, Texts};
