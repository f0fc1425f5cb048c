//! Reading pairs from files and from the known data sets.

mod known;
mod source;
#[path = "../support/mod.rs"]
mod support;
