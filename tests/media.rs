//! The monitor and its commands on a disk that stalls: on file systems of their own, mounted from a
//! file.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ace_connection_logger::pure::model::{CheckResult, Host, Outcome};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, StoreSettings, Writer};
use ace_connection_logger::sys;
use common::{TempDir, bin, run, skip};
use rusqlite::{Connection, OpenFlags};

const FILE: &str = "connection_logs.db";
const DAY: Duration = Duration::from_secs(86_400);

/// An ext4 file system in a file, mounted where only the test's thread and its children see it. It
/// is thawed and unmounted at the end.
struct Disk {
    folder: TempDir,
    image: PathBuf,
    mounted: PathBuf,
}

impl Disk {
    fn command(&self, program: &str, arguments: &[&str]) {
        let done = run(Command::new(program).args(arguments));
        assert_eq!(
            done.code,
            Some(0),
            "{program} {arguments:?}: {}",
            done.stderr
        );
    }

    fn path(&self) -> &str {
        self.mounted.to_str().expect("it is UTF-8")
    }

    fn freeze(&self) {
        self.command("fsfreeze", &["-f", self.path()]);
    }

    fn thaw(&self) {
        self.command("fsfreeze", &["-u", self.path()]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It need not be frozen; what waits for it could not even be killed.
        drop(run(Command::new("fsfreeze").arg("-u").arg(&self.mounted)));
        drop(run(Command::new("umount").arg("-l").arg(&self.mounted)));
    }
}

/// Runs something with such a disk; prints why where that is impossible.
fn with_disk(test: &str, then: impl FnOnce(&Disk) + Send) {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| match new_disk() {
            Ok(disk) => then(&disk),
            Err(reason) => skip(test, &reason),
        });
        inside
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

fn new_disk() -> Result<Disk, String> {
    common::sys::unshare_mounts().map_err(|error| format!("cannot mount: {error}"))?;
    let folder = TempDir::new();
    let (image, mounted) = (folder.path().join("image"), folder.path().join("disk"));
    fs::create_dir(&mounted).expect("a folder");
    let file = fs::File::create(&image).expect("a file");
    file.set_len(32 << 20).expect("it has holes");
    let disk = Disk {
        folder,
        image,
        mounted,
    };
    let image = disk.image.to_str().expect("it is UTF-8");
    for words in [
        &["mount", "--make-rprivate", "/"][..],
        &["mkfs.ext4", "-q", image],
        &["mount", "-o", "loop", image, disk.path()],
        &["fsfreeze", "--version"],
    ] {
        let done = Command::new(words[0])
            .args(&words[1..])
            .stdout(Stdio::null())
            .output();
        match done {
            Ok(done) if done.status.success() => {}
            Ok(done) => return Err(String::from_utf8_lossy(&done.stderr).into_owned()),
            Err(error) => return Err(format!("{}: {error}", words[0])),
        }
    }
    Ok(disk)
}

fn host(address: &str) -> Arc<Host> {
    Arc::new(Host {
        name: address.into(),
        address: address.into(),
        family: None,
        source: None,
    })
}

fn check(host: &Arc<Host>, at: i64, is_answered: bool) -> CheckResult {
    let outcome = if is_answered {
        Outcome::Reply { rtt_us: 1000 }
    } else {
        Outcome::TimedOut
    };
    CheckResult {
        pings: vec![outcome],
        ..CheckResult::begin(Arc::clone(host), UtcMillis(at))
    }
}

fn start_writer(path: &Path, flush: Duration) -> Writer {
    let settings = StoreSettings {
        flush,
        retention: DAY * 36_500,
        rollup_retention: DAY * 36_500,
        outages: Default::default(),
        alerts: Default::default(),
    };
    let opened = Database::open(path, &mut |_, _| ()).expect("a new database");
    Writer::start(opened.database, settings).expect("it starts")
}

fn now() -> i64 {
    sys::clocks().utc().0
}

fn read(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .expect("the file opens");
    connection
        .busy_timeout(Duration::from_secs(10))
        .expect("a setting");
    connection
}

fn number(path: &Path, sql: &str) -> i64 {
    read(path)
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Far longer than it should take.
fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(25);
    while !is_true() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running monitor whose messages are in a file.
struct Monitor {
    child: Child,
    log: PathBuf,
}

impl Monitor {
    /// Checks 127.0.0.1 every tenth of a second and records below the disk.
    fn start(disk: &Disk, flush_seconds: f64) -> Monitor {
        let database = disk.mounted.join(FILE);
        let config = format!(
            "monitoring: {{interval_seconds: 0.1, ping_count: 1, timeout_seconds: 0.05}}
database: {{path: {}, flush_seconds: {flush_seconds}}}
hosts: [{{name: here, address: 127.0.0.1}}]\n",
            database.display()
        );
        let config = disk.folder.write("config.yaml", &config);
        let log = disk.folder.path().join("log");
        let file = fs::File::create(&log).expect("a log file");
        let child = Command::new(bin())
            .args(["monitor", "--no-dashboard", "-c"])
            .arg(config)
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

    fn terminate(&self) {
        let sent = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill");
    }

    fn end(&mut self) -> Option<i32> {
        self.child.wait().expect("it is our child").code()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
    }
}

#[test]
fn a_disk_that_stalls_keeps_as_many_results_as_one_that_fails_and_loses_none() {
    let test = "a_disk_that_stalls_keeps_as_many_results_as_one_that_fails_and_loses_none";
    with_disk(test, |disk| {
        let path = disk.mounted.join(FILE);
        let writer = start_writer(&path, Duration::from_millis(10));
        let (one, first) = (host("192.0.2.1"), now());
        let handle = writer.handle();
        assert!(handle.record(check(&one, first, true)));
        wait_for("the first result", || {
            number(&path, "select count(*) from check_result") == 1
        });
        disk.freeze();
        // Until the thread waits for the disk it takes what is sent.
        assert!(handle.record(check(&one, first + 1, true)));
        std::thread::sleep(Duration::from_secs(2));
        let kept = (2..30_000)
            .take_while(|i| handle.record(check(&one, first + i, true)))
            .count();
        disk.thaw();
        assert_eq!(kept, 20_000);
        assert_eq!(writer.finish(), 0);
        assert_eq!(number(&path, "select count(*) from check_result"), 20_002);
    });
}

#[test]
fn a_second_signal_ends_a_stop_that_the_disk_holds_up_and_the_loss_is_told() {
    let test = "a_second_signal_ends_a_stop_that_the_disk_holds_up_and_the_loss_is_told";
    with_disk(test, |disk| {
        let path = disk.mounted.join(FILE);
        let mut monitor = Monitor::start(disk, 0.1);
        wait_for("some results", || {
            path.exists()
                && number(
                    &path,
                    "select count(*) from sqlite_schema where name = 'check_result'",
                ) == 1
                && number(&path, "select count(*) from check_result") > 3
        });
        disk.freeze();
        std::thread::sleep(Duration::from_secs(2));
        monitor.terminate();
        wait_for("the stop", || monitor.log().contains("stopping on SIGTERM"));
        std::thread::sleep(Duration::from_secs(1));
        assert!(!monitor.log().contains("discarded"), "{}", monitor.log());
        monitor.terminate();
        wait_for("the end", || monitor.log().contains("discarded"));
        // The kernel ends a process only when none of its threads waits for the disk.
        disk.thaw();
        assert_eq!(monitor.end(), Some(74), "{}", monitor.log());
        let log = monitor.log();
        assert!(log.contains("a second signal"), "{log}");
        let lost = log
            .split("ace-connection-logger: ")
            .nth(1)
            .and_then(|text| text.split(' ').next())
            .and_then(|number| number.parse::<u32>().ok());
        assert!(lost > Some(10), "{log}");
    });
}
