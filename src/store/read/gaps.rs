//! Gaps: the time in which nothing was measured, from the recorded runs, interruptions and
//! links that were down.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;

use super::reader::Reader;
use crate::pure::model::{EventKind, HostId, InterruptionKind};
use crate::pure::order::by_key;
use crate::pure::time::{LATEST_MS, UtcMillis};
use crate::store::columns::{flag, text, value};
use crate::store::error::StoreError;
use crate::store::event::OutageEvent;
use crate::store::presence::{SILENT_RUN_MS, is_held};

/// A span of time in which nothing was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub from: UtcMillis,
    pub to: UtcMillis,
    /// A sentence.
    pub reason: String,
    /// The only host that was not measured; `None` when none was.
    #[serde(skip)]
    pub host_id: Option<HostId>,
    /// Its name and address.
    #[serde(flatten)]
    pub host: Option<GapHost>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GapHost {
    pub host_name: String,
    pub host_address: String,
}

impl Gap {
    /// Whether this host was not measured meanwhile.
    pub fn concerns(&self, host_id: Option<HostId>) -> bool {
        self.host_id.is_none() || self.host_id == host_id
    }
}

/// Shorter gaps are not reported.
const MIN_GAP_MS: i64 = 1000;
/// The end of a link event is found at most this long after the link is back: the witness tries
/// every second.
const MAX_END_DELAY_MS: i64 = 2000;
/// The interval of a host for which none is recorded.
const DEFAULT_INTERVAL_MS: i64 = 60_000;
/// After a gap of all hosts the rest of the interval of a check that could not be made is a gap of
/// its host if it is longer than this and than the gap.
const MAX_REST_MS: i64 = 10_000;

impl Reader {
    /// The spans within `span` in which nothing at all was measured: the monitor did not run, the
    /// machine slept, nothing could be sent; and those in which a silent host could not be pinged.
    /// In chronological order, and without overlaps for any host. An ongoing gap ends with `span`.
    pub fn gaps(&self, span: &Range<UtcMillis>) -> Result<Vec<Gap>, StoreError> {
        self.gaps_of(span, None)
    }

    /// Without those that are a gap only of hosts that are not among `hosts`; `None` for all.
    pub fn gaps_of(
        &self,
        span: &Range<UtcMillis>,
        hosts: Option<&[HostId]>,
    ) -> Result<Vec<Gap>, StoreError> {
        let is_wanted = |id: &HostId| hosts.is_none_or(|hosts| hosts.contains(id));
        let mut gaps = self.gaps_between_runs(span)?;
        gaps.extend(self.interruptions(span)?);
        gaps.extend(self.links_down(span)?);
        gaps.extend(self.unsent(span)?);
        gaps.retain(|gap| gap.host_id.as_ref().is_none_or(is_wanted));
        gaps.extend(self.not_measured(span, &gaps, hosts)?);
        for gap in &mut gaps {
            (gap.from, gap.to) = (gap.from.max(span.start), gap.to.min(span.end));
        }
        gaps.retain(is_long);
        let mut gaps = joined(gaps);
        gaps.retain(is_long);
        Ok(gaps)
    }

