//! Outages as they are shown: fragments merged, intermittent outages as one, and outages of
//! several hosts that began together as an incident. Computed from the rows at every query, by the
//! rules of incident.rs.

use std::cmp::Reverse;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;

use super::gaps::{Gap, missing_ms};
use super::reader::Reader;
use crate::pure::cause::Cause;
use crate::pure::incident::{self, GroupingRules, OutageSpan};
use crate::pure::model::{EventId, EventKind, HostId};
use crate::pure::order::by_key;
use crate::pure::time::whole_seconds;
use crate::pure::time::{DAY_MS, UtcMillis};
use crate::store::error::StoreError;
use crate::store::event::OutageEvent;
use crate::store::presence::is_held;

/// An outage, a link that was down or a name that did not resolve. It may consist of several
/// rows, and then has the id of the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupedOutage {
    /// The merged columns.
    #[serde(flatten)]
    pub event: OutageEvent,
    /// The duration without gaps in measuring; until now while ongoing.
    pub down_seconds: i64,
    /// The ids of the rows.
    #[serde(rename = "event_ids")]
    pub members: Vec<EventId>,
    /// How many outages it consists of, if that is not the number of rows: fragments count as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outage_count: Option<usize>,
    /// Since when an ongoing one of several rows is down without an interruption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ongoing_since: Option<UtcMillis>,
    /// Of each row; an ongoing one ends with the queried span.
    #[serde(skip)]
    pub spans: Vec<Range<UtcMillis>>,
    /// The cause of each row.
    #[serde(skip)]
    pub causes: Vec<Cause>,
}

impl GroupedOutage {
    pub fn start(&self) -> UtcMillis {
        self.event.start_time.unwrap_or(UtcMillis(0))
    }

    pub fn end(&self) -> Option<UtcMillis> {
        self.event.end_time
    }

    /// From its start to its end, or until `now` while ongoing.
    pub fn lasted_seconds(&self, now: UtcMillis) -> i64 {
        let end = self.end().unwrap_or(now);
        self.event
            .duration_seconds
            .filter(|_| !self.is_open())
            .unwrap_or(whole_seconds(&(self.start()..end)).max(0))
    }

    /// How many outages it consists of.
    pub fn outages(&self) -> usize {
        self.outage_count.unwrap_or(self.members.len())
    }

    pub fn is_open(&self) -> bool {
        self.event.end_time.is_none()
    }

    /// Not of this machine's link or of a name.
    pub fn is_of_host(&self) -> bool {
        matches!(
            self.event.event_type,
            EventKind::Outage | EventKind::Intermittent
        )
    }

    /// Whether it counts in the sums over all hosts.
    pub fn is_counted(&self) -> bool {
        self.is_of_host() && !self.event.planned
    }

    /// Of several causes the one with the longest downtime.
    pub fn cause(&self) -> Cause {
        cause_of(&self.event)
    }

    /// The rows with this cause, if any.
    pub fn part_of(&self, cause: Cause) -> Option<GroupedOutage> {
        let own = self
            .spans
            .iter()
            .zip(&self.causes)
            .filter(|(_, own)| **own == cause);
        let spans: Vec<Range<UtcMillis>> = own.map(|(span, _)| span.clone()).collect();
        (!spans.is_empty()).then(|| GroupedOutage {
            causes: vec![cause; spans.len()],
            spans,
            ..self.clone()
        })
    }
}

fn cause_of(event: &OutageEvent) -> Cause {
    event.cause.unwrap_or(Cause::Unknown)
}

/// How far before a span rows are read, since they may belong to a group within it.
const LOOKBACK_MS: i64 = DAY_MS;

/// The longest time until a check is written.
pub(super) const UNWRITTEN_MS: i64 = 90_000;

impl Reader {
    /// All that touch a span, newest first.
    pub fn grouped_outages(
        &self,
        span: &Range<UtcMillis>,
        grouping: &GroupingRules,
        gaps: &[Gap],
    ) -> Result<Vec<GroupedOutage>, StoreError> {
        Ok(self.ungrouped_outages(span, None)?.grouped(grouping, gaps))
    }

