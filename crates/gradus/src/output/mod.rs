//! Folders and files that a command writes, and what is in the way.
//!
//! Nothing is overwritten or removed that this program did not write. A folder
//! for results is claimed before any work ([`Claim`]): it must be empty, or
//! carry the [`Marker`] of a run that is to be replaced. What a command reads
//! ([`Inputs`]) is never written to. A model's folder holds a list of what was
//! written there, so that files of others stay when the model is replaced.

mod claim;
mod error;
mod inputs;
mod marker;
pub mod npy;
mod owned;
mod place;

pub use crate::util::atomic::{Unfinished, remove_unfinished};
pub use claim::{Claim, Existing, Held};
pub use error::{OutputError, Relation};
pub use inputs::Inputs;
pub use marker::{Marker, RunKind};
pub use owned::remove_owned;
pub(crate) use owned::{Replacement, replace_folder};
use place::free_name;
pub use place::{quoted, quoted_word};
