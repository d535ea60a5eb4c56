//! A point-to-point link as of PPP, LTE or WireGuard: two TUN devices, and a thread that carries the
//! packets between them.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use super::common::sys;
use super::network::Namespace;

/// Connects two machines, each with the name of its device, until what it returns is dropped.
pub fn connect(a: (&Namespace, &str), b: (&Namespace, &str)) -> Result<Arc<()>, String> {
    let open = |(at, name): (&Namespace, &str)| {
        at.inside(|| sys::open_tun(name))
            .map_err(|error| format!("{name}: {error}"))
    };
    let mut ends = [open(a)?, open(b)?];
    let connection = Arc::new(());
    let held = Arc::downgrade(&connection);
    std::thread::spawn(move || while held.strong_count() > 0 && carry(&mut ends).is_ok() {});
    Ok(connection)
}

fn carry(ends: &mut [File; 2]) -> std::io::Result<()> {
    let readable = {
        let [a, b] = &*ends;
        sys::wait_readable([a.as_fd(), b.as_fd()], Some(Duration::from_secs(1)))?
    };
    for (from, is_readable) in readable.into_iter().enumerate() {
        if !is_readable {
            continue;
        }
        let mut packet = [0; 2048];
        match ends[from].read(&mut packet) {
            // A device that is down takes nothing: the packet is lost.
            Ok(length) => drop(ends[1 - from].write(&packet[..length])),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
