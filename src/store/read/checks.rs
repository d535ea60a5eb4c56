//! A cursor over recorded checks. Between two checks it holds no transaction, so that a slow
//! client never blocks a checkpoint, and few rows, so that many slow clients need little memory.

use std::collections::VecDeque;
use std::ops::Range;

use rusqlite::{Row, params};

use super::hosts::RecordedHost;
use super::reader::Reader;
use super::unreadable::{Unreadable, UnreadablePart};
use crate::pure::model::{State, Thresholds};
use crate::pure::stats;
use crate::pure::sums::CheckSums;
use crate::pure::time::{HOUR_MS, UtcMillis};
use crate::pure::totals::HostTotals;
use crate::store::columns::{latencies, pings, text, value};
use crate::store::error::{StoreError, is_damage};
use crate::store::rollup::missing::missing_checks;
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

    /// Adds it as it is counted for `/metrics`.
    pub fn add_to(&self, totals: &mut HostTotals) {
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        totals.add_measured(
            number(self.sent),
            number(self.received),
            self.state,
            self.rtts_us.as_deref(),
            self.avg_us,
        );
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
    /// Of the rows that were read last.
    is_without_notes: bool,
    unreadable: Vec<UnreadablePart>,
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

/// Rows buffered by all cursors together, about 120 kB; at least one of each.
const ROWS_HELD: usize = 1000;
/// What the texts of a host take, and the times of a row.
const HOST_BYTES: usize = 100;
const RTTS_BYTES: usize = 32;

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
            .clamp(1, 500)
            .min(usize::try_from(limit).unwrap_or(usize::MAX));
        let span = span.start.0..span.end.0;
        let cursor = |host| Cursor {
            host,
            thresholds: None,
            span: span.clone(),
            rows: VecDeque::new(),
            is_at_end: false,
            is_without_notes: false,
            unreadable: Vec::new(),
        };
        Checks {
            cursors: hosts.into_iter().map(cursor).collect(),
            order,
            rows_per_read,
            left: limit,
        }
    }

    /// About how much memory it takes, at most.
    pub fn held_bytes(&self) -> usize {
        let rows = self.rows_per_read * (size_of::<BufferedRow>() + RTTS_BYTES);
        self.cursors.len() * (size_of::<Cursor>() + HOST_BYTES + rows)
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

    /// What could not be read of a whole span, after its last check. What SQLite does not notice is
    /// noticed by the sums of the hours.
    pub fn unreadable(
        self,
        reader: &Reader,
        span: &Range<UtcMillis>,
    ) -> Result<Vec<Unreadable>, StoreError> {
        let mut all = Vec::new();
        let hours = UtcMillis(span.start.0.saturating_add(HOUR_MS - 1)).hour()..span.end.hour();
        for mut cursor in self.cursors {
            let is_checks = |part: &UnreadablePart| matches!(part, UnreadablePart::Checks(_));
            if !cursor.unreadable.iter().any(is_checks) {
                let missing = reader.with_connection(|connection| {
                    missing_checks(connection, cursor.host.id, &hours)
                });
                match missing {
                    Err(error) if error.is_damage() => cursor.unreadable.push(UnreadablePart::Sums),
                    missing => {
                        let spans = missing?.1.into_iter();
                        cursor.unreadable.extend(spans.map(UnreadablePart::Checks));
                    }
                }
            }
            let host = cursor.host.name;
            all.extend(cursor.unreadable.into_iter().map(|part| Unreadable {
                host: host.clone(),
                part,
            }));
        }
        Ok(all)
    }
}

/// Checks with their notes, and without them where those cannot be read.
const NOTED: &str = "select c.checked_at, sent, received, min_us, avg_us, max_us, rtts, late, duplicates, foreigners, reason, c.host_id
                       from check_result c left join check_note n on n.host_id = c.host_id and n.checked_at = c.checked_at";
const PLAIN: &str = "select c.checked_at, sent, received, min_us, avg_us, max_us, rtts, null, null, null, null, c.host_id
                       from check_result c";

/// The direction of the order is appended.
const OF_HOST: &str = "where c.host_id = ?1 and c.checked_at >= ?2 and c.checked_at < ?3 and typeof(c.checked_at) = 'integer'
                       order by c.checked_at";

/// Rows up to where the file is damaged.
#[derive(Debug)]
struct Found {
    rows: Vec<BufferedRow>,
    is_damaged: bool,
    is_without_notes: bool,
}

/// Distances by which a readable check beyond damage is searched.
const FIRST_STEP_MS: i64 = 60_000;
const LAST_STEP_MS: i64 = 1000;

impl Cursor {
    /// Reads the next rows. Where the file is damaged, goes on beyond.
    fn read(&mut self, reader: &Reader, order: Order, rows: usize) -> Result<(), StoreError> {
        if self.thresholds.is_none() {
            self.thresholds =
                Some(reader.with_connection(|connection| thresholds_of(connection, self.host.id))?);
        }
        let found = self.rows_of(reader, order, &self.span, rows)?;
        let is_at_end = found.rows.len() < rows;
        if let (Some(first), Some(last)) = (found.rows.first(), found.rows.last()) {
            let (first, last) = (first.checked_at, last.checked_at);
            if found.is_without_notes {
                let span = UtcMillis(first.min(last))..UtcMillis(first.max(last) + 1);
                self.note_without_notes(reader, span);
            }
            self.is_without_notes = found.is_without_notes;
            match order {
                Order::NewestFirst => self.span.end = last,
                Order::OldestFirst => self.span.start = last + 1,
            }
        }
        self.rows = found.rows.into();
        if found.is_damaged || is_at_end && self.has_more(reader, order)? {
            let skipped = self.skip_damage(reader, order)?;
            self.note_damage(reader, UnreadablePart::Checks(skipped));
        } else {
            self.is_at_end = is_at_end;
        }
        Ok(())
    }

