//! Making hard negatives: by a language model behind a chat endpoint, or by rules.
//!
//! [`by_model`] asks for each sentence and keeps every answer in a [`Journal`] beside
//! the output, so that nothing is asked for twice; [`by_rules`] needs no model. Both
//! judge what they got and write [rows](crate::data::negatives::NegativeRow).

mod answer;
mod asking;
mod budget;
mod by_model;
mod by_rules;
mod estimate;
mod journal;
mod prompts;
mod request;
mod sentences;
mod settings;
mod summary;
mod writing;

pub use answer::Answer;
pub use budget::Limits;
pub use by_model::by_model;
pub use by_rules::by_rules;
pub use estimate::{Estimate, estimate};
pub use journal::Journal;
pub use prompts::{Prompt, Prompts, print_prompts};
pub use request::Request;
pub use settings::{ModelSettings, NegativesSettings, RuleSettings};
pub use summary::{Summary, UnmadeSentence};
