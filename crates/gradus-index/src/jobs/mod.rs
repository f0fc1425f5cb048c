//! What commands do with an index: settings in, results out.

mod build;
mod maintain;
mod model;
mod search;

pub use build::{AddSettings, Added, BuildSettings, Shard, add, build};
pub use maintain::{Merged, Verified, merge, remove, verify};
pub use search::{Found, Rerank, SearchSettings, Searcher};
