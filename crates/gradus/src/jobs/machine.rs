//! What this machine can do at best, measured: what rates are compared with.

use crate::{DeviceError, Result};
use gradus_kernels::cpu::{Isa, Peak, Unavailable};
use serde::Serialize;
use std::time::Duration;

/// How long each rate is measured.
const TIME: Duration = Duration::from_millis(200);

/// How much memory is gone through: more than most caches hold.
const BYTES: usize = 256 << 20;

/// The machine's best rates on some threads, each that of the best of several moments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// How many threads work.
    pub threads: usize,
    /// The instructions in use.
    pub instructions: String,
    /// Multiplications and additions of f32 in a second, each counted.
    pub f32_operations_per_second: f64,
    /// The same in bf16 with sums in f32, where there are such instructions.
    pub bf16_operations_per_second: Option<f64>,
    /// Bytes that a sum over much memory reads in a second.
    pub read_bytes_per_second: f64,
    /// Bytes read and written in a second where much memory is changed in place.
    pub update_bytes_per_second: f64,
}

/// Measures the processor on `threads` threads (0: one per core), for about a second.
///
/// # Errors
/// [`Error::NoDevice`](crate::Error::NoDevice) where `GRADUS_ISA` names instructions
/// that the processor lacks.
pub fn measure(threads: usize) -> Result<Machine> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        n => n,
    };
    let found = |e: Unavailable| DeviceError::from(e);
    let isa = Isa::from_env().map_err(found)?;
    let peak = Peak::measure(threads, isa, TIME, BYTES).map_err(found)?;
    Ok(Machine {
        threads,
        instructions: isa.to_string(),
        f32_operations_per_second: peak.f32,
        bf16_operations_per_second: peak.bf16,
        read_bytes_per_second: peak.read,
        update_bytes_per_second: peak.update,
    })
}
