//! Cards of NVIDIA's, without a toolkit: the driver and NVIDIA's libraries are opened when they are asked for,
//! so that a program starts on machines that have none, and says what is missing on those that should.
//!
//! - [`Machine::find`] lists cards, [`Machine::libraries`] libraries;
//! - [`Cuda`] is the [`Backend`](gradus_kernels::Backend) for a card, in f32 or bf16.
//!
//! Kernels are CUDA C++ (`kernels/`), kept as PTX (`ptx/`) that the driver compiles for the card that there
//! is. `emulator/` has a library that stands in for the driver and runs the same sources on the processor, for
//! tests.

mod backend;
mod batch;
mod blas;
mod context;
mod cuda;
mod driver;
mod error;
mod functions;
mod libraries;
mod machine;
mod modules;
mod ops;
mod stream;
mod tensor;
mod zeros;

pub use batch::Batch;
pub use cuda::{Cuda, Precision};
pub use error::CudaError;
pub use libraries::Library;
pub use machine::{Card, Machine};
pub use ops::attention::Attended;
pub use ops::ends::Scored;
pub use ops::optimizer::GradientNorm;
pub use tensor::{Arena, Tensor};
