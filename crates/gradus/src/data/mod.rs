//! Graded pairs: reading, known data sets, label maps, filters.

mod error;
pub use error::DataError;
