//! Search by meaning: texts with their vectors in a folder, and the nearest of them,
//! exactly.
//!
//! ```text
//!   jobs         what commands do: build, add, remove, merge, verify, search
//!     |
//!   store        the folder: segments, manifest, what is removed
//!     |
//!   filter       conditions on the columns of texts
//!     |
//!   neighbours   the best rows by the products of the engine
//! ```

mod error;
pub mod filter;
pub mod jobs;
pub mod neighbours;
pub mod store;

pub use error::IndexError;

/// What functions of this crate return.
pub type Result<T, E = IndexError> = std::result::Result<T, E>;
