//! Asking language models behind a chat endpoint.
//!
//! [`Chat`] sends requests in the form of OpenAI's `POST /v1/chat/completions`, which
//! llama.cpp, vLLM, Ollama and the large services share, and brings back [`ChatReply`]s.
//! It waits as the server says, tries again what may succeed later, and stops with the
//! server's own words at what will not. One [`Chat`] serves many threads: all of them
//! keep one pace.

mod address;
#[cfg_attr(not(feature = "hub"), path = "client_off.rs")]
mod client;
mod config;
mod error;
mod pace;
mod reply;
mod retry;
mod session;

pub use address::ChatAddress;
pub use config::ChatConfig;
pub use error::ChatError;
pub use reply::{ChatReply, Usage};
pub use session::{Asked, Chat};
