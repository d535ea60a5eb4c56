//! The network: sockets, name lookups and routes. What a received message means is decided in
//! pure/check.rs.

mod address;
mod exchange;
mod route;
mod socket;
mod target;

pub use address::Resolver;
pub use exchange::Exchange;
pub use route::{
    Gateway, Route, can_send, default_gateway, default_gateway_target, gateway_of, interface_fault,
    route_to,
};
pub use socket::{
    EchoSocket, SocketError, SocketOptions, SocketType, TimestampSwitch, may_open, send_fault,
    usable_socket_type,
};
pub use target::Target;
