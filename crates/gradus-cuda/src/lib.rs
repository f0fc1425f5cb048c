//! Cards of NVIDIA's, found without a toolkit: the driver and NVIDIA's libraries are opened
//! when they are asked for, so that a program starts on machines that have none, and says
//! what is missing on those that should.
//!
//! Nothing here computes yet: [`Machine::find`] lists cards and libraries.

mod driver;
mod error;
mod libraries;
mod machine;

pub use error::CudaError;
pub use libraries::Library;
pub use machine::{Card, Machine};
