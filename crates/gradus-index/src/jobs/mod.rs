//! What commands do with an index: settings in, results out.

mod build;
pub mod cluster;
pub mod dedupe;
mod folder;
mod graph;
mod input;
mod maintain;
pub mod mine;
mod model;
mod search;

pub use build::{AddSettings, Added, BuildSettings, COMMIT, Shard, add, build};
pub use graph::{GraphMade, make_graph};
pub use input::Input;
pub use maintain::{Merged, Verified, merge, remove, verify};
pub use search::{Approximate, Found, Rerank, SearchSettings, Searcher};
