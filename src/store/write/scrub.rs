//! Reads the whole database in small steps, to find damage before it is needed: each row of each
//! table in the order of its key, and whether an hour has the checks that its sums have.

use std::ops::Range;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::database::Database;
use crate::pure::model::HostId;
use crate::pure::time::{Hour, UtcMillis};
use crate::store::damage::sentence_of;
use crate::store::error::{StoreError, is_damage};
use crate::store::rollup::missing::missing_checks;

/// A step ends after the row during which this has passed.
const MAX_STEP: Duration = Duration::from_millis(10);

/// A statement is made anew after so many rows.
const MAX_ROWS: u32 = 1000;

/// Findings that are named.
const MAX_NAMED: usize = 3;

/// Tables and the columns of their keys.
const TABLES: [(&str, &str); 18] = [
    ("host", "id"),
    ("host_interval", "host_id, since"),
    ("former_name", "host_id, name"),
    ("outage_events", "id"),
    ("monitor_run", "id"),
    ("interruption", "id"),
    ("unsent", "id"),
    ("clock_step", "id"),
    ("level_changes", "host_id, kind, at"),
    ("notice", "id"),
    ("notice_event", "event_id, notice_id"),
    ("stale_rollup", "host_id, hour"),
    ("stale_rollup_day", "host_id, day"),
    ("rollup", "host_id, hour"),
    ("rollup_day", "host_id, day"),
    ("check_note", "host_id, checked_at"),
    ("not_measured_check", "host_id, checked_at"),
    ("check_result", "host_id, checked_at"),
];

/// How far a scrub is, and what it found.
#[derive(Debug, Default)]
pub struct Scrub {
    table: usize,
    /// The key of the last row that was read in this table.
    after: Vec<Value>,
    found: Vec<String>,
}

impl Database {
    /// Continues a scrub for some milliseconds; returns whether it has come to its end.
    pub fn scrub(&mut self, scrub: &mut Scrub) -> Result<bool, StoreError> {
        let began = Instant::now();
        while began.elapsed() < MAX_STEP {
            let step = match TABLES.get(scrub.table) {
                Some((table, key)) => scrub.read_rows(self.connection(), table, key, began),
                None => match scrub.compare_sums(self.connection()) {
                    Ok(true) => return Ok(true),
                    other => other.map(|_| ()),
                },
            };
            match step {
                Err(error) if is_damage(&error) => scrub.note_damage(),
                step => step.map_err(|cause| self.failed("reading", cause))?,
            }
        }
        Ok(false)
    }

    /// Records what a scrub found. The first time a notice is made, and the sentence for the log is
    /// returned.
    pub fn record_scrub(
        &mut self,
        scrub: &Scrub,
        now: UtcMillis,
    ) -> Result<Option<String>, StoreError> {
        const IS_KNOWN: &str = "select exists(select 1 from damage)";
        const NOTE: &str = "insert into damage(found_at, what) values(?1, ?2)";
        let what = scrub.findings();
        let connection = self.connection();
        let write = || -> rusqlite::Result<bool> {
            let is_known = connection.query_row(IS_KNOWN, [], |row| row.get(0))?;
            match &what {
                None if is_known => connection.execute("delete from damage", []).map(|_| false),
                Some(what) if !is_known => connection.execute(NOTE, (now.0, what)).map(|_| true),
                _ => Ok(false),
            }
        };
        let is_new = write().map_err(|cause| self.failed("writing", cause))?;
        let sentence = what
            .filter(|_| is_new)
            .map(|what| sentence_of(self.path(), &what));
        if let Some(sentence) = &sentence {
            self.notify_of_damage(sentence.clone(), None);
        }
        Ok(sentence)
    }
}

impl Scrub {
    /// What was found, in words.
    pub fn findings(&self) -> Option<String> {
        let more = self.found.len().saturating_sub(MAX_NAMED);
        let named = self.found[..self.found.len() - more].join("; ");
        match (self.found.len(), more) {
            (0, _) => None,
            (_, 0) => Some(named),
            (_, more) => Some(format!("{named}; and in {more} other places")),
        }
    }

