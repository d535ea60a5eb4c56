//! Recorded checks one after the other, however many there are. No transaction is held between two of them, so that a slow
//! reader never keeps the log from being folded in, and only a few rows, so that many slow readers are no burden.

use std::collections::VecDeque;
use std::ops::Range;

use rusqlite::{Row, params};

use super::reader::{Reader, text};
use super::rollup::thresholds_of;
use super::{KnownHost, StoreError};
use crate::model::{State, Thresholds};
use crate::stats;
use crate::sums::CheckSums;
use crate::time::UtcMillis;

/// A recorded check.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of ping_results and of the notes beside it, which the contract names")]
pub struct RecordedCheck {
    pub name: String,
    pub address: String,
    pub checked_at: UtcMillis,
    pub sent: i64,
    pub received: i64,
    pub min_us: Option<i64>,
    pub avg_us: Option<i64>,
    pub max_us: Option<i64>,
    pub rtts_us: Option<Vec<Option<u32>>>,
    pub late: i64,
    pub duplicates: i64,
    pub foreign: i64,
    pub reason: Option<String>,
    pub state: State,
}

/// Recorded checks, newest first, of several hosts at once.
#[derive(Debug)]
pub struct Checks {
    cursors: Vec<Cursor>,
    from: UtcMillis,
    rows_a_read: usize,
    left: u64,
}

#[derive(Debug)]
struct Cursor {
    host: KnownHost,
    /// Asked for with the first rows.
    thresholds: Option<Thresholds>,
    before: i64,
    rows: VecDeque<Kept>,
    is_at_end: bool,
}

/// A row that waits for its turn, as small as may be.
#[derive(Debug)]
struct Kept {
    checked_at: i64,
    sent: i64,
    received: i64,
    latencies: [Option<i64>; 3],
    /// As they are stored.
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

/// How many rows all cursors together hold: some 120 kB.
const ROWS_HELD: usize = 1000;

impl Checks {
    /// The checks of `hosts` within a span, at most `limit`.
    pub fn new(hosts: Vec<KnownHost>, span: &Range<UtcMillis>, limit: u64) -> Checks {
        let rows_a_read = (ROWS_HELD / hosts.len().max(1)).clamp(10, 500).min(usize::try_from(limit).unwrap_or(usize::MAX));
        let cursor = |host| Cursor { host, thresholds: None, before: span.end.0, rows: VecDeque::new(), is_at_end: false };
        Checks { cursors: hosts.into_iter().map(cursor).collect(), from: span.start, rows_a_read, left: limit }
    }

    /// The next one.
    pub fn next(&mut self, reader: &Reader) -> Result<Option<RecordedCheck>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        for cursor in &mut self.cursors {
            if cursor.rows.is_empty() && !cursor.is_at_end {
                cursor.read(reader, self.from, self.rows_a_read)?;
            }
        }
        let newest = self.cursors.iter_mut().max_by_key(|cursor| cursor.rows.front().map(|row| row.checked_at));
        let check = newest.and_then(|cursor| {
            cursor.rows.pop_front().map(|row| row.into_check(&cursor.host, &cursor.thresholds.unwrap_or_default()))
        });
        self.left -= u64::from(check.is_some());
        Ok(check)
    }
}

impl Cursor {
    fn read(&mut self, reader: &Reader, from: UtcMillis, rows: usize) -> Result<(), StoreError> {
        const CHECKS: &str = "select c.checked_at, sent, received, min_us, avg_us, max_us, rtts, late, duplicates, foreigners, reason
                                from check_result c left join check_note n on n.host_id = c.host_id and n.checked_at = c.checked_at
                               where c.host_id = ?1 and c.checked_at >= ?2 and c.checked_at < ?3
                               order by c.checked_at desc limit ?4";
        if self.thresholds.is_none() {
            self.thresholds = Some(reader.ask(|connection| thresholds_of(connection, self.host.id))?);
        }
        let limit = i64::try_from(rows).unwrap_or(i64::MAX);
        let found: Vec<Kept> = reader.query(CHECKS, params![self.host.id, from.0, self.before, limit], Kept::read)?;
        self.is_at_end = found.len() < rows;
        if let Some(last) = found.last() {
            self.before = last.checked_at;
        }
        self.rows = found.into();
        Ok(())
    }
}

impl Kept {
    fn read(row: &Row<'_>) -> rusqlite::Result<Kept> {
        // Whoever writes with plain SQL may write nonsense.
        let number = |index| row.get_ref(index).map(|value| value.as_i64().ok());
        let rtts = row.get_ref(6)?.as_blob_or_null().unwrap_or(None).filter(|bytes| bytes.len() <= stats::MOST_RTTS_BYTES);
        let count = |index| Ok::<_, rusqlite::Error>(number(index)?.unwrap_or(0));
        let note = Note { late: count(7)?, duplicates: count(8)?, foreign: count(9)?, reason: text(row, 10)? };
        let is_noted = note.late != 0 || note.duplicates != 0 || note.foreign != 0 || note.reason.is_some();
        Ok(Kept {
            checked_at: row.get(0)?,
            sent: count(1)?,
            received: count(2)?,
            latencies: [number(3)?, number(4)?, number(5)?],
            rtts: rtts.map(Box::from),
            note: is_noted.then(|| Box::new(note)),
        })
    }

    fn into_check(self, host: &KnownHost, thresholds: &Thresholds) -> RecordedCheck {
        let [min_us, avg_us, max_us] = self.latencies;
        let short = |us: Option<i64>| us.and_then(|us| u32::try_from(us).ok());
        let least = short(min_us).unwrap_or(0);
        let latencies = [short(min_us), short(avg_us), short(max_us)];
        let sums = CheckSums { sent: self.sent, received: self.received, latencies, rtts: None };
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
            rtts_us: self.rtts.and_then(|bytes| stats::decode_rtts(&bytes, least)),
            late: note.late,
            duplicates: note.duplicates,
            foreign: note.foreign,
            reason: note.reason,
            state: sums.state(thresholds),
        }
    }
}
