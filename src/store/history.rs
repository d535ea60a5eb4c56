//! Questions about spans of time: sums, buckets of a chart, days; and about hosts, daemons and
//! outages.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::{OptionalExtension, Row, params};

use super::reader::{Reader, text};
use super::rollup::{self, Detail};
use super::rollup_day;
use super::{IMPLAUSIBLE_BEFORE, OutageEvent, StoreError, events};
use crate::pure::address::IpVersion;
use crate::pure::model::{Host, Thresholds};
use crate::pure::sums::{CheckSums, Counts, Sums};
use crate::pure::time::{HOUR_MS, UtcMillis};

/// A host that was ever recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedHost {
    /// Its id; 4 and 6 of one address are two.
    pub id: i64,
    /// Its newest name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// `None` for either version of IP.
    pub family: Option<IpVersion>,
}

/// What was noted beside the checks of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoteSums {
    /// Replies after their timeout.
    pub late: i64,
    /// Replies that came again.
    pub duplicates: i64,
    /// Messages that answered nothing.
    pub foreign: i64,
}

/// A daemon in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitorRun {
    /// When it began.
    pub started_at: UtcMillis,
    /// Its last sign of life.
    pub alive_at: UtcMillis,
    /// When it ended cleanly.
    pub stopped_at: Option<UtcMillis>,
}

/// Which outages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutageFilter {
    /// All of them.
    All,
    /// Those that are not over.
    OpenOnly,
}

/// From where a chart's buckets are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The checks themselves.
    Raw,
    /// Hourly roll-ups.
    Rollup,
}

