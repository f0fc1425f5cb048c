//! Sockets and connections.

mod address;
mod connections;
mod tls;

pub use address::Address;
pub(crate) use address::Listener;
pub(crate) use connections::serve;
pub use tls::{Tls, TlsError};
