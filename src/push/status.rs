//! How far the engine is behind, for `status`, `doctor` and the page.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::transport::name_of;
use crate::config::PushConfig;
use crate::pure::phrase::count;
use crate::pure::time::UtcMillis;
use crate::store::{PushFailure, PushState, Reader, StoreError, Unpushed};

/// What the engine does not have although there was time to send it, or has refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PushStatus {
    /// The times of the oldest and the newest check that it does not have.
    #[serde(serialize_with = "as_rfc3339")]
    pub oldest: Option<UtcMillis>,
    #[serde(serialize_with = "as_rfc3339")]
    pub newest: Option<UtcMillis>,
    /// How many events it does not have as they are.
    pub events: usize,
    pub reason: PushReason,
    /// Why the last attempt failed, and since when attempts fail.
    pub failure: Option<String>,
    #[serde(serialize_with = "as_rfc3339")]
    pub failing_since: Option<UtcMillis>,
    /// What the engine or the command said, which may contain what is secret.
    #[serde(skip)]
    pub output: String,
    /// How many checks and events it has refused for good, when and why the last one.
    pub refused: u64,
    #[serde(serialize_with = "as_rfc3339")]
    pub refused_at: Option<UtcMillis>,
    pub refusal: Option<String>,
    /// What it said.
    #[serde(skip)]
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PushReason {
    NoMonitor,
    Failed,
    /// There is much to be sent.
    Sending,
    /// The engine has everything but what it has refused.
    Refused,
}

fn as_rfc3339<S: Serializer>(at: &Option<UtcMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(UtcMillis::rfc3339).serialize(serializer)
}

/// How long a check may be recorded and not sent: it is collected for a batch, and that it was sent
/// is written with the results after it.
fn allowed_ms(config: &PushConfig, flush: Duration) -> i64 {
    const MARGIN: Duration = Duration::from_secs(30);
    let allowed = config.batch + flush.max(Duration::from_secs(60)) * 2 + MARGIN;
    i64::try_from(allowed.as_millis()).unwrap_or(i64::MAX)
}

impl PushStatus {
    /// `None` when nothing is to be sent, or the engine has what it can have.
    pub fn read(
        reader: &Reader,
        config: Option<&PushConfig>,
        flush: Duration,
        is_monitor_running: bool,
        now: UtcMillis,
    ) -> Result<Option<PushStatus>, StoreError> {
        let Some(config) = config else {
            return Ok(None);
        };
        let (unpushed, state) = (reader.unpushed()?, reader.push_state()?);
        let late = now.plus(-allowed_ms(config, flush));
        let name = name_of(&config.way);
        Ok(judge(&name, unpushed, state, late, is_monitor_running))
    }

    /// The sentence for people. `shown_time` gives the local time of an instant.
    pub fn sentence(&self, shown_time: impl Fn(UtcMillis) -> String) -> String {
        let with = |text: &Option<String>, output: &str| {
            let text = text.as_deref().unwrap_or_default();
            let colon = if output.is_empty() { "" } else { ": " };
            format!("{text}{colon}{output}")
        };
        let refused = || {
            let at = self.refused_at.map(|at| format!(" at {}", shown_time(at)));
            format!(
                "{} of the checks and events refused, the last{}: {}",
                self.refused,
                at.unwrap_or_default(),
                with(&self.refusal, &self.words)
            )
        };
        let checks = match (self.oldest, self.newest) {
            (Some(oldest), Some(newest)) => Some(format!(
                "checks from {} to {}",
                shown_time(oldest),
                shown_time(newest)
            )),
            _ => None,
        };
        let events = (self.events > 0).then(|| count(self.events, "event"));
        let what: Vec<String> = checks.into_iter().chain(events).collect();
        let what = match what.is_empty() {
            true => "nothing that waits".to_owned(),
            false => what.join(" and "),
        };
        let why = match self.reason {
            PushReason::Refused => return format!("push: {}", refused()),
            PushReason::NoMonitor => "the monitor is not running".to_owned(),
            PushReason::Sending => "they are being sent".to_owned(),
            PushReason::Failed => {
                let since = self
                    .failing_since
                    .map(|at| format!(" since {}", shown_time(at)));
                let since = since.unwrap_or_default();
                format!("it fails{since}: {}", with(&self.failure, &self.output))
            }
        };
        let refused = match self.refused {
            0 => String::new(),
            _ => format!("; {}", refused()),
        };
        format!("push: {what} not sent yet: {why}{refused}")
    }
}

