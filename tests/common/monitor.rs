//! A monitor that runs in a folder of its own, with its log and its database.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::{TempDir, bin, run};

/// A monitor in its own folder, with its config.yaml, log and database.
pub struct Monitor {
    pub child: Child,
    pub folder: TempDir,
}

impl Monitor {
    pub fn start(config: &str) -> Monitor {
        Monitor::start_with(config, |command| {
            command.arg("monitor").arg("--no-dashboard")
        })
    }

    pub fn start_with(
        config: &str,
        arguments: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Monitor {
        let folder = TempDir::new();
        folder.write("config.yaml", config);
        Monitor::start_in(folder, bin(), arguments)
    }

    pub fn start_in(
        folder: TempDir,
        program: &Path,
        arguments: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Monitor {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.path().join("log"))
            .expect("a log file");
        let mut command = Command::new(program);
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = arguments(&mut command).spawn();
        Monitor {
            child: child.expect("the program starts"),
            folder,
        }
    }

    /// Kills it with SIGKILL, if it runs, and starts it again.
    pub fn restart(&mut self) {
        drop(self.child.kill());
        self.child.wait().expect("it is our child");
        let mut command = Command::new(bin());
        command
            .args(["monitor", "--no-dashboard"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        self.child = command
            .stderr(self.log_file())
            .spawn()
            .expect("the program starts");
    }

    /// Runs `check` in its folder; returns the exit code.
    pub fn check_by_hand(&self) -> Option<i32> {
        run(Command::new(bin())
            .arg("check")
            .current_dir(self.folder.path()))
        .code
    }

    pub fn log_file(&self) -> fs::File {
        fs::OpenOptions::new()
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log file")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the log file")
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    /// Waits for a condition, far longer than it should take.
    pub fn wait_for(&self, what: &str, mut is_true: impl FnMut(&Monitor) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_true(self) {
            assert!(
                Instant::now() < deadline,
                "{what} did not come about; the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it; returns the exit code and how long that took.
    pub fn stop(&mut self, signal: &str) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.signal(signal);
        let deadline = began + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return (status.code(), began.elapsed());
            }
            assert!(
                Instant::now() < deadline,
                "it does not end; the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn has_thread(&self, name: &str) -> bool {
        self.count_threads(name) > 0
    }

    pub fn count_all_threads(&self) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        tasks.expect("it runs").count()
    }

    pub fn count_threads(&self, name: &str) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let is_named = |comm: &String| comm.trim() == name;
        let comms = tasks
            .flatten()
            .map(|task| fs::read_to_string(task.path().join("comm")));
        comms.flatten().filter(is_named).count()
    }

    pub fn database(&self) -> Option<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(self.folder.path().join("connection_logs.db"), flags).ok()
    }

    /// The recorded times of the host's checks, in milliseconds.
    pub fn checks(&self, address: &str) -> Vec<i64> {
        const CHECKS: &str = "select checked_at from check_result c join host h on h.id = c.host_id where h.address = ?1 order by 1";
        let read = |database: Connection| {
            database
                .prepare(CHECKS)?
                .query_map([address], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<i64>>>()
        };
        self.database()
            .and_then(|database| read(database).ok())
            .unwrap_or_default()
    }

    /// The recorded events, and the events that follow from the recorded checks: both must agree.
    pub fn outages(&self) -> Vec<String> {
        const EVENTS: &str = "select host_address || ' ' || start_time || ' to ' || coalesce(end_time, 'now') || ', before '
            || coalesce(earliest_start, 'unknown') || ', checks ' || checks_failed || ' pings ' || packets_lost from outage_events order by start_time";
        // Runs of silent checks, each with the answered check before and after it.
        const RUNS: &str = "with c as (select *, strftime('%Y-%m-%d %H:%M:%f', checked_at / 1000.0, 'unixepoch') as at, sum(received > 0)
                over (partition by host_id order by checked_at) as run from check_result)
            select h.address || ' ' || min(at) || ' to ' || coalesce((select min(at) from c r where r.host_id = c.host_id and r.run = c.run + 1), 'now')
                || ', before ' || coalesce((select max(at) from c r where r.host_id = c.host_id and r.run = c.run and received > 0), 'unknown')
                || ', checks ' || count(*) || ' pings ' || sum(sent)
              from c join host h on h.id = c.host_id where received = 0 group by c.host_id, run order by min(at)";
        // Both read in one transaction.
        let database = self.database().expect("there is a database");
        database.execute_batch("begin").expect("a read transaction");
        let [events, runs] = [EVENTS, RUNS].map(|sql| {
            let mut statement = database.prepare(sql).expect("it is SQL");
            let rows = statement
                .query_map([], |row| row.get(0))
                .expect("it answers");
            rows.collect::<rusqlite::Result<Vec<String>>>()
                .expect("text")
        });
        assert_eq!(events, runs, "{}", self.log());
        events
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.database()
            .expect("there is a database")
            .query_row(sql, [], |row| row.get(0))
            .expect("a number")
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
