//! The run that is interrupted. Some hours of simulated time with outages, a database of the
//! original that is taken over, one of an earlier version that is upgraded, roll-ups, a deletion of
//! what is old, copies, a stop and a second start; each step is at most one transaction.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ace_connection_logger::pure::model::{
    AlertKind, CheckResult, Host, LocalFault, Outcome, Probe,
};
use ace_connection_logger::pure::scene::Scene;
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, Reader, Record, RunState, backup};
use rusqlite::Connection;

use crate::common::versions::TO_SECOND_VERSION;

/// The original's database, which is taken over and then written to.
pub const MAIN: &str = "connection_logs.db";
/// A database of an earlier version.
pub const OLD: &str = "old.db";
/// A database that does not exist at the start.
pub const FRESH: &str = "fresh.db";
pub const BACKUP: &str = "backup.db";
pub const EXPORT: &str = "export.db";

pub const FILES: [&str; 5] = [MAIN, OLD, FRESH, BACKUP, EXPORT];

pub const MINUTE: i64 = 60_000;
const DAY: Duration = Duration::from_secs(86_400);
/// 2025-10-09, 22:00: a day ends within the run.
const START: i64 = 1_760_047_200_000;
/// After the run.
pub const LATER: i64 = START + 24 * 60 * MINUTE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Opens the database.
    Open,
    BeginRun,
    /// The checks of so many minutes in one commit, the first so many minutes after the start.
    Checks(i64, i64),
    Upgrade,
    Create,
    Prune,
    Backup,
    Export,
    Checkpoint,
    /// What the monitor does after `flush_seconds` and when an outage begins or ends.
    Sync,
    Stop,
}

/// The steps of the run, in order.
pub fn steps() -> Vec<Step> {
    let checks = |from: i64, to: i64, each: usize| {
        let starts = (from..to).step_by(each);
        starts.map(move |at| Step::Checks(at, i64::try_from(each).expect("few")))
    };
    let mut steps = vec![Step::Open, Step::BeginRun];
    steps.extend(checks(0, 12, 1));
    steps.push(Step::Sync);
    steps.extend(checks(12, 40, 1));
    steps.push(Step::Upgrade);
    steps.extend(checks(40, 120, 5));
    steps.push(Step::Backup);
    steps.extend(checks(120, 135, 5));
    steps.push(Step::Sync);
    steps.extend([Step::Prune; 4]);
    steps.extend(checks(135, 145, 1));
    steps.push(Step::Export);
    steps.extend(checks(145, 155, 5));
    steps.push(Step::Checkpoint);
    steps.extend(checks(155, 165, 5));
    steps.extend([Step::Stop, Step::Open, Step::BeginRun]);
    steps.extend(checks(200, 240, 20));
    steps.push(Step::Create);
    steps
}

impl Step {
    /// The file that the step writes.
    pub fn file(self) -> &'static str {
        match self {
            Step::Upgrade => OLD,
            Step::Create => FRESH,
            Step::Backup => BACKUP,
            Step::Export => EXPORT,
            _ => MAIN,
        }
    }

    /// Whether everything in its file is on the disk when the step has returned, with a write-ahead
    /// log. With a rollback journal all steps are so.
    pub fn is_durable(self) -> bool {
        !matches!(self, Step::BeginRun | Step::Checks(..) | Step::Prune)
    }
}

/// Writes the files that are there before the run.
pub fn prepare(folder: &Path) {
    let original = Connection::open(folder.join(MAIN)).expect("it opens");
    original.execute_batch(ORIGINAL).expect("it is written");
    drop(original);
    let mut old = open(&folder.join(OLD));
    let start = START - 48 * 60 * MINUTE;
    old.begin_run(UtcMillis(start), true).expect("a run");
    let hosts = hosts();
    for minute in 0..150 {
        write(&mut old, &hosts, start, minute, 1);
    }
    drop(old);
    let old = Connection::open(folder.join(OLD)).expect("it opens");
    old.execute_batch(TO_SECOND_VERSION)
        .expect("the second version");
}

/// Two hosts a minute for two hours, three days before the run, and one outage.
const ORIGINAL: &str = "
    create table ping_results (id integer primary key autoincrement, host_name text not null,
        host_address text not null, timestamp timestamp not null, success_count integer not null,
        failure_count integer not null, success_rate real not null, min_latency real, max_latency real,
        avg_latency real, unique(host_address, timestamp));
    create index idx_timestamp on ping_results(timestamp);
    create table outage_events (id integer primary key autoincrement, host_name text not null,
        host_address text not null, event_type text not null, start_time timestamp not null,
        end_time timestamp, duration_seconds integer, checks_failed integer default 0,
        checks_during_outage integer default 0, recovery_success_rate real, notes text);
    create index idx_events_time on outage_events(start_time desc);
    with recursive n(i) as (select 0 union all select i + 1 from n where i < 239)
    insert into ping_results(host_name, host_address, timestamp, success_count, failure_count, success_rate,
        min_latency, max_latency, avg_latency)
    select 'host ' || (i % 2), '192.0.2.' || (i % 2), strftime('%Y-%m-%d %H:%M:%f', 1759788000 + i * 30, 'unixepoch') || '123',
        5, 0, 100.0, 1.5, 3.5, 2.5 from n;
    insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds)
    values('host 1', '192.0.2.1', 'outage_end', '2025-10-06 22:30:00', '2025-10-06 22:40:00', 600);";

/// The program while it performs the steps.
pub struct Script {
    folder: PathBuf,
    hosts: [Arc<Host>; 3],
    database: Option<Database>,
    now: UtcMillis,
}

impl Script {
    pub fn new(folder: &Path) -> Script {
        Script {
            folder: folder.to_path_buf(),
            hosts: hosts(),
            database: None,
            now: UtcMillis(START),
        }
    }