    /// Of these hosts, and those without a host; `None` for all.
    pub fn ungrouped_outages(
        &self,
        span: &Range<UtcMillis>,
        hosts: Option<&[HostId]>,
    ) -> Result<UngroupedOutages, StoreError> {
        let from = UtcMillis((span.start.0 - LOOKBACK_MS).max(0));
        let rows = self.events_within(&(from..span.end), None, hosts)?;
        let measured_until = rows
            .iter()
            .map(|event| self.measured_until(event, span.end))
            .collect::<Result<_, _>>()?;
        Ok(UngroupedOutages {
            rows,
            measured_until,
            span: span.clone(),
        })
    }

    /// Until when a host with an ongoing outage was checked: it may no longer be configured.
    fn measured_until(&self, event: &OutageEvent, now: UtcMillis) -> Result<UtcMillis, StoreError> {
        if event.end_time.is_some() || event.event_type != EventKind::Outage {
            return Ok(now);
        }
        // An imported event has no id.
        let hosts = match event.host_id {
            Some(id) => vec![id],
            None => self.ids_at(&event.host_address)?,
        };
        let Some((host_id, newest)) = self.newest_check(&hosts, now)? else {
            return Ok(match event.host_id {
                Some(_) => now,
                None => event.start_time.unwrap_or(now),
            });
        };
        let interval_ms = self
            .check_intervals(&[host_id], None, Duration::ZERO)?
            .at(newest.0)
            .ms;
        // Its last checks may not be written yet; those of a monitor that was killed never will be.
        let late_ms = now.0 - newest.0 - interval_ms.saturating_mul(3);
        let is_checked =
            late_ms <= 0 || late_ms <= UNWRITTEN_MS && is_held(self.path()) != Some(false);
        Ok(if is_checked {
            now
        } else {
            newest.plus(interval_ms).min(now)
        })
    }
}

/// The rows of a span before they are grouped.
#[derive(Debug)]
pub struct UngroupedOutages {
    rows: Vec<OutageEvent>,
    /// For each row.
    measured_until: Vec<UtcMillis>,
    span: Range<UtcMillis>,
}

impl UngroupedOutages {
    /// Only hosts as a whole may be left out: the outages of one host are grouped by each other.
    pub fn retain(&mut self, is_wanted: impl Fn(&OutageEvent) -> bool) {
        let mut wanted = self.rows.iter().map(&is_wanted);
        self.measured_until.retain(|_| wanted.next() == Some(true));
        self.rows.retain(is_wanted);
    }

    /// Size: frees the notes and the evidence, which grouping would copy.
    #[must_use]
    pub fn without_evidence(mut self) -> UngroupedOutages {
        for event in &mut self.rows {
            (event.notes, event.facts, event.path) = (None, None, None);
        }
        self
    }

    /// As [`Reader::grouped_outages`].
    pub fn grouped(&self, grouping: &GroupingRules, gaps: &[Gap]) -> Vec<GroupedOutage> {
        let mut outages = group_rows(&self.rows, grouping, &self.measured_until, gaps);
        outages.retain(|outage| {
            outage.end().is_none_or(|end| end > self.span.start) && outage.start() < self.span.end
        });
        by_key(&mut outages, |outage| {
            [-outage.start().0, outage.event.id.0.saturating_neg()]
        });
        outages
    }
}

