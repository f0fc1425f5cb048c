//! What commands do with an index: settings in, results out.

mod build;
pub mod cluster;
pub mod dedupe;
mod folder;
mod graph;
mod input;
mod lookup;
mod maintain;
pub mod mine;
mod model;
mod search;
mod words;

pub use build::{AddSettings, Added, BuildSettings, COMMIT, add, build};
pub use graph::{GraphMade, make_graph};
pub use input::Input;
pub use lookup::{Approximate, Found, Lookup, Opened};
pub use maintain::{Merged, Verified, merge, remove, verify};
pub use search::{Rerank, SearchSettings, Searcher};
pub use words::keep_words;
