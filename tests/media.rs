//! The monitor and its commands on a disk that stalls, is full or can only be read, and what is on
//! the disk when the power fails: on file systems of their own, mounted from a file.

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

    /// Calls a function with the disk as a power cut leaves it now: what its device has not been
    /// given is lost.
    fn after_power_cut<T>(&self, then: impl FnOnce(&Path) -> T) -> T {
        let [image, mounted] = ["cut", "mounted"].map(|name| self.folder.path().join(name));
        fs::copy(&self.image, &image).expect("a copy");
        fs::create_dir_all(&mounted).expect("a folder");
        let [image, place] = [&image, &mounted].map(|path| path.to_str().expect("UTF-8"));
        self.command("mount", &["-o", "loop", image, place]);
        let result = then(&mounted);
        self.command("umount", &[place]);
        result
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

/// A database with 300 checks and an outage, and its configuration. The newest 100 checks are only
/// in the write-ahead log of a monitor that was killed, unless it `is_closed`.
fn record(disk: &Disk, is_closed: bool) -> PathBuf {
    let made = disk.folder.path().join(format!("made-{is_closed}"));
    fs::create_dir(&made).expect("a folder");
    let path = made.join(FILE);
    let writer = start_writer(&path, Duration::ZERO);
    let (here, first) = (host("127.0.0.1"), now() - 400_000);
    let send = |range: std::ops::Range<i64>| {
        for i in range.clone() {
            let result = check(&here, first + i * 1000, !(50..60).contains(&i));
            assert!(writer.handle().record(result));
        }
        wait_for("the results", || {
            number(&path, "select count(*) from check_result") == range.end
        });
    };
    send(0..200);
    read(&path)
        .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
        .expect("a checkpoint");
    send(200..300);
    let to = disk.mounted.join(FILE);
    if is_closed {
        assert_eq!(writer.finish(), 0);
        fs::copy(&path, &to).expect("copied");
    } else {
        for suffix in ["", "-wal", "-shm"] {
            let [from, to] = [&path, &to].map(|file| format!("{}{suffix}", file.display()));
            fs::copy(from, to).expect("copied");
        }
        assert_eq!(writer.finish(), 0);
    }
    disk.folder.write(
        "config.yaml",
        &format!(
            "database: {{path: {}}}\nhosts: [{{name: here, address: 127.0.0.1}}]\n",
            to.display()
        ),
    )
}

/// Every command that only reads shows what is recorded. `command` starts the program.
fn expect_readable(disk: &Disk, config: &Path, what: &str, command: &dyn Fn() -> Command) {
    let output = |arguments: &[&str]| {
        let done = run(command().args(arguments).arg("-c").arg(config));
        assert_eq!(
            done.code,
            Some(0),
            "{what}: {arguments:?}: {}{}",
            done.stdout,
            done.stderr
        );
        done.stdout
    };
    let rows = output(&["export"]).lines().count() - 1;
    assert_eq!(rows, 300, "{what}");
    assert!(output(&["status"]).contains("here"), "{what}");
    assert!(output(&["outages"]).contains("10 s"), "{what}");
    assert!(output(&["report"]).contains("here"), "{what}");
    let backup = disk.folder.path().join("out").join("backup");
    drop(fs::remove_file(&backup));
    output(&["backup", backup.to_str().expect("UTF-8")]);
    assert_eq!(number(&backup, "select count(*) from check_result"), 300);
    let doctor = run(command().arg("doctor").arg("-c").arg(config));
    assert!(doctor.stdout.contains("database"), "{}", doctor.stderr);
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

#[test]
fn a_closed_database_can_be_read_on_a_medium_that_cannot_be_written() {
    let test = "a_closed_database_can_be_read_on_a_medium_that_cannot_be_written";
    expect_readable_without_writing(test, true, false);
}

#[test]
fn the_log_of_a_killed_monitor_is_read_on_a_medium_that_cannot_be_written() {
    let test = "the_log_of_a_killed_monitor_is_read_on_a_medium_that_cannot_be_written";
    expect_readable_without_writing(test, false, true);
}

#[test]
fn a_log_without_its_index_is_read_on_a_medium_that_cannot_be_written() {
    let test = "a_log_without_its_index_is_read_on_a_medium_that_cannot_be_written";
    expect_readable_without_writing(test, false, false);
}

/// On a read-only file system, as a user who may not write, and on a full disk.
fn expect_readable_without_writing(test: &str, is_closed: bool, has_index: bool) {
    with_disk(test, |disk| {
        fs::create_dir(disk.folder.path().join("out")).expect("a folder");
        let config = record(disk, is_closed);
        if !has_index {
            drop(fs::remove_file(disk.mounted.join(format!("{FILE}-shm"))));
        }
        let remount = |how: &str| {
            disk.command("mount", &["-o", &format!("remount,{how}"), disk.path()]);
        };
        let what = format!("read-only, closed {is_closed}, with index {has_index}");
        remount("ro");
        expect_readable(disk, &config, &what, &|| Command::new(bin()));
        let checked = run(Command::new(bin())
            .args(["check", "--no-store", "-c"])
            .arg(&config));
        assert_eq!(checked.code, Some(0), "{}", checked.stderr);
        remount("rw");
        // In use by root, read by a user who may write neither file nor folder.
        let program = disk.folder.path().join("program");
        fs::copy(bin(), &program).expect("copied");
        disk.command(
            "chmod",
            &[
                "777",
                disk.folder.path().join("out").to_str().expect("UTF-8"),
            ],
        );
        let what = format!("of another user, closed {is_closed}, with index {has_index}");
        expect_readable(disk, &config, &what, &|| {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
                .arg(&program);
            command
        });
        let mut ballast = fs::File::create(disk.mounted.join("ballast")).expect("a file");
        while std::io::Write::write_all(&mut ballast, &[0; 512]).is_ok() {}
        let what = format!("full, closed {is_closed}, with index {has_index}");
        expect_readable(disk, &config, &what, &|| Command::new(bin()));
    });
}

#[test]
fn a_file_of_an_older_version_on_a_read_only_medium_is_told_with_its_cure() {
    let test = "a_file_of_an_older_version_on_a_read_only_medium_is_told_with_its_cure";
    with_disk(test, |disk| {
        let config = record(disk, true);
        let path = disk.mounted.join(FILE);
        let database = read(&path);
        database
            .execute_batch("pragma user_version = 1; pragma journal_mode = delete")
            .expect("plain SQL");
        drop(database);
        disk.command("mount", &["-o", "remount,ro", disk.path()]);
        for command in ["status", "report", "outages", "export"] {
            let done = run(Command::new(bin()).arg(command).arg("-c").arg(&config));
            assert_eq!(done.code, Some(74), "{}", done.stderr);
            assert!(
                done.stderr.contains("Read-only file system"),
                "{}",
                done.stderr
            );
            assert!(
                done.stderr.contains("ace-connection-logger backup FILE"),
                "{}",
                done.stderr
            );
        }
    });
}

#[test]
fn a_power_cut_takes_at_most_flush_seconds_and_no_outage_that_was_recorded() {
    let test = "a_power_cut_takes_at_most_flush_seconds_and_no_outage_that_was_recorded";
    with_disk(test, |disk| {
        const FLUSH_MS: i64 = 2000;
        let path = disk.mounted.join(FILE);
        let writer = start_writer(&path, Duration::from_millis(2000));
        let one = host("192.0.2.1");
        let send_for = |ms: i64, is_answered| {
            let until = now() + ms;
            while now() < until {
                assert!(writer.handle().record(check(&one, now(), is_answered)));
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        let newest_lost = || {
            let cut = now();
            disk.after_power_cut(|mounted| {
                let newest = "select max(checked_at) from check_result";
                cut - number(&mounted.join(FILE), newest)
            })
        };
        for _ in 0..3 {
            send_for(FLUSH_MS + 700, true);
            let lost = newest_lost();
            // Some time for a commit on a busy machine.
            assert!(lost < FLUSH_MS + 1000, "{lost} ms are lost");
        }
        let events = "select count(*) from outage_events where end_time is not null";
        let of_path = |path: &Path, sql| number(path, sql);
        for (is_answered, sql, expected) in [
            (false, "select count(*) from outage_events", 1),
            (true, events, 1),
        ] {
            send_for(100, is_answered);
            wait_for("the commit", || of_path(&path, sql) == expected);
            std::thread::sleep(Duration::from_millis(300));
            let kept = disk.after_power_cut(|mounted| of_path(&mounted.join(FILE), sql));
            assert_eq!(kept, expected, "{sql}");
        }
        assert_eq!(writer.finish(), 0);
    });
}

#[test]
fn a_limit_of_file_sizes_ends_no_command_and_is_told_as_what_it_is() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let writer = start_writer(&path, Duration::ZERO);
    let one = host("127.0.0.1");
    for i in 0..1000 {
        assert!(writer.handle().record(check(&one, i * 1000, true)));
    }
    assert_eq!(writer.finish(), 0);
    let config = format!(
        "database: {{path: {}}}\nhosts: [{{name: here, address: 127.0.0.1}}]\n",
        path.display()
    );
    folder.write("config.yaml", &config);
    for arguments in [
        &["export", "-o", "out"][..],
        &["export", "--format", "sqlite", "-o", "out.db"],
        &["report", "--format", "html", "-o", "out"],
        &["backup", "out"],
    ] {
        let done = run(Command::new("prlimit")
            .arg("--fsize=4096")
            .arg(bin())
            .args(arguments)
            .current_dir(folder.path()));
        assert_eq!(done.code, Some(74), "{arguments:?}: {}", done.stderr);
        assert!(
            done.stderr.contains("largest size that is allowed"),
            "{arguments:?}: {}",
            done.stderr
        );
        assert!(!folder.path().join("out").exists());
    }
    // Where the log may not grow any more.
    let written = format!("{config}logging: {{file: log, level: debug}}\n");
    folder.write("config.yaml", &written);
    folder.write("log", &"-".repeat(4096));
    let done = run(Command::new("prlimit")
        .arg("--fsize=4096")
        .arg(bin())
        .arg("status")
        .current_dir(folder.path()));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}
