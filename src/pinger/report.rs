//! What a host's thread says in the log: a state is said once when it begins and once when it ends,
//! with the count between.

use crate::pure::model::{CheckResult, Host, State};
use crate::pure::phrase::count;

/// Says in the log when a host's state begins and ends, once each, with the count between.
#[derive(Debug, Default)]
pub(super) struct StateReport {
    trouble: Option<(State, String)>,
    checks: u64,
}

impl StateReport {
    pub(super) fn note(&mut self, result: &CheckResult) {
        let host = &result.host;
        let trouble = match result.state() {
            State::Up | State::Degraded => None,
            State::Down => Some((State::Down, String::new())),
            State::NotMeasured => Some((
                State::NotMeasured,
                result.reason.clone().unwrap_or_default(),
            )),
        };
        if trouble == self.trouble {
            self.checks += 1;
            return;
        }
        if let Some((state, _)) = &self.trouble {
            let checks = count(self.checks, "check");
            match state {
                State::NotMeasured => {
                    log::info!("{host}: measured again after {checks}")
                }
                _ if trouble.is_none() => {
                    log::info!("{host} is up again after {checks}")
                }
                _ => log::info!("{host} was down for {checks}"),
            }
        }
        match &trouble {
            Some((State::NotMeasured, reason)) => log::warn!("{host} is not measured: {reason}"),
            Some(_) => {
                let reason = result
                    .reason
                    .as_deref()
                    .map(|reason| format!(" ({reason})"))
                    .unwrap_or_default();
                log::warn!(
                    "{host} is down: {} of {} answered{reason}",
                    result.received(),
                    count(result.sent(), "ping")
                );
            }
            None => {}
        }
        self.trouble = trouble;
        self.checks = 1;
    }
}

/// Says in the log when ticks begin to be skipped and when that ends.
#[derive(Debug, Default)]
pub(super) struct SkipReport {
    skipped: u64,
}

impl SkipReport {
    pub(super) fn note(&mut self, host: &Host, skipped: u64) {
        if skipped > 0 && self.skipped == 0 {
            log::warn!("{host}: a check was not over when the next was due; ticks are skipped");
        }
        if skipped == 0 && self.skipped > 0 {
            log::info!(
                "{host}: on schedule again after {} skipped ticks",
                self.skipped
            );
            self.skipped = 0;
        }
        self.skipped += skipped;
    }
}
