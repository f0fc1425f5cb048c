//! `gradus serve`.

mod browser;
mod clients;
mod load;
mod protocols;
mod refusals;
mod server;
mod sockets;
mod tour;
