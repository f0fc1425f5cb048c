//! Teachers: frozen models whose vectors a student learns from.
//!
//! A teacher is deterministic, and slower than the student by far: its vectors
//! of the texts that a stage's steps will see are computed once, stored under
//! what they were computed from, and read from there ever after
//! ([`TeacherVectors`]).

mod content;
mod vectors;

pub(crate) use content::model_key;
pub use vectors::{Numbered, TeacherVectors, cache_folder};
