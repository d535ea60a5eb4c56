//! Everything that touches the network: the socket of one check, and who is meant by an address.
//! Judges nothing: what a message means is for check.rs to say.

mod address;
mod exchange;
mod route;
mod socket;

pub use address::{Resolver, Target};
pub use exchange::Exchange;
pub use route::{Gateway, Link, can_send, default_gateways, place_of, target_of};
pub use socket::{
    EchoSocket, SocketError, SocketOptions, SocketType, TimestampSwitch, probe, probe_kind,
};
