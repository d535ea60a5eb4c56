//! What the system permits this process: how many open files, and to ping.

use super::error::DaemonError;
use crate::net::{self, SocketError};
use crate::pure::address::IpVersion;
use crate::{sys, web};

/// Descriptors of the database, the log, signals, the timestamp switch and lookups.
const OTHER_FILES: u64 = 64;
/// A monitored host has a stop flag and, during a check, a socket.
const FILES_PER_MONITORED_HOST: u64 = 2;
/// While it is silent it has two sockets more: MAX_WAITING_SOCKETS in pinger/probing.rs.
const FILES_PER_SILENT_HOST: u64 = 4;

/// Makes sure that this process may monitor this many hosts, before it changes anything.
pub fn prepare_to_monitor(hosts: usize) -> Result<(), DaemonError> {
    allow_files_for_monitoring(hosts)?;
    require_ping_permission()
}

/// Makes sure that this process may check this many hosts once, all at the same time.
pub fn prepare_for_one_check(hosts: usize) -> Result<(), DaemonError> {
    allow_files(hosts, hosts as u64)?;
    require_ping_permission()
}

/// Raises the limit of open files to what this many monitored hosts and the dashboard need.
pub fn allow_files_for_monitoring(hosts: usize) -> Result<(), DaemonError> {
    let files = |per_host| hosts as u64 * per_host + web::MAX_FILES;
    allow_files(hosts, files(FILES_PER_MONITORED_HOST))?;
    // Where the system refuses, some probes are left out if every host is silent.
    let _ = sys::allow_open_files(files(FILES_PER_SILENT_HOST) + OTHER_FILES);
    Ok(())
}

/// Raises the limit of open files to what the dashboard alone needs.
pub fn allow_files_for_dashboard() -> Result<(), DaemonError> {
    allow_files(0, web::MAX_FILES)
}

fn allow_files(hosts: usize, files: u64) -> Result<(), DaemonError> {
    let needed = files + OTHER_FILES;
    sys::allow_open_files(needed).map_err(|limit| DaemonError::OpenFiles {
        hosts,
        needed,
        limit,
    })
}

/// Fails where this process may ping over neither IP version, and for lack of permission.
fn require_ping_permission() -> Result<(), DaemonError> {
    let sockets = [IpVersion::V4, IpVersion::V6].map(net::usable_socket_type);
    let is_refused = |socket: &Result<_, _>| matches!(socket, Err(SocketError::Permission));
    if sockets.iter().any(is_refused) && !sockets.iter().any(Result::is_ok) {
        Err(DaemonError::Permission)
    } else {
        Ok(())
    }
}
