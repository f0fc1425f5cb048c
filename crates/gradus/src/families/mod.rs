//! Families of transformers, such as BERT and Nomic BERT: the keys of their
//! `config.json`, which [`EncoderConfig`] they mean, and the names of their
//! tensors.

mod bert_like;
mod config;
mod encoder_config;
pub(crate) mod keys;
pub(crate) mod names;

pub use encoder_config::{Architecture, EncoderConfig, FeedForward, Positions};
