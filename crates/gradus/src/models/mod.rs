//! Models: an encoder with all that its folder says goes around it.
//!
//! [`SentenceEncoder`] gives vectors of texts, [`CrossEncoder`] scores of pairs,
//! [`MaskedLm`] scores of masked tokens, [`TokenClassifier`] classes of tokens. All load folders of Hugging Face
//! and sentence-transformers.

mod ahead;
pub(crate) mod appended;
pub(crate) mod cross_encoder;
pub(crate) mod folder;
pub(crate) mod fresh;
mod identity;
mod inference;
#[cfg(test)]
mod keys_page;
pub(crate) mod masked_lm;
pub(crate) mod modules;
pub(crate) mod pretrained;
pub(crate) mod prompted;
pub(crate) mod save;
pub(crate) mod sentence_encoder;
pub(crate) mod student;
pub(crate) mod template;
pub(crate) mod template_bias;
pub(crate) mod token_classifier;
mod training_pass;
pub(crate) mod transformer;
pub(crate) mod weights;

pub use ahead::inputs_at_a_time;
pub use cross_encoder::{CrossDescription, CrossEncoder, CrossForward};
pub use cross_encoder::{RankedDocument, ScoreActivation, Scores};
pub use folder::ModelFolder;
pub use fresh::{FreshModel, TokenizerFiles, write_fresh};
pub use identity::content_hash;
pub use masked_lm::{MaskedBatch, MaskedLm, Score};
pub use modules::Modules;
pub use prompted::PromptedTokenizer;
pub use save::SavedModel;
pub use sentence_encoder::{EncodeOptions, SentenceEncoder};
pub use student::{StudentShape, check_student, evenly_spaced, write_student};
pub use template::TemplateSettings;
pub use template_bias::Batch;
pub use token_classifier::TokenClassifier;
pub use training_pass::ForwardState;