    fn read_rows(
        &mut self,
        connection: &Connection,
        table: &str,
        key: &str,
        began: Instant,
    ) -> rusqlite::Result<()> {
        let keys = key.split(", ").count();
        let after = match self.after.len() {
            0 => String::new(),
            _ => format!("where ({key}) > ({})", vec!["?"; keys].join(", ")),
        };
        let select =
            format!("select {key}, * from {table} {after} order by {key} limit {MAX_ROWS}");
        let mut statement = connection.prepare_cached(&select)?;
        let mut rows = statement.query(params_from_iter(self.after.clone()))?;
        let (mut read, mut found) = (0, Vec::<Value>::with_capacity(keys));
        // SQLite has read every column of a row once it returns the row.
        while let Some(row) = rows.next()? {
            found.clear();
            for column in 0..keys {
                found.push(row.get(column)?);
            }
            if !is_after(&found, &self.after) {
                self.note_damage();
                return Ok(());
            }
            std::mem::swap(&mut self.after, &mut found);
            read += 1;
            if began.elapsed() >= MAX_STEP {
                return Ok(());
            }
        }
        if read < MAX_ROWS {
            self.go_on_to(self.table + 1);
        }
        Ok(())
    }

    /// The sums of the next day of a host; returns whether there is none.
    fn compare_sums(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        const NEXT: &str = "select host_id, max(hour, (select max(pruned_before) / 3600000 from pruning)) from rollup
             where (host_id, hour) > (?1, ?2) order by host_id, hour limit 1";
        let number = |index: usize| match self.after.get(index) {
            Some(Value::Integer(number)) => *number,
            _ => i64::MIN,
        };
        let next = connection
            .prepare_cached(NEXT)?
            .query_map((number(0), number(1)), |row| Ok((row.get(0)?, row.get(1)?)))?
            .next()
            .transpose()?;
        let Some((host_id, Hour(hour))) = next else {
            return Ok(true);
        };
        let day = Hour(hour)..Hour(hour.saturating_add(24));
        let HostId(id) = host_id;
        self.after = vec![id.into(), (day.end.0 - 1).into()];
        let (missing, spans) = missing_checks(connection, host_id, &day)?;
        if let (Some(first), Some(last)) = (spans.first(), spans.last()) {
            let span = first.start..last.end;
            self.found.push(format!(
                "{missing} checks of host {id} are missing {}",
                between(&span)
            ));
        }
        Ok(false)
    }

    /// Goes on with the next host, or with the next table.
    fn note_damage(&mut self) {
        let Some((table, key)) = TABLES.get(self.table) else {
            self.after = match self.after.first() {
                Some(host) => vec![host.clone(), i64::MAX.into()],
                None => vec![i64::MAX.into(), i64::MAX.into()],
            };
            return;
        };
        let place = match &self.after[..] {
            [] => "at its beginning".to_string(),
            after => {
                let values: Vec<String> = key
                    .split(", ")
                    .zip(after)
                    .map(|(column, value)| format!("{column} {}", text_of(column, value)))
                    .collect();
                format!("after {}", values.join(", "))
            }
        };
        self.found
            .push(format!("table {table} cannot be read {place}"));
        match &self.after[..] {
            // Once for each host: how much is damaged is told by the salvage.
            [host, Value::Integer(time)] if *time < i64::MAX => {
                self.after = vec![host.clone(), i64::MAX.into()];
            }
            _ => self.go_on_to(self.table + 1),
        }
    }

    fn go_on_to(&mut self, table: usize) {
        (self.table, self.after) = (table, Vec::new());
    }
}

fn is_after(key: &[Value], before: &[Value]) -> bool {
    before.is_empty()
        || match (key, before) {
            ([Value::Integer(a), ..], [Value::Integer(b), ..]) if a != b => a > b,
            ([_, Value::Integer(a)], [_, Value::Integer(b)]) => a > b,
            ([_, Value::Text(a)], [_, Value::Text(b)]) => a > b,
            ([Value::Integer(_)], [Value::Integer(_)]) => false,
            // Plain SQL may have written keys of other types: SQLite knows their order.
            _ => true,
        }
}

fn text_of(column: &str, value: &Value) -> String {
    match (column, value) {
        ("checked_at" | "since", Value::Integer(at)) => UtcMillis(*at).rfc3339(),
        ("hour", Value::Integer(hour)) => Hour(*hour).start().rfc3339(),
        (_, Value::Integer(number)) => number.to_string(),
        (_, Value::Text(text)) => text.clone(),
        _ => "?".into(),
    }
}

fn between(span: &Range<UtcMillis>) -> String {
    format!("from {} to {}", span.start.rfc3339(), span.end.rfc3339())
}
