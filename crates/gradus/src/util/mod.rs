//! What every part of the crate may use and that knows none of them.

pub(crate) mod atomic;
pub mod content_hash;
#[cfg(feature = "hub")]
pub(crate) mod http;
pub(crate) mod interned;
pub mod machine;
pub(crate) mod observer;
pub(crate) mod origin;
mod random;
pub(crate) mod tensor_writer;
pub mod tensorboard;
pub(crate) mod text_table;
mod token;
pub mod words;

pub use atomic::{Unfinished, remove_unfinished};
pub use observer::{Observer, Silent, Transfer, check_cancelled};
pub use random::random;
pub use token::Token;

/// Variables of the environment that name the roots to trust, a PEM file, in the order
/// in which they count.
pub(crate) const CERTIFICATE_VARIABLES: [&str; 3] =
    ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
