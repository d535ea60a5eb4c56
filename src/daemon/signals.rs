//! Signals to this process, received by a separate thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::error::DaemonError;
use crate::stop::Stop;

/// What a signal requests.
#[derive(Debug, PartialEq)]
pub enum SignalEvent {
    /// Stop, because of the signal with this name.
    Stop(&'static str),
    Reload,
}

impl SignalEvent {
    /// Merges this event with a later one before either is handled: stopping takes precedence, and
    /// two reloads are one.
    pub fn merge(self, later: SignalEvent) -> SignalEvent {
        if matches!(self, SignalEvent::Stop(_)) {
            self
        } else {
            later
        }
    }
}

/// Prevents SIGHUP from ending this process.
pub fn ignore_sighup() -> Result<(), DaemonError> {
    ignore(SIGHUP, "the handler of SIGHUP")
}

/// Makes a file that may not grow further (RLIMIT_FSIZE) an error of the write, as a full disk is.
/// Otherwise the signal ends the program.
pub fn ignore_sigxfsz() -> Result<(), DaemonError> {
    ignore(SIGXFSZ, "the handler of SIGXFSZ")
}

/// By a handler without effect: programs that this one starts would inherit that a signal is
/// ignored.
fn ignore(signal: i32, what: &str) -> Result<(), DaemonError> {
    signal_hook::flag::register(signal, Arc::default())
        .map(drop)
        .map_err(DaemonError::starting(what))
}

/// A flag that SIGTERM and SIGINT raise.
pub fn stop_on_signals() -> Result<Stop, DaemonError> {
    let stop = Stop::new().map_err(DaemonError::starting("the signal thread"))?;
    let raised = stop.clone();
    handle([SIGTERM, SIGINT], move |_| {
        raised.raise();
        false
    })?;
    Ok(stop)
}

/// The events of SIGTERM, SIGINT and SIGHUP.
pub fn events() -> Result<Receiver<SignalEvent>, DaemonError> {
    let (sender, events) = channel();
    handle([SIGTERM, SIGINT, SIGHUP], move |signal| {
        let event = match signal {
            SIGHUP => SignalEvent::Reload,
            SIGINT => SignalEvent::Stop("SIGINT"),
            _ => SignalEvent::Stop("SIGTERM"),
        };
        sender.send(event).is_ok()
    })?;
    Ok(events)
}

/// Calls a function with each signal until it returns `false`.
fn handle<const N: usize>(
    signals: [i32; N],
    handler: impl FnMut(i32) -> bool + Send + 'static,
) -> Result<(), DaemonError> {
    let failed = DaemonError::starting("the signal thread");
    let mut signals = Signals::new(signals).map_err(&failed)?;
    let run = move || {
        // `all` ends with the first `false`.
        signals.forever().all(handler);
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(run)
        .map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_takes_precedence_over_waiting_reloads_and_many_reloads_are_one() {
        use SignalEvent as Event;
        let all = |events: Vec<Event>| events.into_iter().reduce(Event::merge);
        assert_eq!(
            all(vec![Event::Reload, Event::Reload, Event::Reload]),
            Some(Event::Reload)
        );
        assert_eq!(
            all(vec![Event::Reload, Event::Stop("SIGTERM"), Event::Reload]),
            Some(Event::Stop("SIGTERM"))
        );
    }
}
