//! The rows nearest to queries, exactly, by the products of the engine. A score's bits
//! depend neither on threads nor on the other queries; of equal scores the lower row
//! comes first.

mod matrix;
mod rows;
mod top;

pub(crate) use matrix::copy_vector;
pub use matrix::{Matrix, PackedVectors};
pub use rows::Rows;
pub(crate) use top::any_above;
pub use top::{Hit, above, nearest};
