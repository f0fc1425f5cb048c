//! The files of model folders: JSON of which every key is obeyed, known to be
//! without effect, or refused by name; tensors; prompts; what is known of a model's
//! origin.

pub(crate) mod content;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod files;
pub(crate) mod keys;
pub(crate) mod prompts;
pub(crate) mod provenance;
pub(crate) mod quantized;
pub(crate) mod tensor_file;

pub use content::content_key;
pub(crate) use content::model_key;
pub use error::ModelError;
pub use prompts::{PromptChoice, Prompts};
pub use provenance::{Provenance, Selection, SetOverlap, TrainingRun};