/// `late`: what is older should have been sent.
fn judge(
    name: &str,
    unpushed: Unpushed,
    state: PushState,
    late: UtcMillis,
    is_monitor_running: bool,
) -> Option<PushStatus> {
    let is_late = unpushed.oldest.is_some_and(|oldest| oldest < late);
    let has_any = unpushed.oldest.is_some() || unpushed.events > 0;
    let reason = match (&state.failure, is_monitor_running) {
        (_, false) if is_late || (has_any && state.failure.is_some()) => PushReason::NoMonitor,
        (Some(_), true) => PushReason::Failed,
        (None, true) if is_late => PushReason::Sending,
        _ if state.refused > 0 => PushReason::Refused,
        _ => return None,
    };
    let failure = state.failure.filter(|_| reason == PushReason::Failed);
    let failing_since = failure.as_ref().map(|failure| failure.at);
    let parts = |failure: Option<PushFailure>| {
        failure.map_or((None, String::new()), |failure| {
            (Some(failure.text), failure.output)
        })
    };
    let (failure, output) = parts(failure);
    let refused_at = state.refusal.as_ref().map(|refusal| refusal.at);
    let (refusal, words) = parts(state.refusal);
    let named = |text: String| format!("{name}: {text}");
    Some(PushStatus {
        oldest: unpushed.oldest,
        newest: unpushed.newest,
        events: unpushed.events,
        reason,
        failure: failure.map(named),
        failing_since,
        output,
        refused: state.refused,
        refused_at,
        refusal: refusal.map(named),
        words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: UtcMillis = UtcMillis(100_000);

    fn failure(at: i64, text: &str, output: &str) -> Option<PushFailure> {
        Some(PushFailure {
            at: UtcMillis(at * 1000),
            text: text.into(),
            output: output.into(),
        })
    }

    fn unpushed(times: Option<(i64, i64)>, events: usize) -> Unpushed {
        Unpushed {
            oldest: times.map(|times| UtcMillis(times.0 * 1000)),
            newest: times.map(|times| UtcMillis(times.1 * 1000)),
            events,
        }
    }

    #[test]
    fn what_is_not_sent_has_a_sentence_that_says_why() {
        let failed = failure(50, "500 Oops", "no");
        let refused = failure(60, "400 Bad", "");
        for (unpushed, failure, refused, is_running, expected) in [
            (unpushed(None, 0), None, None, true, None),
            // It waits for its batch.
            (unpushed(Some((120, 130)), 1), None, None, true, None),
            (unpushed(Some((120, 130)), 1), None, None, false, None),
            (
                unpushed(Some((40, 130)), 0),
                None,
                None,
                true,
                Some("push: checks from T40 to T130 not sent yet: they are being sent"),
            ),
            (
                unpushed(Some((40, 130)), 2),
                failed.clone(),
                None,
                true,
                Some(
                    "push: checks from T40 to T130 and 2 events not sent yet: it fails since T50: x: 500 Oops: no",
                ),
            ),
            (
                unpushed(Some((40, 130)), 1),
                failed.clone(),
                None,
                false,
                Some(
                    "push: checks from T40 to T130 and 1 event not sent yet: the monitor is not running",
                ),
            ),
            (
                unpushed(None, 0),
                None,
                refused.clone(),
                true,
                Some("push: 7 of the checks and events refused, the last at T60: x: 400 Bad"),
            ),
            (
                unpushed(Some((40, 130)), 0),
                failed,
                refused,
                true,
                Some(
                    "push: checks from T40 to T130 not sent yet: it fails since T50: x: 500 Oops: no; 7 of the checks and events refused, the last at T60: x: 400 Bad",
                ),
            ),
        ] {
            let state = PushState {
                engine: 1,
                failure,
                refused: if refused.is_some() { 7 } else { 0 },
                refusal: refused,
            };
            let said = judge("x", unpushed, state, LATE, is_running)
                .map(|status| status.sentence(|at| format!("T{}", at.0 / 1000)));
            assert_eq!(said.as_deref(), expected);
        }
    }
}
