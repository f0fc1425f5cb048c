//! Sentence encoders: configuration, weights, forward and backward, saving.
//!
//! A [`SentenceEncoder`] is loaded from a Hugging Face or
//! sentence-transformers folder. It is a [`Tokenizer`](crate::text::Tokenizer),
//! an [`Encoder`] over packed batches, pooling, and any Dense and Normalize
//! modules that follow. All parameters live in one flat arena whose [`Layout`]
//! names each by its safetensors name.

mod appended;
mod config;
mod denoised;
mod dense;
mod encoder;
mod error;
pub(crate) mod fields;
pub(crate) mod files;
mod folder;
mod fresh;
mod given;
mod head;
mod initial;
pub(crate) mod keys;
pub(crate) mod language_head;
mod layout;
mod modules;
mod pooling;
mod pretrained;
mod prompted;
mod prompts;
mod provenance;
mod save;
mod sentence_encoder;
mod student;
mod template;
mod tensor_file;
mod token_classifier;
mod transformer;
mod weights;

pub use config::{Architecture, EncoderConfig, FeedForward, Positions};
pub use denoised::Batch;
pub use dense::Dense;
pub use encoder::{Activations, Block, Encoder, PassContext};
pub use error::ModelError;
pub use folder::ModelFolder;
pub use fresh::{FreshModel, TokenizerFiles, write_fresh};
pub use head::{Features, RegressionHead};
pub use layout::{Layout, NamedView};
pub use modules::Modules;
pub use pooling::PoolingMode;
pub use prompts::{PromptChoice, Prompts};
pub use provenance::{Provenance, Selection, SetOverlap, TrainingRun};
pub use save::SavedModel;
pub use sentence_encoder::{EncodeOptions, ForwardState, SentenceEncoder};
pub use student::{StudentShape, check_student, evenly_spaced, write_student};
pub use template::TemplateSettings;
pub use token_classifier::TokenClassifier;
