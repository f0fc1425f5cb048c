//! Stands in for the HTTP client in a build that has none.

use super::response::Reply;
use super::{HubConfig, HubError};
use crate::Result;

/// Cannot be made.
pub(super) enum Client {}

impl Client {
    /// Says that this build makes no requests.
    pub(super) fn new(_config: &HubConfig) -> Result<Self> {
        Err(HubError::Disabled.into())
    }

    pub(super) fn get(&self, _url: &str, _from: u64) -> Result<Reply> {
        match *self {}
    }

    pub(super) fn head(&self, _url: &str) -> Result<Reply> {
        match *self {}
    }
}