/// In the order of the rows. An ongoing outage counts until its `measured_until`.
fn group_rows(
    rows: &[OutageEvent],
    grouping: &GroupingRules,
    measured_until: &[UtcMillis],
    gaps: &[Gap],
) -> Vec<GroupedOutage> {
    let spans: Vec<OutageSpan<_>> = rows
        .iter()
        .map(|event| {
            // A row without a readable start stands alone, in 1970.
            let start = event.start_time.unwrap_or(UtcMillis(0));
            let end = event.end_time.map(|end| end.max(start));
            OutageSpan {
                // A planned outage stays apart from those that follow.
                host: (event.event_type, event.planned, event.host()),
                earliest_start: event.earliest_start,
                start,
                end,
                is_last: event.is_removed,
            }
        })
        .collect();
    let groups = incident::group(&spans, grouping);
    let outage = |group: &incident::Group| {
        let of_group: Vec<&OutageEvent> = group.members.iter().map(|index| &rows[*index]).collect();
        let span_of = |index: &usize| {
            spans[*index].start
                ..spans[*index]
                    .end
                    .unwrap_or(measured_until[*index])
                    .max(spans[*index].start)
        };
        let measured_ms = |index: &usize| {
            let span = span_of(index);
            span.end.0
                - span.start.0
                - if rows[*index].event_type == EventKind::Outage {
                    missing_ms(gaps, &span, rows[*index].host_id)
                } else {
                    0
                }
        };
        // What the length of the outage would be, less what was not measured of it.
        let measured_seconds = |index: &usize| {
            let span = span_of(index);
            let missing_ms = span.end.0 - span.start.0 - measured_ms(index);
            (whole_seconds(&span) - (missing_ms + 500) / 1000).max(0)
        };
        let is_intermittent = group.outages > 1 && of_group[0].event_type == EventKind::Outage;
        let lengths: Vec<i64> = group.members.iter().map(measured_ms).collect();
        GroupedOutage {
            event: merge_rows(&of_group, &lengths, is_intermittent),
            causes: of_group.iter().map(|event| cause_of(event)).collect(),
            down_seconds: group.members.iter().map(measured_seconds).sum(),
            members: of_group.iter().map(|event| event.id).collect(),
            ongoing_since: group
                .members
                .iter()
                .find(|index| rows[**index].end_time.is_none() && group.members.len() > 1)
                .map(|index| spans[*index].start),
            outage_count: (group.outages != group.members.len()).then_some(group.outages),
            spans: group.members.iter().map(span_of).collect(),
        }
    };
    groups.iter().map(outage).collect()
}

/// `lengths`: the downtime of each row.
fn merge_rows(rows: &[&OutageEvent], lengths: &[i64], is_intermittent: bool) -> OutageEvent {
    let first = rows[0];
    if rows.len() == 1 {
        return first.clone();
    }
    let last = rows[rows.len() - 1];
    let sum = |column: fn(&OutageEvent) -> Option<i64>| {
        rows.iter()
            .filter_map(|event| column(event))
            .fold(None, |sum: Option<i64>, more| {
                Some(sum.unwrap_or(0).saturating_add(more))
            })
    };
    let end_time = last
        .end_time
        .filter(|_| rows.iter().all(|event| event.end_time.is_some()));
    let lasted = end_time
        .zip(first.start_time)
        .map(|(end, start)| whole_seconds(&(start..end)));
    let mut notes: Vec<&str> = rows
        .iter()
        .filter_map(|event| event.notes.as_deref())
        .collect();
    notes.dedup();
    // The cause with the longest downtime; rows that were not judged do not count.
    let judged: Vec<(&OutageEvent, i64)> = rows
        .iter()
        .copied()
        .zip(lengths.iter().copied())
        .filter(|(event, _)| event.cause.is_some())
        .collect();
    let length_of = |cause: Cause| {
        judged
            .iter()
            .filter(|(event, _)| cause_of(event) == cause)
            .map(|(_, ms)| ms)
            .sum::<i64>()
    };
    let judged = judged
        .iter()
        .max_by_key(|(event, ms)| (length_of(cause_of(event)), Reverse(cause_of(event)), *ms));
    let judged = judged.map(|(event, _)| *event);
    OutageEvent {
        event_type: if is_intermittent {
            EventKind::Intermittent
        } else {
            first.event_type
        },
        duration_seconds: lasted,
        checks_failed: sum(|event| event.checks_failed),
        checks_during_outage: sum(|event| event.checks_during_outage),
        recovery_success_rate: last.recovery_success_rate.filter(|_| end_time.is_some()),
        notes: (!notes.is_empty()).then(|| notes.join("\n")),
        packets_sent: sum(|event| event.packets_sent),
        packets_lost: sum(|event| event.packets_lost),
        cause: judged.and_then(|event| event.cause),
        facts: judged.and_then(|event| event.facts.clone()),
        // What is shown of one verdict belongs to one row.
        path: judged.unwrap_or(first).path.clone(),
        planned: rows.iter().all(|event| event.planned),
        end_time,
        ..first.clone()
    }
}
