//! Sums over spans of time: of the whole span, of the buckets of a chart, of days.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use rusqlite::{Row, params};

use super::intervals::{CheckIntervals, Interval};
use super::reader::Reader;
use crate::pure::model::{HostId, Thresholds};
use crate::pure::sums::{CheckSums, Counts, Sums};
use crate::pure::time::{HOUR_MS, Hour, UtcMillis};
use crate::store::columns::{text, value};
use crate::store::error::StoreError;
use crate::store::rollup::checks::{each_check, each_not_measured};
use crate::store::rollup::day;
use crate::store::rollup::hour::Detail;
use crate::store::rows::thresholds_of;

/// Sums of the notes on checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoteSums {
    pub late: i64,
    pub duplicates: i64,
    pub foreign: i64,
}

/// What a chart's buckets are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Raw,
    Rollup,
}

enum Addition<'a> {
    Check(CheckSums<'a>, Thresholds),
    NotMeasured,
}

impl Addition<'_> {
    fn add_to(&self, sums: &mut Sums) {
        match self {
            Addition::Check(check, thresholds) => sums.add(check, thresholds),
            Addition::NotMeasured => sums.counts.not_measured += 1,
        }
    }
}

impl Reader {
    /// Checks before this instant are deleted.
    pub fn pruned_before(&self) -> Result<UtcMillis, StoreError> {
        self.query_first("select pruned_before from pruning", [], |row| row.get(0))
            .map(|found| found.unwrap_or(UtcMillis(0)))
    }

    /// The sums of a span: from roll-ups where whole hours lie in it, at its edges from the checks or,
    /// where those are deleted, the hour's share.
    pub fn sums(&self, hosts: &[HostId], span: &Range<UtcMillis>) -> Result<Sums, StoreError> {
        let first_hour = span.start.first_full_hour();
        let last_hour = span.end.hour().max(first_hour);
        let mut sums = Sums::default();
        if span.end <= first_hour.start() {
            self.add_part_of_hour(hosts, span.clone(), &mut sums)?;
            return Ok(sums);
        }
        for edge in [span.start..first_hour.start(), last_hour.start()..span.end] {
            self.add_part_of_hour(hosts, edge, &mut sums)?;
        }
        for host in hosts {
            self.in_transaction(|c| day::sum_up(c, *host, first_hour..last_hour, &mut sums))?;
        }
        Ok(sums)
    }

    fn add_part_of_hour(
        &self,
        hosts: &[HostId],
        part: Range<UtcMillis>,
        sums: &mut Sums,
    ) -> Result<(), StoreError> {
        let hour = part.start.hour();
        if part.is_empty() {
            return Ok(());
        }
        if hour.start() >= self.pruned_before()? {
            return self.add_checks(hosts, part, &mut |_, what| what.add_to(sums));
        }
        for host in hosts {
            self.in_transaction(|c| {
                let hours = hour..hour.next();
                day::each_hour(c, *host, hours, Detail::Whole, &mut |_, whole| {
                    let mut one = Sums::default();
                    whole.add_to(&mut one);
                    let within = part.start.0 - hour.start().0..part.end.0 - hour.start().0;
                    sums.merge(&one.share(&within, HOUR_MS));
                })
            })?;
        }
        Ok(())
    }

    /// The sums of a span cut into buckets, by their number: instant / width. Buckets without
    /// anything are left out.
    pub fn buckets(
        &self,
        hosts: &[HostId],
        span: &Range<UtcMillis>,
        width_ms: i64,
        source: Source,
    ) -> Result<BTreeMap<i64, Sums>, StoreError> {
        let mut buckets: BTreeMap<i64, Sums> = BTreeMap::new();
        match source {
            Source::Raw => {
                self.add_checks(hosts, span.clone(), &mut |at, what| {
                    what.add_to(buckets.entry(at.0.div_euclid(width_ms)).or_default());
                })?;
            }
            Source::Rollup => {
                let hours = span.start.hour()..span.end.first_full_hour();
                for host in hosts {
                    self.in_transaction(|c| {
                        day::each_hour(c, *host, hours.clone(), Detail::Whole, &mut |hour, sums| {
                            sums.add_to(
                                buckets
                                    .entry(hour.start().0.div_euclid(width_ms))
                                    .or_default(),
                            );
                        })
                    })?;
                }
            }
        }
        Ok(buckets)
    }

