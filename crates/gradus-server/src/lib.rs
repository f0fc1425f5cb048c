//! Models behind HTTP: vectors, scores, grades and rankings, by the protocols that
//! clients speak already.
//!
//! A request goes down through these rooms:
//!
//! ```text
//!   listen     sockets: TCP, Unix, TLS; connections, and the end of all of them
//!     |
//!   http       what all routes share: keys, limits, errors in each protocol's words
//!     |
//!   routes     one file a protocol: what is asked, what is answered
//!     |
//!   work       from inputs to answers: tokenizing, waiting, refusing what is no number
//!     |
//!   engine     the queue, and the thread that computes batches
//!     |
//!   model      what is served
//! ```
//!
//! Answers have the bits that `gradus encode` gives, whatever else is under way.

mod cache;
mod engine;
mod http;
mod indexes;
mod listen;
mod measures;
mod model;
mod page;
mod routes;
mod server;
mod settings;
mod work;

pub use listen::{Address, Tls};
pub use server::{ServeError, Server};
pub use settings::{IndexSettings, Limits, ModelSettings, ServerSettings};
