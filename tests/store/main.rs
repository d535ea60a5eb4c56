//! The database as its users meet it: through the library, through the commands, and as plain SQL.

#[path = "../common/mod.rs"]
mod common;

mod clock;
mod copies;
mod damage;
mod hostile;
mod levels;
mod notices;
mod original;
mod outages;
mod probes;
mod push;
mod record;
mod retention;
mod rollup;
mod rollup_day;
mod sqlite;
mod totals;
mod view;
mod writer;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ace_connection_logger::pure::model::{CheckResult, Host, LocalFault, Outcome};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, Pruned, RunState};
use common::{Finished, TempDir, bin, run, skip};
use rusqlite::{Connection, OpenFlags};

const HOUR: i64 = 3_600_000;
const DAY: Duration = Duration::from_secs(86_400);

/// The name of the database in a test's folder.
const FILE: &str = "connection_logs.db";

fn host(name: &str, address: &str) -> Arc<Host> {
    Arc::new(Host {
        name: name.into(),
        address: address.into(),
        family: None,
        source: None,
    })
}

/// A check with these round-trip times in microseconds.
fn check(host: &Arc<Host>, at: i64, rtts: &[Option<u32>]) -> CheckResult {
    let outcome =
        |rtt: &Option<u32>| rtt.map_or(Outcome::TimedOut, |rtt_us| Outcome::Reply { rtt_us });
    let pings = rtts.iter().map(outcome).collect();
    let checked_at = UtcMillis(at);
    CheckResult {
        pings,
        ..CheckResult::begin(Arc::clone(host), checked_at)
    }
}

fn not_measured(host: &Arc<Host>, at: i64) -> CheckResult {
    CheckResult::not_measured(
        Arc::clone(host),
        UtcMillis(at),
        LocalFault::Other,
        "no route".into(),
    )
}

fn open(path: &Path) -> Database {
    Database::open(path, &mut |_, _| ())
        .unwrap_or_else(|error| panic!("{error}"))
        .database
}

/// Writes checks, with this as the present time, and makes all sums that are due: a transaction makes
/// only what it has time for, which on a slow machine is not all.
fn write(database: &mut Database, results: &[CheckResult], now: i64) {
    write_once(database, results, now);
    let (hour, day) = (now / HOUR, now / (24 * HOUR));
    let due = format!(
        "select (select count(*) from stale_rollup where hour between 0 and {hour} - 1)
              + (select count(*) from stale_rollup_day where day between 0 and {day} - 1)"
    );
    while number(database.path(), &due) > 0 {
        write_once(database, &[], now);
    }
}

fn write_once(database: &mut Database, results: &[CheckResult], now: i64) {
    let written = database.write(results, UtcMillis(now), RunState::Running);
    written.unwrap_or_else(|error| panic!("{error}"));
}

/// Deletes what is older than the retention in as many steps as that takes. Returns the sum and the
/// number of steps.
fn prune_all(
    database: &mut Database,
    now: i64,
    [keep, keep_rollups]: [Duration; 2],
    limit: u32,
) -> (Pruned, u32) {
    let mut sum = Pruned::default();
    for steps in 1.. {
        let step = database
            .prune(UtcMillis(now), keep, keep_rollups, limit)
            .expect("it prunes");
        assert!(step.checks <= 3 * u64::from(limit), "{step:?}");
        (sum.checks, sum.rollups) = (sum.checks + step.checks, sum.rollups + step.rollups);
        if !step.is_more {
            return (sum, steps);
        }
    }
    unreachable!("the steps end")
}

/// A connection such as any other program has.
fn other_program(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .expect("the file opens");
    connection
        .busy_timeout(Duration::from_secs(10))
        .expect("a setting");
    connection
}

