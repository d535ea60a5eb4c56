//! Connects to a server, with a time limit, and until the stop flag is raised.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::Target;
use crate::pure::time::Monotonic;
use crate::stop::Stop;
use crate::sys;

/// How often to look whether the connection is there.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The error is `TimedOut` when `until` has passed, and `Interrupted` when the flag is raised.
pub fn connect(target: &Target, port: u16, until: Monotonic, stop: &Stop) -> io::Result<TcpStream> {
    let mut address = target.socket_address();
    address.set_port(port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // The system's connect would wait for minutes, whatever the flag says.
    socket.set_nonblocking(true)?;
    match socket.connect(&SocketAddr::into(address)) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            wait_for(&socket, until, stop)?;
        }
        connected => connected?,
    }
    socket.set_nonblocking(false)?;
    Ok(socket.into())
}

fn wait_for(socket: &Socket, until: Monotonic, stop: &Stop) -> io::Result<()> {
    loop {
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        if socket.peer_addr().is_ok() {
            return Ok(());
        }
        let now = sys::monotonic();
        if now >= until {
            return Err(ErrorKind::TimedOut.into());
        }
        if stop.wait_until(now.after(POLL_INTERVAL).min(until)) {
            return Err(ErrorKind::Interrupted.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn target(address: SocketAddr) -> (Target, u16) {
        (Target::from(address), address.port())
    }

    #[test]
    fn a_connection_is_made_refused_or_given_up_when_the_flag_is_raised() {
        let stop = Stop::new().expect("a descriptor is free");
        let until = sys::monotonic().after(Duration::from_secs(10));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (there, port) = target(address);
        connect(&there, port, until, &stop).expect("it listens");
        drop(listener);
        let refused = connect(&there, port, until, &stop).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}
