//! `gradus serve`.

mod browser;
mod clients;
mod load;
mod protocols;
mod refusals;
mod searches;
mod server;
mod sockets;
mod tour;
