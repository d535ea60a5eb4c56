//! A small database with rows in every table, which the targets change: two hosts, two days, an
//! outage of each kind, and what a monitor notes besides.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use crate::pure::model::{CheckResult, Host, LocalFault, Outcome};
use crate::pure::time::{DAY_MS, HOUR_MS, UtcMillis};
use crate::store::{Database, RunState};
use crate::sys;

/// A folder in memory where there is one, removed with its contents at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let folder = parent.join(format!("ace-fuzz-{}-{number}", std::process::id()));
        // Left by an earlier process with this id, which was killed.
        drop(fs::remove_dir_all(&folder));
        fs::create_dir(&folder).expect("a folder can be created");
        Folder(folder)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Removes all files.
    #[cfg(test)]
    pub fn clear(&self) {
        for entry in fs::read_dir(&self.0).expect("the folder exists") {
            drop(fs::remove_file(entry.expect("an entry").path()));
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The hosts of the sample: one is named twice in the record.
pub fn hosts() -> [Arc<Host>; 2] {
    let host = |name: &str, address: &str| {
        Arc::new(Host {
            name: name.into(),
            ..Host::unlisted(address)
        })
    };
    [host("one", "192.0.2.1"), host("two", "two.example")]
}

pub fn now() -> UtcMillis {
    sys::clocks().utc()
}

/// A check with these round-trip times in microseconds.
pub fn check(host: &Arc<Host>, at: UtcMillis, rtts: &[Option<u32>]) -> CheckResult {
    let outcome = |rtt: &Option<u32>| match rtt {
        Some(rtt_us) => Outcome::Reply { rtt_us: *rtt_us },
        None => Outcome::TimedOut,
    };
    CheckResult {
        pings: rtts.iter().map(outcome).collect(),
        spacing_ms: 1000,
        interval_ms: 60_000,
        ..CheckResult::begin(Arc::clone(host), at)
    }
}

/// Hours of history.
const HOURS: i64 = 50;

/// The sample, and when it was made.
struct Made {
    at: UtcMillis,
    bytes: Arc<Vec<u8>>,
}

/// The bytes of the sample, which ends now. It is made anew when it is an hour old, since what
/// readers do depends on the age of the newest checks.
pub fn bytes() -> Arc<Vec<u8>> {
    static MADE: Mutex<Option<Made>> = Mutex::new(None);
    let mut made = MADE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    match &*made {
        Some(made) if now().0 - made.at.0 < HOUR_MS => Arc::clone(&made.bytes),
        _ => {
            let bytes = Arc::new(make());
            *made = Some(Made {
                at: now(),
                bytes: Arc::clone(&bytes),
            });
            bytes
        }
    }
}

fn make() -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.file("sample.db");
    // Small pages, so that a change of one meets few rows.
    let connection = Connection::open(&path).expect("it opens");
    let small = "pragma page_size = 512; pragma auto_vacuum = 2; vacuum";
    connection.execute_batch(small).expect("it is empty");
    drop(connection);
    let mut database = Database::open(&path, &mut |_, _| ())
        .expect("it opens")
        .database;
    let now = now();
    database
        .begin_run(UtcMillis(now.0 - HOURS * HOUR_MS), true)
        .expect("it begins");
    let [one, two] = hosts();
    let mut results = Vec::new();
    for hour in (1..=HOURS).rev() {
        let at = UtcMillis(now.0 - hour * HOUR_MS);
        results.push(check(&one, at, &[Some(1000), Some(3000), None]));
        results.push(check(
            &two,
            at.plus(7),
            &[Some(900), Some(1500), Some(100_000)],
        ));
    }
    for minute in (1..=40).rev() {
        let at = UtcMillis(now.0 - minute * 60_000);
        let is_down = (5..9).contains(&minute) || minute == 20;
        let of_one = [Some(1000), Some(2000), Some(5_000_000)].map(|rtt| rtt.filter(|_| !is_down));
        results.push(check(&one, at, &of_one));
        results.push(if minute == 30 {
            let why = "no route to host".into();
            CheckResult::not_measured(Arc::clone(&two), at, LocalFault::Host, why)
        } else {
            CheckResult {
                late: 1,
                foreign: 2,
                reason: Some("time to live exceeded".into()),
                ..check(&two, at, &[Some(800), None, Some(4000)])
            }
        });
    }
    database
        .write(&results, now, RunState::Running)
        .expect("it writes");
    database.checkpoint();
    drop(database);
    fill_other_tables(&path, now);
    fs::read(&path).expect("it is there")
}

/// What no single run of the monitor leaves behind.
fn fill_other_tables(path: &Path, now: UtcMillis) {
    let connection = Connection::open(path).expect("it opens");
    let ago = |ms: i64| UtcMillis(now.0 - ms);
    let text = |ms: i64| ago(ms).sql_text();
    let facts =
        r#"{"gateway":"answers","on_path_answering":0,"on_path_silent":2,"is_complete":true}"#;
    let path = format!(
        r#"[{{"at":"{}","reached":false,"hops":["192.0.2.254",null,"198.51.100.1"]}}]"#,
        ago(400_000).rfc3339()
    );
    let check = format!(
        r#"{{"host_name":"two","host_address":"two.example","check":{{"timestamp":"{}","state":"poor","sent":5,"received":2,
            "success_rate":40.0,"avg_us":1000}}}}"#,
        ago(60_000).rfc3339()
    );
    let loss = format!(
        r#"{{"host_name":"two","host_address":"two.example","loss":{{"start_time":"{}","end_time":null,"sent":50,"lost":9,
            "loss_percent":18.0}}}}"#,
        ago(600_000).rfc3339()
    );
    let event = "insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds,
        checks_failed, checks_during_outage, recovery_success_rate, notes, host_id, earliest_start, packets_sent, packets_lost,
        cause, facts, path, planned, answered_since, removed)";
    let (h, d) = (HOUR_MS, DAY_MS);
    let sql = format!(
        "{event} values
           ('one', '192.0.2.1', 'outage', '{a}', '{b}', 3600, 9, 9, 100.0, 'work on the line', 1, '{a}', 27, 27, 'provider',
            '{facts}', '{path}', 1, null, 0),
           ('old', '192.0.2.1', 'outage', '{c}', null, null, 3, 4, null, null, 1, '{c}', 9, 8, 'gateway', '{facts}', '{path}', 0,
            '{e}', 0),
           ('two', 'two.example', 'outage', '{c}', '{e}', 60, 1, 1, 66.6, null, 2, '{c}', 3, 3, 'provider', '{facts}', null, 0,
            null, 1),
           ('link', 'IPv4', 'link_down', '{c}', '{e}', 60, 0, 0, null, 'no carrier', null, null, null, null, 'link', null, null,
            0, null, 0),
           ('two', 'two.example', 'dns', '{c}', '{e}', 60, 0, 0, null, 'no answer from the resolver', 2, null, null, null, 'dns',
            null, null, 0, null, 0),
           ('three', '192.0.2.3', 'outage', '{a}', null, 60, 1, 1, null, null, null, null, null, null, null, null, null, 0, null,
            0);
         insert into stale_rollup values(1, {hour}), (2, {hour});
         insert or ignore into stale_rollup_day values(1, {day}), (2, {day});
         update watcher set looked_at = {now};
         update pruning set pruned_before = {pruned};
         insert into doubt values(2, {recent}, {recent}, 3, {recent}), (1, {recent}, null, 1, null);
         insert into interruption(started_at, ended_at, kind) values({x}, {y}, 'asleep'), ({x}, {y}, 'held_up'), ({y}, {z}, 'clock');
         insert into clock_step(at, step_ms, moved, run_id, why) values({x}, 7200000, 2, 1, null), ({y}, -7200000, 2, 1, 'set_back');
         insert into notice(made_at, kind, facts, tries, told_at, failed_at, failure, output) values
           ({recent}, 'down', null, 2, null, {now}, 'mail: exit status 1', 'no such user'), ({recent}, 'up', null, 0, {now}, null,
            null, null), ({recent}, 'degraded', '{check}', 0, null, null, null, null), ({recent}, 'loss', '{loss}', 0, null, null,
            null, null), ({recent}, 'incident', null, 0, null, null, null, null);
         insert or ignore into notice_event select e.id, n.id from outage_events e, notice n where n.facts is null;
         insert into unsent(host_id, started_at, ended_at, reason) values(1, {x}, {y}, 'no route'), (2, {y}, {z}, 'no carrier');
         insert into loss values(1, {recent});
         insert into damage(found_at, what) values({recent}, 'the hourly sums of a host');
         insert or ignore into former_name values(1, 'old'), (2, 'former');
         update host set latency_limit_us = 50000, resolved_address = '192.0.2.2', source = '192.0.2.9' where id = 2;
         insert or ignore into host_interval values(2, {x}, 60000, 1), (2, {y}, 30000, 0), (1, {x}, 120000, 0);
         insert into monitor_run(started_at, alive_at, stopped_at, version, behind_ms, copied_at, doubt, boot_id, clock_offset_ms)
           select started_at - {d}, started_at - {h}, started_at - {h}, version, 5, null, 'behind', boot_id, clock_offset_ms
             from monitor_run;",
        a = text(30 * h),
        b = text(29 * h),
        c = text(480_000),
        e = text(300_000),
        hour = ago(3 * h).hour().0,
        day = ago(d).hour().day().0,
        now = now.0,
        pruned = ago(45 * h).0,
        recent = ago(120_000).0,
        x = ago(20 * h).0,
        y = ago(19 * h).0,
        z = ago(18 * h).0,
    );
    connection.execute_batch(&sql).expect("it is written");
    let whole = "pragma wal_checkpoint(truncate); pragma journal_mode = delete";
    connection.execute_batch(whole).expect("nobody reads");
}
