//! Search by meaning: texts with their vectors in a folder, and the nearest of them,
//! exactly.
//!
//! ```text
//!   jobs         what commands do: build, search, cluster, dedupe, mine, ...
//!     |
//!   store        the folder: segments, manifest, what is removed
//!     |
//!   duplicates   texts that say again what an earlier one said
//!     |
//!   graph        rows as a graph of neighbours, for approximate search
//!     |
//!   groups       texts around means, in neighbourhoods, by density; their words
//!     |
//!   filter       conditions on the columns of texts
//!     |
//!   neighbours   the best rows by the products of the engine
//! ```

pub mod duplicates;
mod error;
pub mod filter;
pub mod graph;
pub mod groups;
pub mod jobs;
pub mod neighbours;
pub mod store;

pub use error::IndexError;

/// What functions of this crate return.
pub type Result<T, E = IndexError> = std::result::Result<T, E>;
