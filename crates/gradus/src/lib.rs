//! Train, measure and use models of graded textual similarity.

mod atomic;
pub mod calibration;
pub mod data;
mod device;
pub mod difference;
pub mod distill;
mod embeddings;
mod error;
pub mod eval;
pub mod hub;
pub mod machine;
pub mod model;
pub mod objective;
pub mod output;
mod precision;
pub mod pretrain;
pub mod sweep;
pub mod teacher;
mod tensor_writer;
pub mod tensorboard;
pub mod text;
pub mod train;

pub use device::{Device, DeviceError};
pub use embeddings::Embeddings;
pub use error::{Error, Result};
pub use precision::Precision;
