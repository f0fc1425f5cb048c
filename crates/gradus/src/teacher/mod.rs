//! Frozen models' vectors of training texts, in a growing file for each model,
//! found by the text's hash.

pub(crate) mod vectors;

pub use vectors::{Numbered, TeacherVectors, cache_folder};
