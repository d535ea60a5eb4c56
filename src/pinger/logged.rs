//! Log lines of a host's thread: one when a state begins and one when it ends, with the number of
//! checks in between.

use crate::pure::model::{CheckResult, Host, State};
use crate::pure::phrase::count;

/// Logs when a host begins and ceases to be down or not measured.
#[derive(Debug, Default)]
pub(super) struct StateChanges {
    current: Option<(State, String)>,
    checks: u64,
}

impl StateChanges {
    pub(super) fn log(&mut self, result: &CheckResult) {
        let host = &result.host;
        let next = match result.state() {
            State::Up | State::Degraded => None,
            state @ (State::Poor | State::Down) => Some((state, String::new())),
            State::NotMeasured => Some((
                State::NotMeasured,
                result.reason.clone().unwrap_or_default(),
            )),
        };
        if next == self.current {
            self.checks += 1;
            return;
        }
        let is_other_reason = matches!(
            (&self.current, &next),
            (Some((State::NotMeasured, _)), Some((State::NotMeasured, _)))
        );
        if let Some((state, _)) = self.current.as_ref().filter(|_| !is_other_reason) {
            let checks = count(self.checks, "check");
            match state {
                State::NotMeasured => {
                    log::info!("{host}: measured again after {checks}")
                }
                _ if next.is_none() => {
                    log::info!("{host} is up again after {checks}")
                }
                _ => log::info!("{host} was {} for {checks}", state.text()),
            }
        }
        match &next {
            Some((State::NotMeasured, reason)) => log::warn!("{host} is not measured: {reason}"),
            Some((state, _)) => {
                let reason = result
                    .reason
                    .as_deref()
                    .map(|reason| format!(" ({reason})"))
                    .unwrap_or_default();
                log::warn!(
                    "{host} is {}: {} of {} answered{reason}",
                    state.text(),
                    result.received(),
                    count(result.sent(), "ping")
                );
            }
            None => {}
        }
        self.current = next;
        self.checks = if is_other_reason { self.checks + 1 } else { 1 };
    }
}

/// Logs when ticks begin and cease to be skipped.
#[derive(Debug, Default)]
pub(super) struct SkippedTicks {
    skipped: u64,
}

impl SkippedTicks {
    pub(super) fn log(&mut self, host: &Host, skipped: u64) {
        if skipped > 0 && self.skipped == 0 {
            log::warn!("{host}: a check had not finished when the next was due; ticks are skipped");
        }
        if skipped == 0 && self.skipped > 0 {
            log::info!(
                "{host}: on schedule again after {}",
                count(self.skipped, "skipped tick")
            );
            self.skipped = 0;
        }
        self.skipped += skipped;
    }
}
