//! The folder of an index.
//!
//! ```text
//! index.json            the manifest: what counts, and what made it
//! lock                  held by who writes
//! s000001/vectors.f32   unit vectors in panels, little-endian
//! s000001/records.jsonl id, text and columns of each, a line each
//! s000001/places.u64    where each line begins, and where the last ends
//! s000001/coarse.i8     the same vectors as bytes, which bound every score
//! words-000001.bin      the words of a segment's texts, for search by words
//! removed-000001.u64    rows that are removed
//! graph-000001/         rows as a graph of neighbours, for approximate search
//! ```
//!
//! What was written is never changed. A commit writes new files, brings them and their
//! folder to the disk, and then replaces the manifest: a writer that is killed at any
//! point leaves what was committed before, and a reader keeps what it opened. What no
//! manifest names is swept away by the next writer.

mod files;
mod graph;
mod manifest;
mod map;
mod reader;
mod writer;

pub use manifest::{
    GraphFiles, Made, Manifest, ModelIdentity, NamedFile, Recall, Removed, Segment, Stamp,
};
pub use reader::{Index, Record};
pub use writer::Writer;
pub(crate) use writer::check_model;
