//! One thread that sends every check and every event to an engine such as InfluxDB. What it still
//! has to send follows from marks in the database, not from a second copy; it only reads, and the
//! writer records the marks with its next commit. A kill of either side has a little sent again,
//! with the same times and names, which changes nothing in the engine. docs/push.md says what is
//! sent.

mod batch;
mod http;
mod line;
mod remote_write;
#[cfg(test)]
mod sample;
mod sender;
mod status;
mod tags;
mod transport;

use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use crate::config::PushConfig;
use crate::stop::Stop;
use crate::store::PushProgress;
use sender::Sender;

pub use sender::PushHistory;
pub use status::{PushReason, PushStatus};

/// SQLite uses some 20 kB; the rest is only address space.
const STACK_BYTES: usize = 256 * 1024;

/// The running thread.
pub struct Push {
    stop: Stop,
    thread: JoinHandle<PushHistory>,
}

impl Push {
    /// Starts sending. `history` is that of the thread before, if there was one. `deliver` gives what
    /// was achieved to the writer; `false` when the writer does not accept it now.
    pub fn start(
        config: PushConfig,
        database: PathBuf,
        history: PushHistory,
        deliver: impl Fn(PushProgress) -> bool + Send + 'static,
    ) -> io::Result<Push> {
        let stop = Stop::new()?;
        let sender = Sender::new(config, database, stop.clone(), history, deliver);
        let thread = thread::Builder::new()
            .name("push".into())
            .stack_size(STACK_BYTES)
            .spawn(move || sender.run())?;
        Ok(Push { stop, thread })
    }

    /// Stops the thread within a second. What is being sent then is sent again later.
    pub fn stop(self) -> PushHistory {
        self.stop.raise();
        self.thread.join().unwrap_or_default()
    }
}
