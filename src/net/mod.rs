//! Everything that touches the network: the socket of one check, and who is meant by an address.
//! Judges nothing: what a message means is for check.rs to say.

mod address;
mod exchange;
mod route;
mod socket;

pub use address::{Resolver, Target};
pub use exchange::Exchange;
pub use route::{Gateway, Link, default_gateways, is_way_clear, place_of, target_of};
pub use socket::{EchoSocket, Fault, Kind, SocketOptions, StampKeeper, probe, probe_kind};
