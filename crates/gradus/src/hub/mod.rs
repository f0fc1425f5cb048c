//! Fetching models and data sets.

mod error;
pub use error::HubError;