fn number(path: &Path, sql: &str) -> i64 {
    other_program(path)
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The rows of a query, their columns joined as the shell does.
fn rows(path: &Path, sql: &str) -> Vec<String> {
    rows_of(&other_program(path), sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn rows_of(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let text = |row: &rusqlite::Row<'_>| {
        let cells = (0..columns).map(|index| {
            Ok(match row.get_ref(index)? {
                rusqlite::types::ValueRef::Null => String::new(),
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                rusqlite::types::ValueRef::Real(value) => format!("{value:?}"),
                rusqlite::types::ValueRef::Text(value) => {
                    String::from_utf8_lossy(value).into_owned()
                }
                rusqlite::types::ValueRef::Blob(value) => format!("{value:02x?}"),
            })
        });
        cells
            .collect::<rusqlite::Result<Vec<_>>>()
            .map(|cells| cells.join("|"))
    };
    statement.query_map([], text)?.collect()
}

/// What the `sqlite3` shell makes of it.
fn shell(path: &Path, commands: &[&str]) -> Finished {
    run(Command::new("sqlite3")
        .args(["-bail", "-cmd", ".timeout 10000"])
        .arg(path)
        .args(commands))
}

/// The same, which must succeed.
fn sql(path: &Path, commands: &[&str]) -> String {
    let finished = shell(path, commands);
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (Some(0), ""),
        "{commands:?}"
    );
    finished.stdout
}

fn has_shell(test: &str) -> bool {
    let is_here = Command::new("sqlite3")
        .arg("-version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_here {
        skip(test, "there is no sqlite3");
    }
    is_here
}

/// Writes the configuration of a test's folder: these hosts, quick checks, quick commits.
fn configure(folder: &TempDir, database: &str, hosts: &[&str]) {
    let hosts: String = hosts
        .iter()
        .map(|address| format!("- {{name: host {address}, address: {address}}}\n"))
        .collect();
    let database = serde_json::Value::from(database);
    folder.write(
        "config.yaml",
        &format!(
            "monitoring: {{interval_seconds: 0.1, ping_count: 1, timeout_seconds: 0.05}}
database: {{path: {database}, flush_seconds: 0.1}}
hosts:\n{hosts}"
        ),
    );
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(bin());
    command.current_dir(folder).args(arguments).env("TZ", "UTC");
    command
}

fn program(folder: &Path, arguments: &[&str]) -> Finished {
    run(&mut command(folder, arguments))
}

/// Says what went wrong unless the command ended well.
fn expect_success(finished: Finished) -> Finished {
    assert_eq!(
        finished.code,
        Some(0),
        "{}{}",
        finished.stdout,
        finished.stderr
    );
    finished
}

fn json(finished: Finished) -> serde_json::Value {
    serde_json::from_str(&expect_success(finished).stdout).expect("JSON")
}

/// Waits for something to become true. The time is far more than it should take.
fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(25);
    while !is_true() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running monitor; its messages are in `log`.
struct Monitor {
    child: Child,
    log: PathBuf,
}

impl Monitor {
    fn start(folder: &TempDir) -> Monitor {
        Monitor::start_by(folder, Command::new(bin()))
    }

    /// Started by a command that ends with the program.
    fn start_by(folder: &TempDir, mut command: Command) -> Monitor {
        let log = folder.path().join("log");
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        let child = command
            .args(["monitor", "--no-dashboard"])
            .current_dir(folder.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the program starts");
        Monitor { child, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log file")
    }

    /// Sends SIGTERM.
    fn signal(&self) {
        let sent = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill");
    }

    /// Ends it with SIGTERM and returns the exit code.
    fn stop(&mut self) -> Option<i32> {
        self.signal();
        self.child.wait().expect("it is our child").code()
    }

    /// Ends it without a chance to do anything about it.
    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether the file is intact.
fn expect_whole(path: &Path) {
    let found = rows(path, "pragma integrity_check");
    assert_eq!(found, ["ok"], "{}", path.display());
}

/// Runs something where a file system of so many KiB is mounted on the folder `small` of a test's
/// folder. Only programs and threads that it starts see it. `false`, with a message, when that is
/// impossible here.
fn with_small_disk(test: &str, kib: u32, then: impl FnOnce(&TempDir, &Path) + Send) -> bool {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            if let Err(error) = common::sys::unshare_mounts() {
                skip(test, &format!("cannot have mounts of its own: {error}"));
                return false;
            }
            let folder = TempDir::new();
            let small = folder.path().join("small");
            fs::create_dir(&small).expect("a folder");
            let mount = |arguments: &[&str]| {
                let mounted = run(Command::new("mount").args(arguments).arg(&small));
                assert_eq!(mounted.code, Some(0), "{}", mounted.stderr);
            };
            let private = run(Command::new("mount").args(["--make-rprivate", "/"]));
            assert_eq!(private.code, Some(0), "{}", private.stderr);
            mount(&["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]);
            then(&folder, &small);
            true
        });
        inside
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Leaves no room on a file system but what `file` takes.
fn fill_disk(file: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(file).expect("a file");
    while file.write_all(&[0; 1024]).is_ok() {}
}
