//! One host of four never answers: how long its own check takes, and whether the checks of the
//! others are affected.

use std::time::Instant;

use super::Row;
use super::far_end::{ANSWERING, FarEnd, SILENT};
use super::monitor::{Bench, Program, sleep_seconds};

const PINGS: u64 = 5;
const SPACING_MS: u64 = 100;
const TIMEOUT_MS: u64 = 500;
const INTERVAL_MS: i64 = 1000;
/// For starting a program and its threads on a busy machine.
const ALLOWANCE_MS: f64 = 100.0;

pub fn measure(program: &Program) {
    let _far_end = FarEnd::start(1);
    let hosts: Vec<String> = ANSWERING
        .into_iter()
        .chain([SILENT])
        .map(String::from)
        .collect();
    let monitoring = format!(
        "interval_seconds: {}, ping_count: {PINGS}, ping_spacing_ms: {SPACING_MS}, timeout_seconds: {}",
        INTERVAL_MS / 1000,
        TIMEOUT_MS as f64 / 1000.0
    );
    let bench = Bench::new("dead-host", &monitoring, &hosts);
    let began = Instant::now();
    let rows = bench.check(program, &[], &[SILENT]);
    let took_ms = began.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(rows[0]["received"], 0, "the dead host answers");
    let limit_ms = (SPACING_MS * (PINGS - 1) + TIMEOUT_MS) as f64 + ALLOWANCE_MS;
    Row::at_most(
        "one host of four dead: its own check",
        took_ms,
        limit_ms,
        "ms",
    )
    .print();

    let monitor = bench.monitor(program);
    sleep_seconds(20);
    monitor.stop();
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    // Without the first check, which is made at the start and not on schedule.
    let of_others = "select coalesce(sum(sent - received), 0), max(abs(checked_at - previous - ?2)), count(*) from (
                      select c.*, lag(checked_at) over (partition by host_id order by checked_at) as previous,
                             row_number() over (partition by host_id order by checked_at) as number
                        from check_result c join host h on h.id = c.host_id where address <> ?1)
                   where number > 2";
    let read = |row: &rusqlite::Row<'_>| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
        ))
    };
    let (lost, max_late_ms, checks) = connection
        .query_row(of_others, (SILENT, INTERVAL_MS), read)
        .unwrap();
    Row {
        what: "one host of four dead: the others".into(),
        measured: format!(
            "{lost} pings lost, at most {max_late_ms} ms off schedule, {checks} checks"
        ),
        target: "0 lost, on schedule".into(),
        is_met: lost == 0 && max_late_ms as f64 <= ALLOWANCE_MS && checks > 0,
    }
    .print();
}
