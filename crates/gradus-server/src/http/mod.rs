//! What all routes share.

mod auth;
mod body;
mod error;
mod protocol;
mod reply;
mod state;

pub(crate) use auth::{Keys, check as check_key};
pub(crate) use body::Body;
pub(crate) use error::{ApiError, Kind};
pub(crate) use protocol::speak;
pub(crate) use reply::Reply;
pub(crate) use state::{At, State};
