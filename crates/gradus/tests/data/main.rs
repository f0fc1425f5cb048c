//! Reading pairs from files and from the known data sets.

mod known;
mod lists;
mod overlap;
mod parquet;
mod published;
mod source;
#[path = "../support/mod.rs"]
mod support;
