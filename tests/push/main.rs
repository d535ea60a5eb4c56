//! The section `push`: afterwards the engine holds exactly what the database holds, whatever the
//! engine, the network and the monitor do meanwhile.

#[path = "../common/mod.rs"]
mod common;

mod command;
mod database;
mod engine;
mod faults;
mod kills;
mod monitor;
mod real;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ace_connection_logger::config::{self, PushConfig};
use ace_connection_logger::pure::model::{AlertKinds, CheckResult, Host, LocalFault, Outcome};
use ace_connection_logger::pure::outage::OutageRules;
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::push::{Push, PushHistory};
use ace_connection_logger::store::{
    Database, PushState, Reader, RunState, StoreSettings, Unpushed, Writer,
};
use common::TempDir;
use database::{assert_same, points};
use engine::Engine;

const FILE: &str = "connection_logs.db";
/// The time of the first check.
const START: i64 = 1_762_086_896_007;

/// Random numbers that are the same for a seed (xorshift).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// A section `push` as the configuration reads it.
fn push_config(section: &str) -> PushConfig {
    let text = format!("hosts: [{{address: 127.0.0.1}}]\npush: {section}");
    let loaded = config::parse(text.as_bytes(), "config.yaml");
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    loaded.config.push.expect("a way to send")
}

/// Checks of several hosts: answered, partly answered, silent and not measured, a second apart.
fn checks(hosts: usize, count: usize, from: i64) -> Vec<CheckResult> {
    let mut random = Random::new(hosts as u64 + 7);
    let hosts: Vec<Arc<Host>> = (0..hosts)
        .map(|index| {
            Arc::new(Host {
                name: format!("host {index}, \"{index}\""),
                address: format!("192.0.2.{}", index + 1).as_str().into(),
                family: None,
                source: None,
            })
        })
        .collect();
    let mut checks = Vec::new();
    for second in 0..count {
        for (index, host) in hosts.iter().enumerate() {
            let at = UtcMillis(from + second as i64 * 1000 + index as i64);
            let host = Arc::clone(host);
            checks.push(match random.below(20) {
                0 => CheckResult::not_measured(host, at, LocalFault::Other, "no route".into()),
                kind => {
                    let mut pings = Vec::new();
                    for _ in 0..3 {
                        let rtt_us = u32::try_from(random.below(2_000_000)).expect("small") + 1;
                        pings.push(match (kind, random.below(4)) {
                            (1, _) | (2, 0) => Outcome::TimedOut,
                            _ => Outcome::Reply { rtt_us },
                        });
                    }
                    CheckResult {
                        pings,
                        ..CheckResult::begin(host, at)
                    }
                }
            });
        }
    }
    checks
}

/// A database with checks and the thread that writes to it.
struct Site {
    folder: TempDir,
    writer: Option<Writer>,
}

impl Site {
    fn new(hosts: usize, count: usize) -> Site {
        Site::beginning(hosts, count, START)
    }

    /// The time of its first check is `from`.
    fn beginning(hosts: usize, count: usize, from: i64) -> Site {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let mut database = open(&path);
        let checks = checks(hosts, count, from);
        for part in checks.chunks(2000) {
            let now = part.last().expect("a check").checked_at;
            database
                .write(part, now, RunState::Running)
                .expect("it writes");
        }
        drop(database);
        let mut site = Site {
            folder,
            writer: None,
        };
        site.writer = Some(site.start_writer());
        site
    }