    /// Calls `visit` with the counts of a host's hours, in no particular order.
    pub fn each_hour(
        &self,
        host: HostId,
        hours: Range<Hour>,
        mut visit: impl FnMut(Hour, &Counts),
    ) -> Result<(), StoreError> {
        self.in_transaction(|c| {
            day::each_hour(c, host, hours, Detail::Counts, &mut |number, hour| {
                visit(number, &hour.counts)
            })
        })
    }

    /// As [`Reader::each_hour`], with the interval of the checks, but an hour in which the interval
    /// changes or `cut_at` names an instant is visited in parts, by when these begin: days and hours
    /// of some time zones begin within an hour.
    pub fn each_cut_hour(
        &self,
        host: HostId,
        hours: Range<Hour>,
        intervals: &CheckIntervals,
        cut_at: impl Fn(Hour) -> Option<UtcMillis>,
        mut visit: impl FnMut(UtcMillis, &Counts, Interval),
    ) -> Result<(), StoreError> {
        let mut cuts: Vec<(Hour, Option<UtcMillis>, Counts)> = Vec::new();
        let last = Hour(hours.end.0 - 1);
        let changes_in = |hour: Hour| {
            let parts = intervals.parts(&(hour.start()..hour.next().start()));
            parts.into_iter().skip(1).map(|(part, _)| part.start)
        };
        let has_one_interval =
            |hour: Hour| !intervals.change_within(&(hour.start()..hour.next().start()));
        self.each_hour(host, hours, |hour, counts| match cut_at(hour) {
            None if has_one_interval(hour) => {
                visit(hour.start(), counts, intervals.at(hour.start().0));
            }
            at => cuts.push((hour, at, *counts)),
        })?;
        for (hour, at, mut rest) in cuts {
            let mut cuts: Vec<UtcMillis> = changes_in(hour).chain(at).collect();
            // The last hour may not be over.
            let is_even = rest.is_even() && hour != last && cuts.len() == 1 && at.is_some();
            let whole = rest;
            cuts.sort_unstable();
            let mut begin = hour.start();
            for cut in cuts {
                let first = if is_even {
                    whole.share(&(0..cut.0 - begin.0), HOUR_MS)
                } else {
                    self.sums(&[host], &(begin..cut))?.counts
                };
                visit(begin, &first, intervals.at(begin.0));
                rest = rest.without(&first);
                begin = cut;
            }
            visit(begin, &rest, intervals.at(begin.0));
        }
        Ok(())
    }

    fn add_checks(
        &self,
        hosts: &[HostId],
        span: Range<UtcMillis>,
        add: &mut dyn FnMut(UtcMillis, Addition<'_>),
    ) -> Result<(), StoreError> {
        for host in hosts {
            self.in_transaction(|c| {
                let thresholds = thresholds_of(c, *host)?;
                each_check(c, *host, span.clone(), |at, check| {
                    add(at, Addition::Check(check, thresholds))
                })?;
                each_not_measured(c, *host, span.clone(), |at| add(at, Addition::NotMeasured))
            })?;
        }
        Ok(())
    }

    /// The sums of the notes on the checks of a span.
    pub fn note_sums(
        &self,
        hosts: &[HostId],
        span: &Range<UtcMillis>,
    ) -> Result<NoteSums, StoreError> {
        const NOTES: &str = "select late, duplicates, foreigners
                               from check_note where host_id = ?1 and checked_at >= ?2 and checked_at < ?3";
        let mut sums = NoteSums::default();
        for host in hosts {
            let add = |row: &Row<'_>| {
                let count = |index| i64::from(value::<u32>(row, index).unwrap_or(0));
                sums.late += count(0);
                sums.duplicates += count(1);
                sums.foreign += count(2);
                Ok(())
            };
            self.query(NOTES, params![host, span.start.0, span.end.0], add)?;
        }
        Ok(sums)
    }

    /// Changes with every recorded result.
    pub fn newest_write(&self) -> Result<String, StoreError> {
        const NEWEST: &str = "select coalesce(group_concat(at, '-'), '') from (
            select max((select coalesce(max(checked_at), 0) from check_result where host_id = h.id),
                       (select coalesce(max(checked_at), 0) from not_measured_check where host_id = h.id)) as at from host h)";
        let times = self.query_first(NEWEST, [], |row| text(row, 0))?;
        let mut hash = std::hash::DefaultHasher::new();
        times.hash(&mut hash);
        Ok(format!("{:x}", hash.finish()))
    }
}
