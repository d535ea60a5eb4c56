//! What of a report's period the record covers, in sentences. None of them says more than was
//! measured: each names since when.

use std::ops::Range;

use super::figures::Report;
use super::wording::percent;
use crate::pure::time::UtcMillis;

/// The period that was asked for, and when the first record of the report's hosts is of.
#[derive(Clone, Debug)]
pub struct RecordedPeriod {
    pub asked: Range<UtcMillis>,
    pub first: Option<UtcMillis>,
}

/// Words an instant in the machine's time zone.
type Local<'a> = &'a dyn Fn(UtcMillis) -> String;

impl RecordedPeriod {
    pub fn of(report: &Report) -> RecordedPeriod {
        RecordedPeriod {
            asked: report.asked_from..report.to,
            first: report.first_recorded,
        }
    }

    /// Begins no earlier than the record. Without any record in it, the period that was asked for.
    pub fn span(&self) -> Range<UtcMillis> {
        let begins_within = |first: &UtcMillis| *first < self.asked.end;
        let first = self.first.filter(begins_within);
        first.map_or(self.asked.start, |first| first.max(self.asked.start))..self.asked.end
    }

    /// `BEGIN to END`, with what is not recorded of it.
    pub fn text(&self, local: Local<'_>) -> String {
        let (from, to) = (local(self.asked.start), local(self.asked.end));
        match self.first {
            None => format!("{from} to {to}, of which nothing is recorded"),
            Some(first) if first >= self.asked.end => {
                format!(
                    "{from} to {to}, before the first record of {}",
                    local(first)
                )
            }
            Some(first) if first > self.asked.start => {
                format!(
                    "{}, the first record, to {to} (asked for from {from})",
                    local(first)
                )
            }
            Some(_) => format!("{from} to {to}"),
        }
    }

    /// Without its full stop: how much of the period was measured for a host.
    pub fn measured(
        &self,
        share: Option<f64>,
        first_of_host: Option<UtcMillis>,
        local: Local<'_>,
    ) -> String {
        let to = local(self.asked.end);
        let share_text = percent(share);
        match (share, first_of_host) {
            (None, _) | (_, None) => "nothing was measured".into(),
            (_, Some(first)) if first > self.asked.start => format!(
                "{share_text} of the time from the first record, {}, to {to} was measured",
                local(first)
            ),
            _ => format!(
                "{share_text} of the time from {} to {to} was measured",
                local(self.asked.start)
            ),
        }
    }

    /// Since when the monitor ran: what the list of gaps does not say. `run_since` is when the first
    /// run of the monitor began.
    pub fn monitor(
        &self,
        run_since: Option<UtcMillis>,
        has_gaps: bool,
        local: Local<'_>,
    ) -> Option<String> {
        let span = self.span();
        if self.first.is_some_and(|first| first >= span.end) {
            return None;
        }
        let to = local(span.end);
        let Some(run) = run_since.filter(|run| *run < span.end) else {
            return Some(
                "No run of the monitor is recorded in this period: nothing is known of the time between the checks."
                    .into(),
            );
        };
        let uninterrupted = (!has_gaps).then(|| {
            let from = local(run.max(span.start));
            format!("No interruption of the monitor is recorded from {from} to {to}.")
        });
        let before = (run > span.start && self.first.is_some_and(|first| first < run)).then(|| {
            format!(
                "No run of the monitor is recorded before {}: nothing is known of the time between the checks of then.",
                local(run)
            )
        });
        let sentences: Vec<String> = uninterrupted.into_iter().chain(before).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(at: UtcMillis) -> String {
        format!("t{}", at.0)
    }

    fn recorded(first: Option<i64>) -> RecordedPeriod {
        RecordedPeriod {
            asked: UtcMillis(100)..UtcMillis(200),
            first: first.map(UtcMillis),
        }
    }

    #[test]
    fn the_period_begins_no_earlier_than_the_record() {
        for (first, from, text) in [
            (None, 100, "t100 to t200, of which nothing is recorded"),
            (Some(50), 100, "t100 to t200"),
            (Some(100), 100, "t100 to t200"),
            (
                Some(177),
                177,
                "t177, the first record, to t200 (asked for from t100)",
            ),
            (
                Some(200),
                100,
                "t100 to t200, before the first record of t200",
            ),
        ] {
            let period = recorded(first);
            assert_eq!(period.span(), UtcMillis(from)..UtcMillis(200), "{first:?}");
            assert_eq!(period.text(&local), text);
        }
    }

    #[test]
    fn a_measured_share_names_since_when() {
        for (share, first, text) in [
            (
                Some(100.0),
                Some(177),
                "100.00 % of the time from the first record, t177, to t200 was measured",
            ),
            (
                Some(99.5),
                Some(50),
                "99.500 % of the time from t100 to t200 was measured",
            ),
            (
                Some(0.0),
                Some(100),
                "0.00 % of the time from t100 to t200 was measured",
            ),
            (None, Some(50), "nothing was measured"),
            (None, None, "nothing was measured"),
            (Some(0.0), None, "nothing was measured"),
        ] {
            let first = first.map(UtcMillis);
            assert_eq!(recorded(Some(50)).measured(share, first, &local), text);
        }
    }

    #[test]
    fn the_monitor_is_said_to_have_run_only_while_its_runs_are_recorded() {
        const NO_RUN: &str = "No run of the monitor is recorded in this period: nothing is known of the time between the checks.";
        for (first, run, has_gaps, text) in [
            (Some(150), None, false, NO_RUN),
            (Some(150), None, true, NO_RUN),
            (Some(150), Some(200), false, NO_RUN),
            (
                Some(150),
                Some(149),
                false,
                "No interruption of the monitor is recorded from t150 to t200.",
            ),
            (
                Some(50),
                Some(49),
                false,
                "No interruption of the monitor is recorded from t100 to t200.",
            ),
            (Some(50), Some(49), true, ""),
            // The monitor ran, and no check of these hosts was recorded.
            (None, Some(150), true, ""),
            (
                Some(160),
                Some(150),
                false,
                "No interruption of the monitor is recorded from t160 to t200.",
            ),
            (
                Some(120),
                Some(150),
                false,
                "No interruption of the monitor is recorded from t150 to t200. \
                 No run of the monitor is recorded before t150: nothing is known of the time between the checks of then.",
            ),
            (
                Some(120),
                Some(150),
                true,
                "No run of the monitor is recorded before t150: nothing is known of the time between the checks of then.",
            ),
        ] {
            let said = recorded(first).monitor(run.map(UtcMillis), has_gaps, &local);
            assert_eq!(
                said.unwrap_or_default(),
                text,
                "{first:?} {run:?} {has_gaps}"
            );
        }
    }
}