    /// The spans in which a host's checks could not be made, apart from those of which the gaps of
    /// all hosts leave no rest. A check stands for its interval, until the next that was made.
    fn not_measured(
        &self,
        span: &Range<UtcMillis>,
        all: &[Gap],
        wanted: Option<&[HostId]>,
    ) -> Result<Vec<Gap>, StoreError> {
        // Each host that is looked at takes pages of its own.
        const HOSTS: &str = "select id, name, address from host h where (?1 is null or id = ?1)
                                and exists(select 1 from not_measured_check where host_id = h.id)";
        // The next such check, the next that was made, and the last such check before that.
        const SPAN: &str = "
            select first, measured, reason,
                   (select max(checked_at) from not_measured_check
                     where host_id = ?1 and checked_at < coalesce(measured, ?3)),
                   (select interval_ms from host_interval where host_id = ?1 and since <= first
                     order by since desc limit 1)
              from (select n.checked_at as first, n.reason,
                           (select min(checked_at) from check_result
                             where host_id = ?1 and checked_at > n.checked_at and checked_at <= ?4) as measured
                      from not_measured_check n
                     where n.host_id = ?1 and n.checked_at >= ?2 and n.checked_at < ?3 and typeof(n.checked_at) = 'integer'
                     order by n.checked_at limit 1)";
        type Found = (UtcMillis, Option<UtcMillis>, String, UtcMillis, Option<u32>);
        let ids = wanted.map_or(vec![None], |ids| ids.iter().copied().map(Some).collect());
        let mut hosts: Vec<(HostId, GapHost)> = Vec::new();
        for id in ids {
            hosts.extend(self.query(HOSTS, [id], |row| {
                let host = GapHost {
                    host_name: text(row, 1)?.unwrap_or_default(),
                    host_address: text(row, 2)?.unwrap_or_default(),
                };
                Ok((row.get(0)?, host))
            })?);
        }
        // Until when a gap of all hosts lasts that has these checks.
        let end_of_all = |first: UtcMillis, last: UtcMillis| {
            let covers = |gap: &&Gap| gap.from <= first && last <= gap.to;
            let of_all = all
                .iter()
                .filter(|gap| gap.host_id.is_none() && is_long(gap));
            of_all.filter(covers).map(|gap| gap.to).max()
        };
        let mut gaps = Vec::new();
        for (id, host) in hosts {
            let mut from = span.start;
            loop {
                let found: Option<Found> =
                    self.query_first(SPAN, (id, from, span.end, LATEST_MS), |row| {
                        let reason = text(row, 2)?.unwrap_or_default();
                        let first = row.get(0)?;
                        let last = value(row, 3).unwrap_or(first);
                        Ok((first, value(row, 1), reason, last, value(row, 4)))
                    })?;
                let Some((first, measured, reason, last, interval_ms)) = found else {
                    break;
                };
                let to = measured.unwrap_or(UtcMillis(i64::MAX));
                let interval_ms = interval_ms.map_or(DEFAULT_INTERVAL_MS, i64::from);
                let until = last.plus(interval_ms).min(to);
                let is_rest_long =
                    |end: UtcMillis| until.0 - end.0 > MAX_REST_MS.max(end.0 - first.0);
                if end_of_all(first, last).is_none_or(is_rest_long) {
                    gaps.push(Gap {
                        from: first,
                        to: until,
                        reason: format!("{} could not be pinged: {reason}", host.host_name),
                        host_id: Some(id),
                        host: Some(host.clone()),
                    });
                }
                // A time that is not whole is cut, and may be the same.
                from = to.max(first.plus(1));
                if measured.is_none() {
                    break;
                }
            }
        }
        Ok(gaps)
    }

    fn unsent(&self, span: &Range<UtcMillis>) -> Result<Vec<Gap>, StoreError> {
        const UNSENT: &str = "select started_at, ended_at, host_id, name, reason, address
            from unsent u left join host h on h.id = u.host_id where ended_at > ?1 and started_at < ?2";
        self.query(UNSENT, [span.start.0, span.end.0], |row| {
            let word = |index| text(row, index).map(Option::unwrap_or_default);
            let (name, reason, host_address) = (word(3)?, word(4)?, word(5)?);
            Ok(Gap {
                from: row.get(0)?,
                to: row.get(1)?,
                reason: format!("{name} could not be pinged: {reason}"),
                host_id: Some(row.get(2)?),
                host: Some(GapHost {
                    host_name: name,
                    host_address,
                }),
            })
        })
    }

