//! Hard negatives: sentences of nearly the same words and another meaning.
//!
//! [`rules`] makes them of a sentence alone; [`filters`] says which of a language
//! model's are fit for use; [`NegativeRow`] is what is written of them, a row that a
//! recipe reads as a triplet.

pub mod filters;
mod row;
pub mod rules;
mod words;

pub use row::{Layout, NegativeRow, RowForm, RowWriter};
