//! What a server is asked to do.

use crate::listen::{Address, Tls};
use gradus::format::PromptChoice;
use gradus::jobs::Model;
use std::path::PathBuf;
use std::time::Duration;

/// A model to serve.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// The name that requests call it by.
    pub name: String,
    /// Where it is.
    pub model: Model,
    /// The prompt before texts of requests that name none.
    pub prompt: Option<PromptChoice>,
}

/// An index to serve.
#[derive(Debug, Clone)]
pub struct IndexSettings {
    /// The name that requests call it by.
    pub name: String,
    /// Where it is. What is committed to it later is found too.
    pub folder: PathBuf,
}

/// What requests may ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Bytes of a request.
    pub body: usize,
    /// Bytes of one text.
    pub text: usize,
    /// Texts, pairs or documents of a request.
    pub items: usize,
    /// Tokens that wait in the queue before requests are turned away. A request is taken
    /// whole or not at all.
    pub queued_tokens: usize,
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// Time that a request may take from its arrival to its answer.
    pub request_time: Duration,
    /// Time that a client may take to send a request.
    pub receive_time: Duration,
    /// Time for requests under way when the server is told to stop.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 32 << 20,
            text: 1 << 20,
            items: 1 << 16,
            queued_tokens: 1 << 20,
            connections: 4096,
            request_time: Duration::from_secs(60),
            receive_time: Duration::from_secs(30),
            drain_time: Duration::from_secs(30),
        }
    }
}

/// Everything a server is asked to do.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The models; the first one that can do what is asked answers requests that name
    /// none.
    pub models: Vec<ModelSettings>,
    /// Indexes to search; the first one answers requests that name none.
    pub indexes: Vec<IndexSettings>,
    /// Threads for searching; 0 for one per core.
    pub threads: usize,
    /// Where it listens.
    pub address: Address,
    /// The certificate, for HTTPS.
    pub tls: Option<Tls>,
    /// Keys, of which requests must bring one; where there are none all are answered.
    pub keys: Vec<String>,
    /// Origins whose pages may send requests; `*` for all.
    pub origins: Vec<String>,
    /// Tokens of a batch; what suits the device where none are set.
    pub batch_tokens: Option<usize>,
    /// Bytes of memory for answers that were given before; 0 for none.
    pub cache: usize,
    /// Whether texts that are too long are cut, where requests do not say.
    pub truncate: bool,
    /// What requests may ask for.
    pub limits: Limits,
}
