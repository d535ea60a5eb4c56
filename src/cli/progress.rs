//! The progress of long work, on one line of the terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::print::is_dumb;

/// Prints nothing where standard error is not a terminal, or the work is short.
pub struct ProgressLine {
    operation: &'static str,
    is_terminal: bool,
    shown_at: Option<Instant>,
}

impl ProgressLine {
    pub fn new(operation: &'static str) -> ProgressLine {
        ProgressLine {
            operation,
            is_terminal: io::stderr().is_terminal() && !is_dumb(),
            shown_at: None,
        }
    }

    pub fn show(&mut self, done: u64, total: u64) {
        let is_due = self
            .shown_at
            .is_none_or(|at| at.elapsed() > Duration::from_millis(200));
        if self.is_terminal && is_due && total > 0 {
            self.shown_at = Some(Instant::now());
            let _ = write!(
                io::stderr(),
                "\r{}: {} % of {total}\x1b[K",
                self.operation,
                done * 100 / total
            );
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown_at.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
