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

pub mod calibration;
pub mod data;
mod device;
mod embeddings;
mod error;
pub mod eval;
pub mod families;
pub mod format;
pub mod hub;
pub mod jobs;
pub mod losses;
pub mod models;
pub mod nn;
pub mod output;
mod precision;
pub mod recipe;
pub mod tasks;
pub mod teacher;
pub mod text;
pub mod training;
pub mod util;

pub use device::{Device, DeviceError};
pub use embeddings::Embeddings;
pub use error::{Error, Result};
pub use models::SentenceEncoder;
pub use precision::Precision;
