//! A cursor over recorded checks. Between two checks it holds no transaction, so that a slow
//! client never blocks a checkpoint, and few rows, so that many slow clients need little memory.

use std::collections::VecDeque;
use std::ops::Range;

use rusqlite::{Row, params};

use super::hosts::RecordedHost;
use super::reader::Reader;
use crate::pure::model::{State, Thresholds};
use crate::pure::stats;
use crate::pure::sums::CheckSums;
use crate::pure::time::UtcMillis;
use crate::store::columns::{latencies, pings, text, value};
use crate::store::error::StoreError;
use crate::store::rows::thresholds_of;

/// A recorded check.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCheck {
    pub name: String,
    pub address: String,
    pub checked_at: UtcMillis,
    pub sent: i64,
    pub received: i64,
    pub min_us: Option<u32>,
    pub avg_us: Option<u32>,
    pub max_us: Option<u32>,
    pub rtts_us: Option<Vec<Option<u32>>>,
    pub late: i64,
    pub duplicates: i64,
    pub foreign: i64,
    pub reason: Option<String>,
    pub state: State,
}

impl RecordedCheck {
    /// 0 to 100.
    pub fn success_rate(&self) -> f64 {
        stats::success_rate(self.sent, self.received)
    }

    /// Pings that were not answered.
    pub fn failure_count(&self) -> i64 {
        self.sent.saturating_sub(self.received)
    }

    /// Minimum, mean and maximum round-trip time in milliseconds.
    pub fn latencies_ms(&self) -> [Option<f64>; 3] {
        [self.min_us, self.avg_us, self.max_us].map(|us| us.map(|us| f64::from(us) / 1000.0))
    }
}

/// Recorded checks of several hosts in chronological order.
#[derive(Debug)]
pub struct Checks {
    cursors: Vec<Cursor>,
    order: Order,
    rows_per_read: usize,
    left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    NewestFirst,
    OldestFirst,
}

#[derive(Debug)]
struct Cursor {
    host: RecordedHost,
    /// Read with the first rows.
    thresholds: Option<Thresholds>,
    /// Not read yet.
    span: Range<i64>,
    rows: VecDeque<BufferedRow>,
    is_at_end: bool,
}

/// A buffered row.
#[derive(Debug)]
struct BufferedRow {
    checked_at: i64,
    sent: i64,
    received: i64,
    latencies: [Option<u32>; 3],
    /// Encoded.
    rtts: Option<Box<[u8]>>,
    note: Option<Box<Note>>,
}

#[derive(Debug, Default)]
struct Note {
    late: i64,
    duplicates: i64,
    foreign: i64,
    reason: Option<String>,
}

/// Rows buffered by all cursors together, about 120 kB.
const ROWS_HELD: usize = 1000;

impl Checks {
    /// The checks of `hosts` within a span, newest first, at most `limit`.
    pub fn new(hosts: Vec<RecordedHost>, span: &Range<UtcMillis>, limit: u64) -> Checks {
        Checks::ordered(hosts, span, limit, Order::NewestFirst)
    }

    /// All checks of `hosts` within a span, oldest first; those of one millisecond in the order of
    /// the hosts.
    pub fn oldest_first(hosts: Vec<RecordedHost>, span: &Range<UtcMillis>) -> Checks {
        Checks::ordered(hosts, span, u64::MAX, Order::OldestFirst)
    }

    fn ordered(
        hosts: Vec<RecordedHost>,
        span: &Range<UtcMillis>,
        limit: u64,
        order: Order,
    ) -> Checks {
        let rows_per_read = (ROWS_HELD / hosts.len().max(1))
            .clamp(10, 500)
            .min(usize::try_from(limit).unwrap_or(usize::MAX));
        let span = span.start.0..span.end.0;
        let cursor = |host| Cursor {
            host,
            thresholds: None,
            span: span.clone(),
            rows: VecDeque::new(),
            is_at_end: false,
        };
        Checks {
            cursors: hosts.into_iter().map(cursor).collect(),
            order,
            rows_per_read,
            left: limit,
        }
    }

    pub fn next(&mut self, reader: &Reader) -> Result<Option<RecordedCheck>, StoreError> {
        Ok(self.next_with_host(reader)?.map(|(_, check)| check))
    }

