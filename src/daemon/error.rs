//! Why the monitor cannot start.

use std::fmt;
use std::io;

use crate::pure::phrase::count;
use crate::store::StoreError;
use crate::web::WebError;

#[derive(Debug)]
pub enum DaemonError {
    /// Neither a datagram nor a raw socket for ICMP is permitted.
    Permission,
    /// The hosts, or with 0 hosts the dashboard alone, need more open files than this process may
    /// have.
    OpenFiles {
        hosts: usize,
        needed: u64,
        limit: u64,
    },
    /// A thread could not be started or a descriptor not be created.
    Resources {
        what: String,
        cause: io::Error,
    },
    Store(StoreError),
    /// The dashboard cannot listen.
    Web(WebError),
}

impl DaemonError {
    /// Wraps the error of starting something that takes a thread or a descriptor.
    pub fn starting(what: impl Into<String>) -> impl Fn(io::Error) -> DaemonError {
        let what = what.into();
        move |cause| DaemonError::Resources {
            what: what.clone(),
            cause,
        }
    }
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DaemonError::Permission => {
                f.write_str("sending ICMP: no permission for a datagram or a raw socket")
            }
            DaemonError::OpenFiles {
                hosts: 0,
                needed,
                limit,
            } => write!(
                f,
                "the dashboard takes {needed} open files, the limit is {limit}"
            ),
            DaemonError::OpenFiles {
                hosts,
                needed,
                limit,
            } => write!(
                f,
                "hosts: checking {} takes {needed} open files, the limit is {limit}",
                count(hosts, "host")
            ),
            DaemonError::Resources { what, cause } => write!(f, "starting {what}: {cause}"),
            DaemonError::Store(error) => error.fmt(f),
            DaemonError::Web(error) => error.fmt(f),
        }
    }
}

impl From<WebError> for DaemonError {
    fn from(error: WebError) -> Self {
        DaemonError::Web(error)
    }
}

impl From<StoreError> for DaemonError {
    fn from(error: StoreError) -> Self {
        DaemonError::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_open_files_names_what_needs_more() {
        let message = |hosts| {
            DaemonError::OpenFiles {
                hosts,
                needed: 136,
                limit: 64,
            }
            .to_string()
        };
        assert_eq!(
            message(0),
            "the dashboard takes 136 open files, the limit is 64"
        );
        assert_eq!(
            message(1),
            "hosts: checking 1 host takes 136 open files, the limit is 64"
        );
    }
}
