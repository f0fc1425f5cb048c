//! Train, measure and use models of graded textual similarity.
//!
//! How alike are two texts?
//!
//! ```no_run
//! # fn main() -> gradus::Result<()> {
//! let model = gradus::SentenceEncoder::from_pretrained("all-MiniLM-L6-v2")?;
//! let vectors = model.encode(&["A plane is taking off.", "An air plane takes off."], Default::default())?;
//! println!("{:.4}", vectors.cosine(0, 1));
//! # Ok(())
//! # }
//! ```
//!
//! [`train`] trains on graded pairs, texts or triplets by a
//! [`Recipe`](train::Recipe), [`pretrain`] on plain text, [`distill`] makes small
//! students; [`eval`] measures, [`calibration`] turns scores into grades with
//! intervals. [`model`] loads and saves folders of Hugging Face and
//! sentence-transformers, [`hub`] fetches them, [`data`] reads pairs.

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
pub use model::SentenceEncoder;
pub use precision::Precision;