    fn start_writer(&self) -> Writer {
        let settings = StoreSettings {
            flush: Duration::from_millis(50),
            retention: Duration::from_secs(100 * 365 * 86_400),
            rollup_retention: Duration::from_secs(100 * 365 * 86_400),
            outages: OutageRules::default(),
            alerts: AlertKinds::default(),
        };
        Writer::start(open(&self.path()), settings).expect("it starts")
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    fn writer(&self) -> &Writer {
        self.writer.as_ref().expect("it runs")
    }

    /// Sends until this is true, or for too long.
    fn send_until(&self, section: &str, what: &str, mut is_true: impl FnMut(&Site) -> bool) {
        let handle = self.writer().handle();
        let deliver = move |progress| handle.note_pushed(progress);
        let push = Push::start(
            push_config(section),
            self.path(),
            PushHistory::default(),
            deliver,
        )
        .expect("a thread");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_true(self) {
            assert!(
                Instant::now() < deadline,
                "{what} did not happen; {:?}, {:?}",
                self.state(),
                self.unpushed()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let began = Instant::now();
        push.stop();
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    }

    fn send_all(&self, section: &str) {
        self.send_until(section, "the end", |site| {
            site.state().engine != 0 && site.unpushed() == Unpushed::default()
        });
    }

    fn state(&self) -> PushState {
        reader(&self.path()).push_state().expect("a state")
    }

    fn unpushed(&self) -> Unpushed {
        reader(&self.path()).unpushed().expect("an answer")
    }

    fn expect_same(&self, engine: &Engine) {
        assert_same(&engine.points(), &points(&self.path(), &[]));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.finish();
        }
    }
}

fn open(path: &Path) -> Database {
    Database::open(path, &mut |_, _| ())
        .expect("it opens")
        .database
}

fn reader(path: &Path) -> Reader {
    Reader::open_current(path)
        .expect("it opens")
        .expect("it is there")
}

#[test]
fn every_check_and_event_arrives_with_its_exact_time_and_values() {
    let (engine, site) = (Engine::start(), Site::new(3, 400));
    let labels = [("site", "home, \"x\"=1")];
    site.send_all(&format!(
        "{{url: '{}', batch_seconds: 1, labels: {{site: '{}'}}}}",
        engine.url(),
        labels[0].1
    ));
    let held = engine.points();
    let database = points(&site.path(), &labels);
    assert_same(&held, &database);
    let of = |measurement| held.keys().filter(|(name, ..)| name == measurement).count();
    assert!(
        of("ace_check") >= 1200 && of("ace_outage") > 0,
        "{}",
        held.len()
    );
    let with = |text: &str| {
        held.values()
            .filter(|fields| {
                fields
                    .get("state")
                    .is_some_and(|state| state.contains(text))
            })
            .count()
    };
    for state in ["up", "down", "not_measured", "poor"] {
        assert!(with(state) > 0, "{state}");
    }
}

#[test]
fn what_is_recorded_changed_or_entered_later_is_sent() {
    let (engine, site) = (Engine::start(), Site::new(2, 50));
    let section = format!("{{url: '{}', batch_seconds: 1}}", engine.url());
    site.send_all(&section);
    let lines: usize = engine.state().lines.iter().sum();
    assert_eq!(lines, engine.points().len());
    for check in checks(2, 60, START + 100_000) {
        assert!(site.writer().handle().record(check));
    }
    // Also an event that is changed, and a check that is entered behind the others.
    database::connect(&site.path())
        .execute_batch(
            r#"update outage_events set notes = 'a cable', cause = 'link' where id = 1;
             insert into ping_results(host_name, host_address, timestamp, success_count, failure_count)
             values('host 0, "0"', '192.0.2.1', '2025-11-02 12:00:00.000', 0, 3)"#,
        )
        .expect("SQL");
    site.send_until(&section, "the rest", |site| {
        reader(&site.path()).unpushed().expect("an answer") == Unpushed::default()
            && engine.points().len() > lines + 100
    });
    site.expect_same(&engine);
}

#[test]
fn the_sender_that_runs_notices_a_check_that_is_entered_behind_the_mark() {
    let (engine, site) = (Engine::start(), Site::new(1, 50));
    let section = format!("{{url: '{}', batch_seconds: 0.1}}", engine.url());
    let mut is_entered = false;
    site.send_until(&section, "the end", |site| {
        if site.state().engine == 0 || site.unpushed() != Unpushed::default() {
            return false;
        }
        if !is_entered {
            database::connect(&site.path())
                .execute_batch(
                    r#"insert into ping_results(host_name, host_address, timestamp, success_count, failure_count)
                       values('host 0, "0"', '192.0.2.1', '2025-11-02 12:00:00.000', 0, 3)"#,
                )
                .expect("SQL");
        }
        std::mem::replace(&mut is_entered, true)
    });
    site.expect_same(&engine);
}

#[test]
fn another_engine_gets_everything_and_the_same_one_nothing_again() {
    let (first, second, site) = (Engine::start(), Engine::start(), Site::new(1, 100));
    let section = |engine: &Engine| format!("{{url: '{}', batch_seconds: 1}}", engine.url());
    site.send_all(&section(&first));
    let requests = first.requests();
    site.send_all(&section(&first));
    assert_eq!(first.requests(), requests);
    site.send_until(&section(&second), "the move", |site| {
        second.requests() > 0 && site.unpushed() == Unpushed::default()
    });
    site.expect_same(&second);
}

#[test]
fn a_batch_has_a_bounded_size_and_is_in_the_order_of_time() {
    let (engine, site) = (Engine::start(), Site::new(3, 6000));
    site.send_all(&format!("{{url: '{}', batch_seconds: 1}}", engine.url()));
    site.expect_same(&engine);
    let state = engine.state();
    assert!(
        state.lines.iter().all(|lines| *lines <= 5000),
        "{:?}",
        state.lines
    );
    assert!(state.longest_body <= 530_000, "{}", state.longest_body);
    assert!(state.lines.len() < 20, "{:?}", state.lines);
}