    fn gaps_between_runs(&self, span: &Range<UtcMillis>) -> Result<Vec<Gap>, StoreError> {
        const RUNS: &str = "select started_at, alive_at, stopped_at, copied_at is not null
                              from monitor_run order by started_at, id";
        let runs: Vec<(UtcMillis, UtcMillis, RunEnd)> = self.query(RUNS, [], |row| {
            let (alive_at, stopped_at): (UtcMillis, Option<UtcMillis>) = (row.get(1)?, row.get(2)?);
            let end = match stopped_at {
                Some(_) => RunEnd::Stopped,
                None if flag(row, 3) => RunEnd::Copied,
                None => RunEnd::Unknown,
            };
            let until = stopped_at.map_or(alive_at, |stopped| stopped.max(alive_at));
            Ok((row.get(0)?, until, end))
        })?;
        let mut gaps = Vec::new();
        if let Some((first, ..)) = runs.first().filter(|(first, ..)| *first > span.start) {
            gaps.extend(self.before_first_run(*first)?);
        }
        // Several may run at the same time: a gap is where none does.
        let mut until: Option<(UtcMillis, RunEnd)> = None;
        for (started_at, run_until, end) in runs {
            if let Some((last, end)) = until.filter(|(last, _)| started_at > *last) {
                gaps.push(between_runs(last, started_at, end));
            }
            if until.is_none_or(|(last, _)| run_until > last) {
                until = Some((run_until, end));
            }
        }
        // After the last activity of a run that is not stopped, nothing is missing yet, unless it is
        // known that it was killed.
        let is_over = |last: UtcMillis| {
            span.end.0 - last.0 > SILENT_RUN_MS || is_held(self.path()) == Some(false)
        };
        if let Some((last, end)) = until
            && (end != RunEnd::Unknown || is_over(last))
        {
            gaps.push(between_runs(last, span.end, end));
        }
        Ok(gaps)
    }

    /// Between checks of another program, or by hand, and the first run of the monitor.
    fn before_first_run(&self, started_at: UtcMillis) -> Result<Option<Gap>, StoreError> {
        const NEWEST: &str = "select h.id, (select max(checked_at) from check_result
                                             where host_id = h.id and checked_at < ?1) as newest
              from host h where newest is not null order by newest desc limit 1";
        let newest: Option<(HostId, UtcMillis)> =
            self.query_first(NEWEST, [started_at], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some((host_id, newest)) = newest else {
            return Ok(None);
        };
        let intervals = self.check_intervals(&[host_id], None, Duration::ZERO)?;
        let from = newest.plus(intervals.at(newest.0).ms);
        let gap = between_runs(from, started_at, RunEnd::NotBegun);
        Ok(Some(gap).filter(|gap| gap.from < gap.to))
    }

    fn interruptions(&self, span: &Range<UtcMillis>) -> Result<Vec<Gap>, StoreError> {
        const INTERRUPTIONS: &str = "select started_at, ended_at, kind from interruption where ended_at > ?1 and started_at < ?2 order by started_at";
        let found: Vec<(Gap, bool)> =
            self.query(INTERRUPTIONS, [span.start.0, span.end.0], |row| {
                let word = text(row, 2)?;
                let kind = InterruptionKind::ALL
                    .into_iter()
                    .find(|kind| word.as_deref() == Some(kind.as_str()));
                let reason = kind.unwrap_or(InterruptionKind::HeldUp).reason();
                let gap = Gap {
                    from: row.get(0)?,
                    to: row.get(1)?,
                    reason: reason.into(),
                    host_id: None,
                    host: None,
                };
                Ok((gap, kind == Some(InterruptionKind::ClockSet)))
            })?;
        let mut gaps = Vec::new();
        for (gap, is_of_clock) in found {
            let measured = is_of_clock.then(|| self.first_and_last_check(&gap));
            match measured.transpose()?.flatten() {
                // An older version let such a gap cover what was measured.
                Some((first, last)) => gaps.extend([
                    Gap {
                        to: first,
                        ..gap.clone()
                    },
                    Gap { from: last, ..gap },
                ]),
                None => gaps.push(gap),
            }
        }
        Ok(gaps)
    }

