//! Watches the links of this machine in one thread for all hosts, so that a check can ask what
//! happened to its link while it ran.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::pure::link_history::{LinkHistory, LinkLoss};
use crate::pure::time::Monotonic;
use crate::stop::Stop;
use crate::sys::{self, LinkEvents};

static HISTORY: Mutex<LinkHistory> = Mutex::new(LinkHistory::new());

const STACK_BYTES: usize = 64 * 1024;

/// The running thread; it ends when this is dropped.
#[derive(Debug)]
pub struct LinkWatch {
    running: Option<(Stop, JoinHandle<()>)>,
}

impl LinkWatch {
    /// Where the system does not report changes, or this process may not receive them, only the
    /// state of a link at the end of a check is known.
    pub fn start() -> LinkWatch {
        let running = try_start()
            .inspect_err(|error| log::debug!("changes of links are not watched: {error}"))
            .ok();
        LinkWatch { running }
    }
}

impl Drop for LinkWatch {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            stop.raise();
            drop(thread.join());
        }
    }
}

fn try_start() -> std::io::Result<(Stop, JoinHandle<()>)> {
    let events = LinkEvents::open()?;
    let stop = Stop::new()?;
    let flag = stop.clone();
    read(&events)?;
    let run = move || {
        // Nothing is due: only an event or the stop ends a wait.
        let far = || sys::monotonic().after(Duration::from_secs(86_400));
        while !flag.wait_readable(events.as_fd(), far()) {
            if let Err(error) = read(&events) {
                log::debug!("changes of links: {error}");
            }
        }
    };
    let thread = thread::Builder::new()
        .name("links".into())
        .stack_size(STACK_BYTES)
        .spawn(run)?;
    Ok((stop, thread))
}

fn read(events: &LinkEvents) -> std::io::Result<()> {
    events.read(|change| history().add(change, sys::monotonic()))
}

fn history() -> MutexGuard<'static, LinkHistory> {
    HISTORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was lost since an instant of what packets by an interface, from this machine's address
/// `own`, need.
pub fn link_losses(interface: Option<&str>, own: IpAddr, since: Monotonic) -> Vec<LinkLoss> {
    history().losses(interface, own, since).collect()
}
