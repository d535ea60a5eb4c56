//! Everything that touches the network: the socket of one check, and who is meant by an address. Judges nothing: what a
//! message means is for check.rs to say.

mod address;
mod gateway;
mod socket;

pub use address::{Resolver, Target};
pub use gateway::{Gateway, default_gateways};
pub use socket::{EchoSocket, Fault, Kind, SocketOptions, StampKeeper, probe, probe_kind};
