//! Reading pairs from files and from the known data sets.

mod known;
mod overlap;
mod published;
mod source;
#[path = "../support/mod.rs"]
mod support;
