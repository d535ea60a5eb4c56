//! Why notices wait, for `status`, `doctor` and the page.

use serde::Serialize;

use super::plan::{self, Class};
use crate::config::AlertsConfig;
use crate::pure::incident::GroupingRules;
use crate::pure::phrase::count;
use crate::pure::time::{HOUR_MS, UtcMillis};
use crate::store::{Notice, Reader, StoreError, WaitingNotices};

/// Notices that wait although nothing is counted or judged any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Queue {
    pub waiting: usize,
    #[serde(serialize_with = "as_rfc3339")]
    pub since: UtcMillis,
    pub reason: WaitReason,
    /// How the last attempt failed: program and exit status.
    pub failure: Option<String>,
    /// The command's last line of output, which may contain what is secret.
    #[serde(skip)]
    pub output: String,
    /// Whether later notices are sent before the oldest.
    pub others_pass: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// `alerts.command` was removed.
    NoCommand,
    NoMonitor,
    Failed,
    /// As many as allowed were sent within the hour.
    Limit,
}

fn as_rfc3339<S: serde::Serializer>(at: &UtcMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.rfc3339())
}

/// What must be known of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    pub has_command: bool,
    pub is_monitor_running: bool,
    /// Whether the limit of the hour is reached.
    pub is_limited: bool,
}

impl Queue {
    /// `None` when no notice waits, or each for a few seconds or to be counted.
    pub fn read(
        reader: &Reader,
        config: &AlertsConfig,
        grouping: &GroupingRules,
        is_monitor_running: bool,
        now: UtcMillis,
    ) -> Result<Option<Queue>, StoreError> {
        let Some(mut waiting) = reader.waiting_notices()? else {
            return Ok(None);
        };
        if is_monitor_running && !config.command.is_empty() {
            let since = UtcMillis(now.0 - plan::history_ms(grouping));
            let Some((count, since)) = due(&reader.notices(since)?, grouping, now) else {
                return Ok(None);
            };
            (waiting.count, waiting.since) = (count, since);
        }
        let sent = reader.alerts_sent_since(UtcMillis(now.0 - HOUR_MS))?;
        let max = usize::from(config.max_per_hour);
        let is_reached = |class| {
            let of_class = sent
                .iter()
                .filter(|(_, is_quality)| *is_quality == (class == Class::Quality));
            of_class.count() >= max
        };
        let sending = Sending {
            has_command: !config.command.is_empty(),
            is_monitor_running,
            is_limited: Class::ALL.into_iter().any(is_reached),
        };
        Ok(judge(waiting, sending))
    }

    /// The sentence for people. `shown_time` gives the local time of an instant.
    pub fn sentence(&self, shown_time: impl Fn(UtcMillis) -> String) -> String {
        let wait = if self.waiting == 1 {
            "has been waiting"
        } else {
            "have been waiting"
        };
        let notices = count(self.waiting, "notice");
        let since = shown_time(self.since);
        let failure = self.failure.as_deref().unwrap_or_default();
        let why = match self.reason {
            WaitReason::NoCommand => "no alerts.command is configured".to_string(),
            WaitReason::NoMonitor => "the monitor is not running".to_string(),
            WaitReason::Limit => {
                "as many as alerts.most_per_hour were sent within an hour".to_string()
            }
            WaitReason::Failed if self.output.is_empty() => {
                format!("the command failed: {failure}")
            }
            WaitReason::Failed => format!("the command failed: {failure}: {}", self.output),
        };
        let others = if self.others_pass {
            "; later ones were sent"
        } else {
            ""
        };
        format!("{notices} {wait} since {since}: {why}{others}")
    }
}

/// How many notices wait that are not held for counting, and when the oldest of them was made.
pub(super) fn due(
    notices: &[Notice],
    grouping: &GroupingRules,
    now: UtcMillis,
) -> Option<(usize, UtcMillis)> {
    let planned = plan::plan(notices, grouping, now);
    let due = || {
        planned
            .iter()
            .filter(|planned| planned.held_until.is_none())
    };
    let since = due().map(|planned| planned.alert.oldest_at).min()?;
    Some((due().map(|planned| planned.alert.ids.len()).sum(), since))
}

fn judge(waiting: WaitingNotices, sending: Sending) -> Option<Queue> {
    let failure = waiting.last_failure;
    let reason = match sending {
        Sending {
            has_command: false, ..
        } => WaitReason::NoCommand,
        Sending {
            is_monitor_running: false,
            ..
        } => WaitReason::NoMonitor,
        _ if failure.is_some() => WaitReason::Failed,
        Sending {
            is_limited: true, ..
        } => WaitReason::Limit,
        _ => return None,
    };
    let failure = failure.filter(|_| reason == WaitReason::Failed);
    let (failure, output) = failure.map_or((None, String::new()), |failure| {
        (Some(failure.end), failure.output)
    });
    Some(Queue {
        waiting: waiting.count,
        since: waiting.since,
        reason,
        failure,
        output,
        others_pass: waiting.others_pass,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LastFailure;

    #[test]
    fn notices_that_wait_have_a_sentence_that_says_why() {
        let running = Sending {
            has_command: true,
            is_monitor_running: true,
            is_limited: false,
        };
        let limited = Sending {
            is_limited: true,
            ..running
        };
        let stopped = Sending {
            is_monitor_running: false,
            ..running
        };
        let without = Sending {
            has_command: false,
            ..stopped
        };
        let failed = Some("no line");
        for (sending, output, count, others_pass, expected) in [
            (running, None, 3, false, None),
            (
                running,
                failed,
                3,
                false,
                Some(
                    "3 notices have been waiting since T4: the command failed: sh: exit status: 3: no line",
                ),
            ),
            (
                running,
                Some(""),
                1,
                true,
                Some(
                    "1 notice has been waiting since T4: the command failed: sh: exit status: 3; later ones were sent",
                ),
            ),
            (
                limited,
                None,
                2,
                false,
                Some(
                    "2 notices have been waiting since T4: as many as alerts.most_per_hour were sent within an hour",
                ),
            ),
            (
                limited,
                failed,
                3,
                false,
                Some(
                    "3 notices have been waiting since T4: the command failed: sh: exit status: 3: no line",
                ),
            ),
            (
                stopped,
                failed,
                3,
                false,
                Some("3 notices have been waiting since T4: the monitor is not running"),
            ),
            (
                without,
                None,
                3,
                false,
                Some("3 notices have been waiting since T4: no alerts.command is configured"),
            ),
        ] {
            let waiting = WaitingNotices {
                count,
                since: UtcMillis(4000),
                last_failure: output.map(|output| LastFailure {
                    at: UtcMillis(5000),
                    end: "sh: exit status: 3".into(),
                    output: output.into(),
                }),
                others_pass,
            };
            let said = judge(waiting, sending)
                .map(|queue| queue.sentence(|at| format!("T{}", at.0 / 1000)));
            assert_eq!(said.as_deref(), expected, "{sending:?}");
        }
    }
}
