//! Opens the listening sockets for `dashboard.host` and `dashboard.port`, or reports why that fails.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::AsFd;

use crate::sys;

/// What the kernel may hold of a response that the client does not read. The kernel doubles it, so
/// 64 such clients take 8 MB; its own limit would be 4 MB for each.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Why the dashboard cannot be served.
#[derive(Debug)]
pub enum WebError {
    /// Another program listens at this address and port.
    Taken { address: String },
    /// `address` is an address or a name, with the port.
    Bind { address: String, cause: io::Error },
    /// No thread or file descriptor was available for `what`.
    Resources {
        what: &'static str,
        cause: io::Error,
    },
}

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebError::Taken { address } => write!(f, "dashboard: {address}: the port is taken"),
            WebError::Bind { address, cause } => write!(f, "dashboard: {address}: {cause}"),
            WebError::Resources { what, cause } => write!(f, "dashboard: starting {what}: {cause}"),
        }
    }
}

impl WebError {
    pub fn hint(&self) -> &'static str {
        match self {
            WebError::Taken { .. } => {
                "choose another with --port or dashboard.port, or serve no dashboard: monitor --no-dashboard"
            }
            WebError::Bind { .. } => {
                "dashboard.host (or --host) must be an address or a name of this machine, the port above 1023"
            }
            WebError::Resources { .. } => {
                "raise the limits: TasksMax= and LimitNOFILE= in the service unit, ulimit"
            }
        }
    }
}

impl std::error::Error for WebError {}

/// Listens at every address of `host`. One of several addresses may be missing on this machine, but
/// none may be taken. With port 0 all get the port that the first one gets.
pub(super) fn bind(host: &str, port: u16) -> Result<Vec<TcpListener>, WebError> {
    let addresses: Vec<SocketAddr> = if host.eq_ignore_ascii_case("localhost") {
        // The resolver may know only one of the two.
        [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ]
        .map(|address| (address, port).into())
        .into()
    } else {
        let failed = |cause| WebError::Bind {
            address: format!("{host}:{port}"),
            cause,
        };
        (host, port).to_socket_addrs().map_err(failed)?.collect()
    };
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut bound = Vec::new();
    let mut missing = None;
    for mut address in addresses {
        if port == 0
            && let Some(first) = listeners
                .first()
                .and_then(|listener| listener.local_addr().ok())
        {
            address.set_port(first.port());
        }
        if bound.contains(&address) {
            continue;
        }
        bound.push(address);
        match listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse && port != 0 => {
                return Err(WebError::Taken {
                    address: address.to_string(),
                });
            }
            Err(cause) => {
                missing = missing.or(Some(WebError::Bind {
                    address: address.to_string(),
                    cause,
                }))
            }
        }
    }
    match (listeners.is_empty(), missing) {
        (true, Some(error)) => Err(error),
        (true, None) => Err(WebError::Bind {
            address: format!("{host}:{port}"),
            cause: ErrorKind::AddrNotAvailable.into(),
        }),
        (false, missing) => {
            if let Some(error) = missing {
                log::debug!("{error}; the dashboard listens at the other address");
            }
            Ok(listeners)
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // A connection that is closed before it is accepted must not block accept: select(2), BUGS.
    listener.set_nonblocking(true)?;
    // Accepted sockets inherit this.
    sys::limit_send_buffer(listener.as_fd(), SEND_BUFFER_BYTES)?;
    Ok(listener)
}
