//! The suite on a backend that shares nothing with the processor's: its own
//! matrices, arenas and batches, attention saved for backward as devices save
//! it. What passes on both assumes neither.

use gradus_conformance::{Plain, Suite, conformance, run};

fn main() -> std::process::ExitCode {
    let suite = Suite::new("plain", true, conformance(|_| Plain::default()));
    run("backends", vec![suite])
}