    pub fn next_with_host(
        &mut self,
        reader: &Reader,
    ) -> Result<Option<(&RecordedHost, RecordedCheck)>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        for cursor in &mut self.cursors {
            if cursor.rows.is_empty() && !cursor.is_at_end {
                cursor.read(reader, self.order, self.rows_per_read)?;
            }
        }
        let next_at = |cursor: &&mut Cursor| cursor.rows.front().map(|row| row.checked_at);
        let due = match self.order {
            Order::NewestFirst => self.cursors.iter_mut().max_by_key(next_at),
            Order::OldestFirst => self
                .cursors
                .iter_mut()
                .filter(|cursor| !cursor.rows.is_empty())
                .min_by_key(next_at),
        };
        let check = due.and_then(|cursor| {
            let row = cursor.rows.pop_front()?;
            let thresholds = cursor.thresholds.unwrap_or_default();
            Some((&cursor.host, row.into_check(&cursor.host, &thresholds)))
        });
        self.left -= u64::from(check.is_some());
        Ok(check)
    }
}

/// The checks of a host. The direction of the order is appended.
const CHECKS: &str = "select c.checked_at, sent, received, min_us, avg_us, max_us, rtts, late, duplicates, foreigners, reason
                        from check_result c left join check_note n on n.host_id = c.host_id and n.checked_at = c.checked_at
                       where c.host_id = ?1 and c.checked_at >= ?2 and c.checked_at < ?3 and typeof(c.checked_at) = 'integer'
                       order by c.checked_at";

impl Cursor {
    fn read(&mut self, reader: &Reader, order: Order, rows: usize) -> Result<(), StoreError> {
        if self.thresholds.is_none() {
            self.thresholds =
                Some(reader.with_connection(|connection| thresholds_of(connection, self.host.id))?);
        }
        let limit = i64::try_from(rows).unwrap_or(i64::MAX);
        let direction = if order == Order::NewestFirst {
            "desc"
        } else {
            "asc"
        };
        let checks = format!("{CHECKS} {direction} limit ?4");
        let found: Vec<BufferedRow> = reader.query(
            &checks,
            params![self.host.id, self.span.start, self.span.end, limit],
            BufferedRow::read,
        )?;
        self.is_at_end = found.len() < rows;
        match (found.last(), order) {
            (Some(last), Order::NewestFirst) => self.span.end = last.checked_at,
            (Some(last), Order::OldestFirst) => self.span.start = last.checked_at + 1,
            (None, _) => {}
        }
        self.rows = found.into();
        Ok(())
    }
}

impl Reader {
    /// How many checks of hosts there are within a span.
    pub fn count_checks(
        &self,
        hosts: &[RecordedHost],
        span: &Range<UtcMillis>,
    ) -> Result<u64, StoreError> {
        const COUNT: &str = "select count(*) from check_result where host_id = ?1 and checked_at >= ?2 and checked_at < ?3";
        let count = |host: &RecordedHost| {
            let values = params![host.id, span.start.0, span.end.0];
            self.query_first(COUNT, values, |row| row.get::<_, i64>(0))
        };
        hosts
            .iter()
            .map(|host| count(host).map(|count| count.unwrap_or_default().unsigned_abs()))
            .sum()
    }
}

impl BufferedRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<BufferedRow> {
        let rtts = row
            .get_ref(6)?
            .as_blob_or_null()
            .unwrap_or(None)
            .filter(|bytes| bytes.len() <= stats::MAX_RTTS_BYTES);
        let count = |index| i64::from(value::<u32>(row, index).unwrap_or(0));
        let note = Note {
            late: count(7),
            duplicates: count(8),
            foreign: count(9),
            reason: text(row, 10)?,
        };
        let is_noted =
            note.late != 0 || note.duplicates != 0 || note.foreign != 0 || note.reason.is_some();
        let (sent, received) = pings(row, 1);
        Ok(BufferedRow {
            checked_at: row.get(0)?,
            sent,
            received,
            latencies: latencies(row, 3),
            rtts: rtts.map(Box::from),
            note: is_noted.then(|| Box::new(note)),
        })
    }

    fn into_check(self, host: &RecordedHost, thresholds: &Thresholds) -> RecordedCheck {
        let [min_us, avg_us, max_us] = self.latencies;
        let min = min_us.unwrap_or(0);
        let sums = CheckSums {
            sent: self.sent,
            received: self.received,
            latencies: self.latencies,
            rtts: None,
        };
        let note = self.note.map(|note| *note).unwrap_or_default();
        RecordedCheck {
            name: host.name.clone(),
            address: host.address.clone(),
            checked_at: UtcMillis(self.checked_at),
            sent: self.sent,
            received: self.received,
            min_us,
            avg_us,
            max_us,
            rtts_us: self.rtts.and_then(|bytes| stats::decode_rtts(&bytes, min)),
            late: note.late,
            duplicates: note.duplicates,
            foreign: note.foreign,
            reason: note.reason,
            state: sums.state(thresholds),
        }
    }
}
