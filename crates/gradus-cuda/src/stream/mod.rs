//! Streams of work: what is queued and how, and the memory that it works on.

pub(crate) mod graphs;
pub(crate) mod lane;
pub(crate) mod list;
pub(crate) mod memory;
pub(crate) mod plain;
pub(crate) mod profile;
pub(crate) mod queue;
