//! The network: sockets, name lookups and routes. What a received message means is decided in
//! pure/check.rs.

mod address;
mod exchange;
mod link_watch;
mod machine;
mod ping_socket;
mod route;
mod socket;
mod socket_error;
mod target;
mod tcp;

pub use address::{RepliesBeyond, Resolver, default_gateway_target};
pub use exchange::Exchange;
pub use link_watch::LinkWatch;
pub use machine::{LookupResult, Machine, ThisMachine};
pub use ping_socket::PingSocket;
pub use route::{Gateway, Route, default_gateway, gateway_of, interface_fault, route_to};
pub use socket::{
    EchoSocket, SocketOptions, SocketType, TimestampSwitch, may_open, usable_socket_type,
};
pub use socket_error::{SocketError, send_fault};
pub use target::Target;
pub use tcp::connect;
