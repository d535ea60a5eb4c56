//! The network: sockets, name lookups and routes. What a received message means is decided in
//! pure/check.rs.

mod address;
mod exchange;
mod link_watch;
mod route;
mod socket;
mod socket_error;
mod target;

pub use address::{RepliesBeyond, Resolver};
pub use exchange::Exchange;
pub use link_watch::LinkWatch;
use link_watch::link_losses;
pub use route::{
    Gateway, Route, can_send, default_gateway, default_gateway_target, gateway_of, interface_fault,
    is_remote, route_to,
};
pub use socket::{
    EchoSocket, SocketOptions, SocketType, TimestampSwitch, may_open, usable_socket_type,
};
pub use socket_error::{SocketError, send_fault};
pub use target::Target;
