//! What every backend must do.
//!
//! [`conformance`] is the suite: each operation and its backward against plain
//! definitions in f64 ([`mod@reference`]) on random shapes, and the two promises of
//! [`Backend`](gradus_kernels::Backend): the same bits whatever else is in a
//! batch, and whatever the degree of parallelism. A backend whose products are
//! in bf16 passes [`conformance_in_bf16`], one that infers in bytes [`conformance_in_int8`].
//!
//! [`Plain`] is a backend of plain loops that sums in f64: slow, and near enough
//! to exact to compare others with. Its tensors, batches and arenas are types of
//! its own, so what passes on it assumes no processor.
//!
//! # A new backend
//!
//! A test target without the usual harness reports what could not run on this
//! machine as ignored:
//!
//! ```no_run
//! use gradus_conformance::{Plain, Suite, conformance, run};
//!
//! fn main() -> std::process::ExitCode {
//!     // Any backend; the argument is the number of threads to work on.
//!     let suite = Suite::new("plain", true, conformance(|_threads| Plain::default()));
//!     run("devices", vec![suite])
//! }
//! ```

mod checks;
mod harness;
mod plain;
pub mod reference;
mod support;

pub use checks::{conformance, conformance_in_bf16, conformance_in_int8};
pub use harness::{Check, Suite, run};
pub use plain::{
    Matrix, Plain, PlainArena, PlainAttended, PlainBatch, PlainFeedForward, PlainScored,
};
