//! A database of the original, or of its export, with any cells: it is imported and converted in
//! place, or the reason is said.

use std::fs;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::Bytes;
use super::readers::{read_everything, write_everything};
use super::sample::Folder;
use crate::store::{Database, Reader, require_importable};

const TABLES: &str = "create table ping_results(id integer primary key, host_name, host_address, timestamp, success_count,
        failure_count, success_rate, min_latency, max_latency, avg_latency);
    create table outage_events(id integer primary key, host_name, host_address, event_type, start_time, end_time, duration_seconds,
        checks_failed, checks_during_outage, recovery_success_rate, notes);";

/// The tables of an export, with columns without a type.
const OWN_TABLES: &str = "pragma application_id = 1094929528;
    create table ace_host(id integer primary key, address, family, source, name);
    create table ace_check(check_id integer primary key, host_id, checked_at);
    create table ace_outage(event_id integer primary key, started_at, ended_at);
    create table ace_interval(host_id, since, interval_ms, by_hand);
    create table ace_check_note(host_id, checked_at, late, duplicates, foreigners, reason);
    create table ace_not_measured(host_id, checked_at, reason);
    create table ace_run(started_at, alive_at, stopped_at, version);
    create table ace_interruption(started_at, ended_at, kind);
    create table ace_unsent(host_id, started_at, ended_at, reason);
    create table ace_clock_step(at, step_ms, moved);
    create table ace_event(host_id, host_name, host_address, event_type, start_time, end_time, duration_seconds, checks_failed,
        checks_during_outage, recovery_success_rate, notes, earliest_start, packets_sent, packets_lost, cause, facts, path, planned,
        answered_since);";

/// What is in a cell where the bytes ask for nothing else.
fn usual(column: &str, row: u8) -> Value {
    match column {
        "timestamp" | "start_time" => Value::Text(format!("2025-03-30 02:{:02}:10.5", row % 60)),
        "end_time" => Value::Text(format!("2025-03-30 03:{:02}:10", row % 60)),
        "success_count" | "failure_count" => Value::Integer(i64::from(row % 6)),
        "min_latency" | "avg_latency" | "max_latency" => Value::Real(f64::from(row) / 4.0),
        "id" | "check_id" | "event_id" | "host_id" => Value::Integer(i64::from(row % 4) + 1),
        "checked_at" | "since" | "started_at" | "alive_at" | "ended_at" | "stopped_at" | "at" => {
            Value::Integer(1_743_300_000_000 + i64::from(row) * 60_000)
        }
        "interval_ms" | "step_ms" => Value::Integer(60_000),
        _ => Value::Text(format!("192.0.2.{}", row % 3)),
    }
}

fn value(bytes: &mut Bytes<'_>, column: &str, row: u8) -> Value {
    match bytes.byte() {
        0 => Value::Null,
        1 => Value::Integer(bytes.number()),
        2 => Value::Real(f64::from_bits(bytes.number().cast_unsigned())),
        3 => {
            let len = usize::from(bytes.byte());
            Value::Text(String::from_utf8_lossy(bytes.take(len)).into_owned())
        }
        4 => Value::Blob(bytes.take(7).to_vec()),
        5 => Value::Integer(i64::from(bytes.byte())),
        6 => Value::Integer(1_i64.rotate_left(u32::from(bytes.byte()))),
        _ => usual(column, row),
    }
}

fn fill(path: &Path, bytes: &mut Bytes<'_>) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.execute_batch("pragma journal_mode = off; pragma synchronous = off")?;
    connection.execute_batch(TABLES)?;
    if bytes.byte() & 1 == 1 {
        connection.execute_batch(OWN_TABLES)?;
    }
    let columns = super::database::columns(&connection)?;
    let mut tables: Vec<&str> = columns.iter().map(|(table, _)| table.as_str()).collect();
    tables.dedup();
    let mut row = 0_u8;
    while !bytes.is_empty() {
        row = row.wrapping_add(1);
        let table = tables[usize::from(bytes.byte()) % tables.len()];
        let of_table = columns.iter().filter(|(own, _)| own == table);
        let values: Vec<Value> = of_table.map(|(_, name)| value(bytes, name, row)).collect();
        let places = vec!["?"; values.len()].join(", ");
        let insert = format!("insert or ignore into {table} values({places})");
        // A primary key is a whole number.
        let _ = connection.execute(&insert, params_from_iter(values));
    }
    Ok(())
}

pub fn run(data: &[u8]) {
    let folder = Folder::new();
    let (from, to) = (folder.file("original.db"), folder.file("log.db"));
    fill(&from, &mut Bytes(data)).expect("it is written");
    if require_importable(&from).is_err() {
        return;
    }
    let mut database = match Database::open(&to, &mut |_, _| ()) {
        Ok(opened) => opened.database,
        Err(error) => panic!("a new file: {error}"),
    };
    for _ in 0..2 {
        match database.import(&from, &mut |_, _| ()) {
            Ok(import) => drop(import.to_string()),
            Err(error) => drop(error.to_string()),
        }
    }
    drop(database);
    read_everything(&to, &folder);
    // Converted in place too, by a reader.
    fs::copy(&from, folder.file("second.db")).expect("it is copied");
    drop(Reader::open(&folder.file("second.db")));
    write_everything(&folder.file("second.db"), &folder);
}