    /// Adds the span of rows whose notes cannot be read: to that of the rows before, if theirs could
    /// not either.
    fn note_without_notes(&mut self, reader: &Reader, span: Range<UtcMillis>) {
        match self.unreadable.last_mut() {
            Some(UnreadablePart::Notes(before)) if self.is_without_notes => {
                *before = before.start.min(span.start)..before.end.max(span.end);
            }
            _ => self.note_damage(reader, UnreadablePart::Notes(span)),
        }
    }

    /// Tells the log.
    fn note_damage(&mut self, reader: &Reader, part: UnreadablePart) {
        let host = self.host.name.clone();
        let new = Unreadable { host, part };
        let path = reader.path().display();
        log::warn!("{path}: {new}: the file is damaged there");
        self.unreadable.push(new.part);
    }

    fn rows_of(
        &self,
        reader: &Reader,
        order: Order,
        span: &Range<i64>,
        rows: usize,
    ) -> Result<Found, StoreError> {
        let noted = self.rows_as(NOTED, reader, order, span, rows)?;
        if !noted.is_damaged {
            return Ok(noted);
        }
        let plain = self.rows_as(PLAIN, reader, order, span, rows)?;
        let is_better = !plain.is_damaged || plain.rows.len() > noted.rows.len();
        Ok(if is_better { plain } else { noted })
    }

    fn rows_as(
        &self,
        select: &str,
        reader: &Reader,
        order: Order,
        span: &Range<i64>,
        rows: usize,
    ) -> Result<Found, StoreError> {
        let limit = i64::try_from(rows).unwrap_or(i64::MAX);
        let direction = if order == Order::NewestFirst {
            "desc"
        } else {
            "asc"
        };
        let checks = format!("{select} {OF_HOST} {direction} limit ?4");
        reader.with_connection(|connection| {
            let mut statement = connection.prepare_cached(&checks)?;
            let mut rows = statement.query(params![self.host.id, span.start, span.end, limit])?;
            let mut found = Found {
                rows: Vec::new(),
                is_damaged: true,
                is_without_notes: select == PLAIN,
            };
            loop {
                let row = match rows.next() {
                    Err(error) if is_damage(&error) => return Ok(found),
                    row => row?,
                };
                let Some(row) = row else {
                    found.is_damaged = false;
                    return Ok(found);
                };
                let is_of_host = row.get_ref(11)?.as_i64() == Ok(self.host.id.0);
                let row = BufferedRow::read(row)?;
                // SQLite relies on the order of the keys and does not look at them again.
                let is_in_order = found.rows.last().is_none_or(|last| match order {
                    Order::NewestFirst => row.checked_at < last.checked_at,
                    Order::OldestFirst => row.checked_at > last.checked_at,
                });
                if !is_of_host || !is_in_order {
                    return Ok(found);
                }
                found.rows.push(row);
            }
        })
    }

    /// Whether there are checks beyond those that were read: a damaged key looks as if there were
    /// none. Read from the other end.
    fn has_more(&self, reader: &Reader, order: Order) -> Result<bool, StoreError> {
        let reverse = match order {
            Order::NewestFirst => Order::OldestFirst,
            Order::OldestFirst => Order::NewestFirst,
        };
        let found = self.rows_of(reader, reverse, &self.span, 1)?;
        Ok(found.is_damaged || !found.rows.is_empty())
    }

    /// Sets the span to what lies beyond the damage at its beginning.
    fn skip_damage(
        &mut self,
        reader: &Reader,
        order: Order,
    ) -> Result<Range<UtcMillis>, StoreError> {
        let whole = self.span.clone();
        let beyond = |distance: i64| match order {
            Order::NewestFirst => whole.start..whole.end.saturating_sub(distance),
            Order::OldestFirst => whole.start.saturating_add(distance)..whole.end,
        };
        let is_readable = |distance: i64| -> Result<bool, StoreError> {
            let found = self.rows_of(reader, order, &beyond(distance), 1)?;
            Ok(!found.is_damaged && !found.rows.is_empty())
        };
        let (mut bad, mut good) = (0, FIRST_STEP_MS);
        while !beyond(good).is_empty() && !is_readable(good)? {
            (bad, good) = (good, good.saturating_mul(2));
        }
        while good - bad > LAST_STEP_MS && !beyond(good).is_empty() {
            let middle = bad + (good - bad) / 2;
            if is_readable(middle)? {
                good = middle;
            } else {
                bad = middle;
            }
        }
        let rest = beyond(good);
        self.is_at_end = rest.is_empty();
        let skipped = match order {
            _ if rest.is_empty() => whole,
            Order::NewestFirst => rest.end..whole.end,
            Order::OldestFirst => whole.start..rest.start,
        };
        self.span = rest;
        Ok(UtcMillis(skipped.start)..UtcMillis(skipped.end))
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