    /// Of any host within a gap.
    fn first_and_last_check(
        &self,
        gap: &Gap,
    ) -> Result<Option<(UtcMillis, UtcMillis)>, StoreError> {
        const CHECKS: &str = "select min(first), max(last) from (select
            (select min(checked_at) from check_result where host_id = h.id and checked_at > ?1 and checked_at < ?2) as first,
            (select max(checked_at) from check_result where host_id = h.id and checked_at > ?1 and checked_at < ?2) as last
            from host h)";
        self.query_first(CHECKS, [gap.from.0, gap.to.0], |row| {
            Ok(Option::zip(row.get(0)?, row.get(1)?))
        })
        .map(Option::flatten)
    }

    /// A link that was down for one version of IP only is no gap if the other was measured
    /// meanwhile.
    fn links_down(&self, span: &Range<UtcMillis>) -> Result<Vec<Gap>, StoreError> {
        let gap = |event: OutageEvent| {
            let from = event.start_time?;
            let to = event.end_time.unwrap_or(span.end);
            let why = event
                .notes
                .as_deref()
                .and_then(|notes| notes.lines().next())
                .unwrap_or_default()
                .to_string();
            Some(Gap {
                from,
                to,
                reason: format!("nothing could be sent: {why}"),
                host_id: None,
                host: None,
            })
        };
        let mut gaps = Vec::new();
        for event in self.events_within(span, Some(EventKind::LinkDown), Some(&[]))? {
            let is_of_one_version = !event.host_address.contains(" and ");
            let Some(gap) = gap(event) else { continue };
            // The check that finds the link back begins before the end of the event is found.
            let measured_until = UtcMillis(gap.to.0.saturating_sub(MAX_END_DELAY_MS));
            if !is_of_one_version || !self.was_measured(&(gap.from..measured_until))? {
                gaps.push(gap);
            }
        }
        Ok(gaps)
    }

    /// Whether any host's check within a span could be made.
    fn was_measured(&self, span: &Range<UtcMillis>) -> Result<bool, StoreError> {
        const MEASURED: &str = "select exists(select 1 from host h where exists(
            select 1 from check_result where host_id = h.id and checked_at > ?1 and checked_at < ?2))";
        self.query_first(MEASURED, [span.start.0, span.end.0], |row| Ok(flag(row, 0)))
            .map(|found| found == Some(true))
    }
}

fn is_long(gap: &Gap) -> bool {
    gap.to.0 - gap.from.0 >= MIN_GAP_MS
}

/// How the record of a run ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RunEnd {
    Stopped,
    /// The file is a copy that was made while the monitor ran.
    Copied,
    Unknown,
    /// There was none before.
    NotBegun,
}

fn between_runs(from: UtcMillis, to: UtcMillis, end: RunEnd) -> Gap {
    let reason = match end {
        RunEnd::Stopped => "the monitor was stopped",
        RunEnd::Copied => "what was measured after this backup was made is not in it",
        RunEnd::Unknown => "the monitor ended without a clean stop: killed, or no power",
        RunEnd::NotBegun => "the monitor had not run yet",
    };
    Gap {
        from,
        to,
        reason: reason.into(),
        host_id: None,
        host: None,
    }
}

