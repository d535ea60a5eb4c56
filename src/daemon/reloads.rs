//! Reads the configuration and opens the log file again, in a thread of its own: either may lie on a
//! network file system that does not answer, and signals are handled meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use super::{Reload, Reloaded};
use crate::logging::LogHandle;
use crate::pure::time::Monotonic;
use crate::sys;

/// How often the main thread looks for the result.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// A reload that takes longer is logged.
const MAX_SILENT: Duration = Duration::from_secs(5);

pub struct Reloads {
    reload: Reload,
    log: LogHandle,
    running: Option<Running>,
    /// Whether another was requested while one runs.
    is_requested: bool,
}

struct Running {
    result: Receiver<Reloaded>,
    began: Monotonic,
    is_logged: bool,
}

pub enum Progress {
    /// Nothing new.
    None,
    /// It has not ended for a while; returned once.
    Delayed,
    Finished(Box<Reloaded>),
}

impl Reloads {
    pub fn new(reload: Reload, log: LogHandle) -> Reloads {
        Reloads {
            reload,
            log,
            running: None,
            is_requested: false,
        }
    }

    /// Starts a reload, now or when the running one has ended.
    pub fn request(&mut self) {
        self.is_requested = true;
        self.start();
    }

    /// How soon to call [`Reloads::poll`] again; `None` while no reload runs.
    pub fn poll_interval(&self) -> Option<Duration> {
        self.running.is_some().then_some(POLL_INTERVAL)
    }

    pub fn poll(&mut self) -> Progress {
        let Some(running) = &mut self.running else {
            return Progress::None;
        };
        let reloaded = match running.result.try_recv() {
            Ok(reloaded) => reloaded,
            Err(TryRecvError::Disconnected) => Err("reading the configuration panicked".into()),
            Err(TryRecvError::Empty) => {
                let is_late = sys::monotonic().since(running.began) >= MAX_SILENT;
                if !is_late || std::mem::replace(&mut running.is_logged, true) {
                    return Progress::None;
                }
                log::error!(
                    "the file system of the configuration or of the log does not answer; \
                     the running configuration stays until it does"
                );
                return Progress::Delayed;
            }
        };
        self.running = None;
        self.start();
        Progress::Finished(Box::new(reloaded))
    }

    fn start(&mut self) {
        if self.running.is_some() || !std::mem::take(&mut self.is_requested) {
            return;
        }
        let (sender, result) = sync_channel(1);
        let (reload, log) = (Arc::clone(&self.reload), self.log.clone());
        let failed = sender.clone();
        let run = move || {
            log.reopen();
            // The receiver is gone when the monitor ends.
            let _ = sender.send(reload());
        };
        let started = thread::Builder::new().name("reload".into()).spawn(run);
        if let Err(error) = started {
            let _ = failed.send(Err(format!("starting a thread: {error}")));
        }
        self.running = Some(Running {
            result,
            began: sys::monotonic(),
            is_logged: false,
        });
    }
}