/// What a sum is made of.
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
    /// Every host that was ever recorded, by name.
    pub fn hosts(&self) -> Result<Vec<RecordedHost>, StoreError> {
        const HOSTS: &str =
            "select id, name, address, family from host order by name, address, family";
        self.query(HOSTS, [], |row| {
            let (name, address) = (
                text(row, 1)?.unwrap_or_default(),
                text(row, 2)?.unwrap_or_default(),
            );
            Ok(RecordedHost {
                id: row.get(0)?,
                name,
                address,
                family: IpVersion::from_number(row.get(3)?),
            })
        })
    }

    /// The ids of a host by its key: an address, which means all its families, or one with its
    /// family behind it (see [`Host::key`]). None when it was never recorded.
    pub fn host_ids(&self, key: &str) -> Result<Vec<i64>, StoreError> {
        const IDS: &str = "select id from host where address = ?1 collate nocase and (?2 is null or family = ?2) order by id";
        let (address, family) = Host::split_key(key);
        self.query(
            IDS,
            params![address, family.map(IpVersion::number)],
            |row| row.get(0),
        )
    }

    /// When one of the hosts was first recorded, roll-ups included. What a board without a clock
    /// dated in 1970 counts only where there is nothing else.
    pub fn first_recorded(&self, hosts: &[i64]) -> Result<Option<UtcMillis>, StoreError> {
        // An hour that begins before the first of its own checks says nothing that they don't say
        // better.
        const FIRST: &str = "with raw(at) as (select min(at) from (
            select (select min(checked_at) from check_result where host_id = ?1 and checked_at >= ?2) as at
            union all select (select min(checked_at) from not_measured_check where host_id = ?1 and checked_at >= ?2)))
            select iif(hour < at / 3600000 or at is null, hour * 3600000, at)
              from raw, (select (select min(hour) from rollup where host_id = ?1 and hour >= ?2 / 3600000) as hour)";
        let since = |host: &i64, from: i64| {
            self.ask(|c| {
                c.prepare_cached(FIRST)?
                    .query_row(params![host, from], |row| row.get::<_, Option<i64>>(0))
            })
        };
        let first = |host: &i64| match since(host, IMPLAUSIBLE_BEFORE.0)? {
            None => since(host, 0),
            found => Ok(found),
        };
        let all: Result<Vec<Option<i64>>, StoreError> = hosts.iter().map(first).collect();
        Ok(all?.into_iter().flatten().min().map(UtcMillis))
    }

    /// Before this instant the checks themselves are deleted.
    pub fn pruned_before(&self) -> Result<UtcMillis, StoreError> {
        self.ask(|c| c.query_row("select pruned_before from pruning", [], |row| row.get(0)))
            .map(UtcMillis)
    }

    /// The sums of a span: from roll-ups where whole hours lie in it, at its edges from the checks.
    pub fn sums(&self, hosts: &[i64], span: &Range<UtcMillis>) -> Result<Sums, StoreError> {
        let first_hour = -(-span.start.0).div_euclid(HOUR_MS);
        let last_hour = span.end.0.div_euclid(HOUR_MS).max(first_hour);
        let mut sums = Sums::default();
        if span.end.0 <= first_hour * HOUR_MS {
            self.add_checks(hosts, span.start.0..span.end.0, &mut |_, what| {
                what.add_to(&mut sums)
            })?;
            return Ok(sums);
        }
        for edge in [
            span.start.0..first_hour * HOUR_MS,
            last_hour * HOUR_MS..span.end.0,
        ] {
            self.add_checks(hosts, edge, &mut |_, what| what.add_to(&mut sums))?;
        }
        for host in hosts {
            self.ask_together(|c| rollup_day::sum_up(c, *host, first_hour..last_hour, &mut sums))?;
        }
        Ok(sums)
    }

    /// The sums of a span cut into buckets, by their number: instant / width. Buckets without
    /// anything are left out.
    pub fn buckets(
        &self,
        hosts: &[i64],
        span: &Range<UtcMillis>,
        width_ms: i64,
        source: Source,
    ) -> Result<BTreeMap<i64, Sums>, StoreError> {
        let mut buckets: BTreeMap<i64, Sums> = BTreeMap::new();
        match source {
            Source::Raw => {
                self.add_checks(hosts, span.start.0..span.end.0, &mut |at, what| {
                    what.add_to(buckets.entry(at.div_euclid(width_ms)).or_default());
                })?;
            }
            Source::Rollup => {
                let hours = span.start.hour()..-(-span.end.0).div_euclid(HOUR_MS);
                for host in hosts {
                    self.ask_together(|c| {
                        rollup_day::each_hour(
                            c,
                            *host,
                            hours.clone(),
                            Detail::Whole,
                            &mut |hour, sums| {
                                sums.add_to(
                                    buckets
                                        .entry(hour.saturating_mul(HOUR_MS).div_euclid(width_ms))
                                        .or_default(),
                                );
                            },
                        )
                    })?;
                }
            }
        }
        Ok(buckets)
    }

    /// Hands over the counts of a host's hours, in no certain order.
    pub fn each_hour(
        &self,
        host: i64,
        hours: Range<i64>,
        mut take: impl FnMut(i64, &Counts),
    ) -> Result<(), StoreError> {
        self.ask_together(|c| {
            rollup_day::each_hour(c, host, hours, Detail::Counts, &mut |number, hour| {
                take(number, &hour.counts)
            })
        })
    }

    fn add_checks(
        &self,
        hosts: &[i64],
        span: Range<i64>,
        add: &mut dyn FnMut(i64, Addition<'_>),
    ) -> Result<(), StoreError> {
        for host in hosts {
            self.ask_together(|c| {
                let thresholds = rollup::thresholds_of(c, *host)?;
                rollup::each_check(c, *host, span.clone(), |at, check| {
                    add(at, Addition::Check(check, thresholds))
                })?;
                rollup::each_not_measured(c, *host, span.clone(), |at| {
                    add(at, Addition::NotMeasured)
                })
            })?;
        }
        Ok(())
    }

    /// What was noted beside the checks of a span.
    pub fn note_sums(
        &self,
        hosts: &[i64],
        span: &Range<UtcMillis>,
    ) -> Result<NoteSums, StoreError> {
        const NOTES: &str = "select coalesce(sum(late), 0), coalesce(sum(duplicates), 0), coalesce(sum(foreigners), 0)
                               from check_note where host_id = ?1 and checked_at >= ?2 and checked_at < ?3";
        let mut sums = NoteSums::default();
        for host in hosts {
            let read = |row: &Row<'_>| {
                Ok(NoteSums {
                    late: row.get(0)?,
                    duplicates: row.get(1)?,
                    foreign: row.get(2)?,
                })
            };
            let one = self.ask(|c| {
                c.prepare_cached(NOTES)?
                    .query_row(params![host, span.start.0, span.end.0], read)
            })?;
            sums.late += one.late;
            sums.duplicates += one.duplicates;
            sums.foreign += one.foreign;
        }
        Ok(sums)
    }

    /// The newest daemon in the ledger.
    pub fn newest_run(&self) -> Result<Option<MonitorRun>, StoreError> {
        const NEWEST: &str = "select started_at, alive_at, stopped_at from monitor_run
                               order by stopped_at is null and alive_at = (select max(alive_at) from monitor_run) desc,
                                        alive_at desc limit 1";
        self.ask(|c| {
            c.prepare_cached(NEWEST)?
                .query_row([], |row| {
                    let stopped_at: Option<i64> = row.get(2)?;
                    Ok(MonitorRun {
                        started_at: UtcMillis(row.get(0)?),
                        alive_at: UtcMillis(row.get(1)?),
                        stopped_at: stopped_at.map(UtcMillis),
                    })
                })
                .optional()
        })
    }

    /// Changes with every result that is recorded.
    pub fn newest_write(&self) -> Result<String, StoreError> {
        const NEWEST: &str = "select coalesce(group_concat(at, '-'), '') from (
            select max((select coalesce(max(checked_at), 0) from check_result where host_id = h.id),
                       (select coalesce(max(checked_at), 0) from not_measured_check where host_id = h.id)) as at from host h)";
        let times: String =
            self.ask(|c| c.prepare_cached(NEWEST)?.query_row([], |row| row.get(0)))?;
        let mut hash = std::hash::DefaultHasher::new();
        times.hash(&mut hash);
        Ok(format!("{:x}", hash.finish()))
    }

    /// What tells this file from every other on this machine.
    pub fn database_id(&self) -> String {
        database_id(self.path())
    }

    /// Outages, newest first: of one address or of all, those not over or all, begun since an
    /// instant.
    pub fn outages(
        &self,
        address: Option<&str>,
        standing: OutageFilter,
        since: Option<UtcMillis>,
        limit: i64,
    ) -> Result<Vec<OutageEvent>, StoreError> {
        let outages = format!(
            "select {} from outage_events where (?1 is null or host_address = ?1) and (?2 = 0 or end_time is null)
                and (?3 is null or start_time >= ?3) order by start_time desc, id desc limit ?4",
            events::COLUMNS
        );
        let since = since.map(UtcMillis::sql_text);
        let open = i64::from(standing == OutageFilter::OpenOnly);
        self.ask(|c| {
            c.prepare_cached(&outages)?
                .query_map(params![address, open, since, limit], events::read_event)?
                .collect()
        })
    }
}

/// What tells a database file from every other on this machine.
pub fn database_id(path: &Path) -> String {
    std::fs::metadata(path).map_or_else(
        |_| "gone".into(),
        |meta| format!("{:x}-{:x}", meta.dev(), meta.ino()),
    )
}
