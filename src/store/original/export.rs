//! Writes a file with the original's literal schema, which the original itself reads: text in local
//! time, latencies in milliseconds. What it has no columns for is in tables that it does not read:
//! export_own.rs.

use std::ops::Range;
use std::path::Path;

use rusqlite::{Connection, params};

use super::export_own::{begin_export, note_check, note_outage};
use super::text::{original_text, pass_of};
use crate::pure::model::EventKind;
use crate::pure::time::UtcMillis;
use crate::store::connection::prepare;
use crate::store::copy::write_whole;
use crate::store::error::StoreError;
use crate::store::file::literal;
use crate::store::read::checks::{Checks, RecordedCheck};
use crate::store::read::hosts::RecordedHost;
use crate::store::read::reader::Reader;
use crate::store::read::unreadable::Unreadable;
use crate::store::schema;

const TABLES: &str = "
CREATE TABLE ping_results (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host_name TEXT NOT NULL,
    host_address TEXT NOT NULL,
    timestamp TIMESTAMP NOT NULL,
    success_count INTEGER NOT NULL,
    failure_count INTEGER NOT NULL,
    success_rate REAL NOT NULL,
    min_latency REAL,
    max_latency REAL,
    avg_latency REAL,
    UNIQUE(host_address, timestamp)
);
CREATE TABLE outage_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host_name TEXT NOT NULL,
    host_address TEXT NOT NULL,
    event_type TEXT NOT NULL,
    start_time TIMESTAMP NOT NULL,
    end_time TIMESTAMP,
    duration_seconds INTEGER,
    checks_failed INTEGER DEFAULT 0,
    checks_during_outage INTEGER DEFAULT 0,
    recovery_success_rate REAL,
    notes TEXT
);";

/// Created after the rows, which is faster.
const INDEXES: &str = "
CREATE INDEX idx_timestamp ON ping_results(timestamp);
CREATE INDEX idx_host_address ON ping_results(host_address);
CREATE INDEX idx_host_timestamp ON ping_results(host_address, timestamp);
CREATE INDEX idx_events_host_time ON outage_events(host_address, start_time DESC);
CREATE INDEX idx_events_time ON outage_events(start_time DESC);";

impl Reader {
    /// Writes the checks and the outages of hosts within a span to a file that must not exist, and
    /// returns the number of each, and what could not be read. `progress` is called with the number of checks written.
    pub fn export_original(
        &self,
        hosts: &[RecordedHost],
        span: &Range<UtcMillis>,
        to: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(u64, u64, Vec<Unreadable>), StoreError> {
        if to.symlink_metadata().is_ok() {
            return Err(StoreError::Exists {
                path: to.to_path_buf(),
            });
        }
        write_whole(to, self.path(), |partial| {
            let failed = |cause| StoreError::Sqlite {
                operation: "writing",
                path: to.to_path_buf(),
                cause,
            };
            let file = begin(partial).map_err(failed)?;
            begin_export(&file, hosts).map_err(failed)?;
            let mut checks = Checks::oldest_first(hosts.to_vec(), span);
            let mut done = 0;
            while let Some((host, check)) = checks.next_with_host(self)? {
                insert_check(&file, &check)
                    .and_then(|()| note_check(&file, host, check.checked_at))
                    .map_err(failed)?;
                done += 1;
                if done % 4096 == 0 {
                    progress(done);
                }
            }
            let unreadable = checks.unreadable(self, span)?;
            let events = self.write_events(&file, hosts, span, &failed)?;
            self.export_own(&file, hosts, span, &failed)?;
            file.execute_batch(&format!("{INDEXES} commit"))
                .map_err(failed)?;
            Ok((done, events, unreadable))
        })
    }

    /// Only outages of hosts: the original has no events of links or names.
    fn write_events(
        &self,
        file: &Connection,
        hosts: &[RecordedHost],
        span: &Range<UtcMillis>,
        failed: &dyn Fn(rusqlite::Error) -> StoreError,
    ) -> Result<u64, StoreError> {
        const INSERT: &str =
            "insert into outage_events(host_name, host_address, event_type, start_time, end_time,
                duration_seconds, checks_failed, checks_during_outage, recovery_success_rate, notes)
            values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let local = |at: UtcMillis| original_text(at, pass_of(at));
        let mut written = 0;
        for event in self.events_within(span, None, None)? {
            let is_of_host =
                event.event_type != EventKind::LinkDown && event.event_type != EventKind::Dns;
            let is_requested = hosts
                .iter()
                .any(|host| host.address.eq_ignore_ascii_case(&event.host_address));
            let Some(start) = event.start_time.filter(|_| is_of_host && is_requested) else {
                continue;
            };
            let end = event.end_time.map(local);
            let kind = if event.end_time.is_none() {
                "outage_start"
            } else {
                "outage_end"
            };
            let (failures, during) = (event.checks_failed, event.checks_during_outage);
            let duration = event.duration_seconds;
            let rate = event.recovery_success_rate;
            let values = params![
                event.host_name,
                event.host_address,
                kind,
                local(start),
                end,
                duration,
                failures,
                during,
                rate,
                event.notes
            ];
            file.prepare_cached(INSERT)
                .and_then(|mut insert| insert.execute(values))
                .and_then(|_| note_outage(file, start, event.end_time))
                .map_err(failed)?;
            written += 1;
        }
        Ok(written)
    }
}

/// A new file with the tables, inside a transaction. No journal is needed, since an incomplete file
/// is deleted.
fn begin(path: &Path) -> rusqlite::Result<Connection> {
    let file = Connection::open(literal(path))?;
    prepare(&file)?;
    file.pragma_update(None, "journal_mode", "off")?;
    file.pragma_update(None, "synchronous", "off")?;
    file.pragma_update(None, "application_id", schema::EXPORT_ID)?;
    file.execute_batch(&format!("begin; {TABLES}"))?;
    Ok(file)
}

fn insert_check(file: &Connection, check: &RecordedCheck) -> rusqlite::Result<()> {
    const INSERT: &str = "insert or ignore into ping_results(host_name, host_address, timestamp, success_count, failure_count,
            success_rate, min_latency, max_latency, avg_latency) values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut insert = file.prepare_cached(INSERT)?;
    let [min, avg, max] = check.latencies_ms();
    let (name, address, rate) = (&check.name, &check.address, check.success_rate());
    // An address that is checked over both versions of IP may have two checks in a millisecond.
    for micros in (pass_of(check.checked_at)..1000).step_by(2) {
        let at = original_text(check.checked_at, micros);
        if insert.execute(params![
            name,
            address,
            at,
            check.received,
            check.failure_count(),
            rate,
            min,
            max,
            avg
        ])? == 1
        {
            return Ok(());
        }
    }
    Err(rusqlite::Error::StatementChangedRows(0))
}