    pub fn perform(&mut self, step: Step) {
        let file = self.folder.join(step.file());
        let main = self.folder.join(MAIN);
        match step {
            Step::Open => {
                let mut database = open(&file);
                database.set_alerts(AlertKind::ALL.into_iter().collect());
                self.database = Some(database);
            }
            Step::BeginRun => {
                let now = self.now;
                self.database().begin_run(now, true).expect("a run");
            }
            Step::Checks(from, minutes) => {
                let hosts = self.hosts.clone();
                self.now = write(self.database(), &hosts, START, from, minutes);
            }
            Step::Upgrade | Step::Create => drop(open(&file)),
            Step::Prune => {
                let now = self.now;
                let pruned = self.database().prune(now, DAY, DAY * 1825, 100);
                pruned.expect("it deletes");
            }
            Step::Backup => backup(&main, &file).expect("a copy"),
            Step::Export => export(&main, &file),
            Step::Checkpoint => self.database().checkpoint(),
            Step::Sync => self.database().sync().expect("it is synced"),
            Step::Stop => {
                let now = self.now;
                let written = self.database().write(&[], now, RunState::Stopped);
                written.expect("it writes");
                self.database().checkpoint();
                self.database = None;
                self.now = UtcMillis(START + 199 * MINUTE);
            }
        }
    }

    fn database(&mut self) -> &mut Database {
        self.database.as_mut().expect("it is open")
    }
}

pub fn export(main: &Path, file: &Path) {
    let reader = Reader::open(main).expect("it opens").expect("a database");
    let all = UtcMillis(0)..UtcMillis(LATER);
    reader
        .export_original(&reader.hosts().expect("hosts"), &all, file, &mut |_| ())
        .expect("a copy");
}

pub fn open(path: &Path) -> Database {
    Database::open(path, &mut |_, _| ())
        .unwrap_or_else(|error| panic!("{error}"))
        .database
}

pub fn hosts() -> [Arc<Host>; 3] {
    [0, 1, 2].map(|number| {
        Arc::new(Host {
            name: format!("host {number}"),
            address: format!("192.0.2.{number}").as_str().into(),
            family: None,
            source: None,
        })
    })
}

/// Writes the checks of some minutes since `start`; returns the time of the commit.
fn write(
    database: &mut Database,
    hosts: &[Arc<Host>],
    start: i64,
    from: i64,
    minutes: i64,
) -> UtcMillis {
    let mut scene = Scene::default();
    let mut records = Vec::new();
    for minute in from..from + minutes {
        for (number, host) in (0..).zip(hosts) {
            let check = check(host, number, start, minute);
            scene.add_check(&check);
            if check.pings.iter().all(|ping| *ping == Outcome::TimedOut) && !check.pings.is_empty()
            {
                records.extend((10..14).map(|second| {
                    Record::Probe(Probe {
                        host: Arc::clone(host),
                        at: check.checked_at.plus(second * 1000),
                        is_answered: false,
                    })
                }));
            }
            records.push(Record::Check(check));
        }
    }
    let now = UtcMillis(start + (from + minutes) * MINUTE - 1);
    database
        .write_records(&records, &scene, now, RunState::Running)
        .expect("it writes");
    now
}

/// One host always answers, one is silent twice, one loses pings and once cannot be measured.
fn check(host: &Arc<Host>, number: i64, start: i64, minute: i64) -> CheckResult {
    let at = UtcMillis(start + minute * MINUTE + number * 7);
    let answered = match (number, minute) {
        (1, 10..20 | 100..103) => 0,
        (2, minute) if minute % 7 == 3 => 2,
        (2, 60..62) => {
            let why = "no route".into();
            return CheckResult::not_measured(Arc::clone(host), at, LocalFault::Other, why);
        }
        _ => 5,
    };
    let ping = |index: i64| match index < answered {
        true => Outcome::Reply {
            rtt_us: u32::try_from(1000 + 37 * minute % 500 + index).expect("little"),
        },
        false => Outcome::TimedOut,
    };
    CheckResult {
        pings: (0..5).map(ping).collect(),
        spacing_ms: 1000,
        interval_ms: 60_000,
        late: u32::from(number == 2 && minute % 7 == 3),
        ..CheckResult::begin(Arc::clone(host), at)
    }
}

/// The environment of a process that performs the steps: the folder, and whether it waits for a
/// line after each step.
pub const FOLDER: &str = "CRASH_FOLDER";
pub const IN_STEP: &str = "CRASH_IN_STEP";
/// What it prints after a step, followed by the number of steps.
pub const DONE: &str = "done ";

/// The tests run this program again to perform the steps in a process of its own.
#[test]
fn a_process_performs_the_steps_where_it_is_told_to() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let waits = std::env::var_os(IN_STEP).is_some();
    let mut script = Script::new(Path::new(&folder));
    for (number, step) in (1..).zip(steps()) {
        script.perform(step);
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{DONE}{number}").expect("a pipe");
        out.flush().expect("a pipe");
        drop(out);
        if waits {
            std::io::stdin()
                .read_line(&mut String::new())
                .expect("a pipe");
        }
    }
    // As after a crash: nothing is closed.
    std::process::exit(0);
}

/// A process that performs the steps in a folder, with this library preloaded.
pub fn process(folder: &Path, library: Option<&Path>) -> Command {
    let this = std::env::current_exe().expect("the tests know their own file");
    let mut command = Command::new(this);
    command
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("script::a_process_performs_the_steps_where_it_is_told_to")
        .env(FOLDER, folder)
        .env("TZ", "UTC");
    if let Some(library) = library {
        command.env("LD_PRELOAD", library);
    }
    command
}

/// A copy of a folder's files.
pub fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}
