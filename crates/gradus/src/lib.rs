//! Train, measure and use models of graded textual similarity: not "same or
//! different" but "how alike".
//!
//! How alike are two texts?
//!
//! ```
//! # fn main() -> gradus::Result<()> {
//! // A folder, or a name such as "all-MiniLM-L6-v2".
//! let model = gradus::SentenceEncoder::from_pretrained("tests/fixtures/models/bert-small")?;
//! let vectors = model.encode(&["A plane is taking off.", "An air plane takes off."])?;
//! println!("{:.4}", vectors.cosine(0, 1));
//! # Ok(())
//! # }
//! ```
//!
//! To go on from here:
//!
//! | task | where |
//! |---|---|
//! | vectors and cosines | [`SentenceEncoder`] |
//! | training on graded pairs, texts or triplets | [`jobs::train`], [`recipe::Recipe`] |
//! | pretraining on plain text, small students, sweeps | [`jobs::pretrain`], [`jobs::distill`], [`jobs::sweep`] |
//! | hard negatives of sentences | [`jobs::negatives`] |
//! | scores of pairs, grades with intervals | [`jobs::score`], [`calibration`] |
//! | the seven STS tasks, correlations | [`jobs::eval`], [`eval`] |
//! | a loss of one's own | [`losses::Objective`] |
//! | a task of one's own | [`training::Task`] |
//! | models' folders, the hub, data files | [`models`], [`hub`], [`data`] |
//!
//! What [`jobs`] do is what the `gradus` command does: settings in, results out. Rooms
//! stand one upon the other, and none knows those above it; ARCHITECTURE.md in the
//! repository has the picture.

pub mod calibration;
pub mod chat;
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

pub use device::{Compute, Device, DeviceError};
pub use embeddings::{Embeddings, cosine};
pub use error::{Error, Result};
pub use models::{CrossEncoder, SentenceEncoder};
pub use precision::Precision;
