//! Why no socket could be opened to a host, or nothing sent by it.

use std::fmt;
use std::io;
use std::net::IpAddr;

use crate::pure::address::IpVersion;
use crate::pure::model::LocalFault;
use crate::pure::phrase;

/// Why this machine could not make a check.
#[derive(Debug)]
pub enum SocketError {
    /// This process may open neither type of socket.
    Permission,
    /// This machine does not support that version of IP.
    NoVersion(IpVersion),
    /// No route to the target, or no address to send from: connect(2) failed.
    CannotConnect { target: IpAddr, cause: io::Error },
    /// This machine lacks the configured source address or interface: bind(2) or setsockopt(2)
    /// failed.
    NoSource { source: String, cause: io::Error },
    /// Any other system call failed, for example for lack of descriptors or memory.
    Socket {
        operation: &'static str,
        cause: io::Error,
    },
}

impl SocketError {
    pub fn local_fault(&self) -> LocalFault {
        match self {
            SocketError::NoVersion(_) => LocalFault::Link,
            SocketError::NoSource { .. } => LocalFault::Host,
            SocketError::CannotConnect { cause, .. } => send_fault(cause),
            SocketError::Permission | SocketError::Socket { .. } => LocalFault::Other,
        }
    }
}

/// What prevented a packet from being sent: connect(2) and send(2) return EACCES for a route of
/// type prohibit, EHOSTUNREACH for unreachable, EINVAL for blackhole (ip-route(8)) and for a source
/// address that was removed, EPERM for a packet that the firewall dropped. ENOBUFS: the interface
/// takes no packets, as in the moment in which its carrier is lost (measured with veth).
pub fn send_fault(error: &io::Error) -> LocalFault {
    match error.raw_os_error() {
        Some(
            libc::ENETUNREACH
            | libc::ENETDOWN
            | libc::ENOBUFS
            | libc::EADDRNOTAVAIL
            | libc::ENODEV
            | libc::ENXIO
            | libc::EAFNOSUPPORT,
        ) => LocalFault::Link,
        Some(libc::ENOMEM | libc::EMSGSIZE) => LocalFault::Other,
        _ => LocalFault::Host,
    }
}

impl std::error::Error for SocketError {}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketError::Permission => write!(f, "no permission to send ICMP"),
            SocketError::NoVersion(version) => write!(f, "this machine has no {version}"),
            SocketError::CannotConnect { target, cause } => {
                write!(f, "cannot send to {target}: {}", phrase::send_error(cause))
            }
            SocketError::NoSource { source, cause } => write!(f, "source {source}: {cause}"),
            SocketError::Socket { operation, cause } => write!(f, "{operation}: {cause}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_blocks_every_host_may_be_the_link() {
        let fault = |errno| send_fault(&io::Error::from_raw_os_error(errno));
        for errno in [libc::ENETUNREACH, libc::ENETDOWN, libc::ENOBUFS] {
            assert_eq!(fault(errno), LocalFault::Link, "{errno}");
        }
        // The last is WireGuard's, of a peer without an endpoint.
        for errno in [libc::EPERM, libc::EACCES, libc::EINVAL, libc::EDESTADDRREQ] {
            assert_eq!(fault(errno), LocalFault::Host, "{errno}");
        }
        assert_eq!(fault(libc::EMSGSIZE), LocalFault::Other);
    }
}