/// Ordered and without overlaps; where two overlap, the one that began first gives the reason. Of a
/// host's own gaps the parts that no other gap covers are left.
fn joined(gaps: Vec<Gap>) -> Vec<Gap> {
    let (own, mut common): (Vec<Gap>, Vec<Gap>) =
        gaps.into_iter().partition(|gap| gap.host_id.is_some());
    by_key(&mut common, |gap| [gap.from.0, gap.to.0]);
    let mut joined: Vec<Gap> = Vec::new();
    for mut gap in common {
        if let Some(last) = joined.last_mut() {
            if gap.to <= last.to {
                continue;
            }
            gap.from = gap.from.max(last.to);
            if gap.reason == last.reason && gap.from == last.to {
                last.to = gap.to;
                continue;
            }
        }
        joined.push(gap);
    }
    let mut all = joined.clone();
    for mut gap in without_overlaps(own) {
        let first = joined.partition_point(|other| other.to <= gap.from);
        for other in joined[first..].iter().take_while(|o| o.from < gap.to) {
            if other.from > gap.from {
                all.push(Gap {
                    to: other.from,
                    ..gap.clone()
                });
            }
            gap.from = other.to;
        }
        if gap.from < gap.to {
            all.push(gap);
        }
    }
    by_key(&mut all, |gap| [gap.from.0, gap.to.0]);
    all
}

/// The gaps of single hosts, without those parts that an earlier one of the same host covers.
fn without_overlaps(mut own: Vec<Gap>) -> Vec<Gap> {
    let mut until: HashMap<Option<HostId>, UtcMillis> = HashMap::new();
    by_key(&mut own, |gap| [gap.from.0, gap.to.0]);
    for gap in &mut own {
        let last = until.entry(gap.host_id).or_insert(gap.from);
        gap.from = gap.from.max(*last).min(gap.to);
        *last = gap.to.max(*last);
    }
    own
}

/// How much of a span the gaps take; of the gaps of single hosts those of this one.
pub fn missing_ms(gaps: &[Gap], span: &Range<UtcMillis>, host_id: Option<HostId>) -> i64 {
    gaps.iter()
        .filter(|gap| gap.concerns(host_id))
        .map(|gap| (gap.to.min(span.end).0 - gap.from.max(span.start).0).max(0))
        .sum::<i64>()
        .min(span.end.0 - span.start.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(from: i64, to: i64, reason: &str) -> Gap {
        Gap {
            from: UtcMillis(from),
            to: UtcMillis(to),
            reason: reason.into(),
            host_id: None,
            host: None,
        }
    }

    fn of_host(id: i64, from: i64, to: i64) -> Gap {
        Gap {
            host_id: Some(HostId(id)),
            ..gap(from, to, "x")
        }
    }

    #[test]
    fn a_gap_of_one_host_counts_where_no_other_gap_does_and_for_this_host_alone() {
        let all = joined(vec![
            of_host(1, 0, 100),
            of_host(2, 55, 70),
            gap(20, 30, "a"),
            gap(50, 60, "b"),
            of_host(3, 52, 58),
        ]);
        assert_eq!(
            all,
            [
                of_host(1, 0, 20),
                gap(20, 30, "a"),
                of_host(1, 30, 50),
                gap(50, 60, "b"),
                of_host(2, 60, 70),
                of_host(1, 60, 100),
            ]
        );
        let missing = |id| missing_ms(&all, &(UtcMillis(10)..UtcMillis(65)), id);
        assert_eq!(missing(Some(HostId(1))), 55);
        assert_eq!(missing(Some(HostId(2))), 25);
        assert_eq!(missing(None), 20);
    }

    #[test]
    fn overlapping_gaps_are_joined() {
        let all = vec![
            gap(50, 90, "b"),
            gap(0, 60, "a"),
            gap(10, 20, "c"),
            gap(90, 95, "b"),
            gap(200, 300, "a"),
        ];
        assert_eq!(
            joined(all),
            [gap(0, 60, "a"), gap(60, 95, "b"), gap(200, 300, "a")]
        );
        let gaps = [gap(0, 60, "a"), gap(200, 300, "a")];
        assert_eq!(
            missing_ms(&gaps, &(UtcMillis(30)..UtcMillis(250)), None),
            80
        );
        assert_eq!(missing_ms(&gaps, &(UtcMillis(60)..UtcMillis(200)), None), 0);
    }
}
