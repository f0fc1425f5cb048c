//! Teachers: frozen models whose vectors a student learns from.
//!
//! A teacher is deterministic, and slower than the student by far: its vectors
//! of all training texts are computed once, kept in a file that is known by
//! what went into it, and read from there ever after ([`TeacherVectors`]).

mod content;
mod vectors;

pub(crate) use content::model_key;
pub use vectors::{TeacherVectors, cache_folder};
