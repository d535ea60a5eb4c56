//! The commands, killed before and after their system calls that write: the same command, given
//! again, does its work and leaves nothing over.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::common::mounts::with_own_mounts;
use crate::common::namespace::{SocketKind, in_namespace, is_available};
use crate::common::{bin, run};
use crate::kills::{Kill, empty, run_until, stride};
use crate::script::{self, MAIN};
use crate::verdict::has_shell;

struct Case {
    arguments: &'static [&'static str],
    /// The database is the original's, else as after the script.
    is_original: bool,
    /// The file that it writes.
    target: Option<&'static str>,
    /// The file is the same whenever it is written.
    is_repeatable: bool,
    /// Before which system call that writes it is told to stop.
    stop_at: Option<usize>,
    /// What is given after a kill, instead of the same again.
    again: &'static [&'static [&'static str]],
}

const CASE: Case = Case {
    arguments: &[],
    is_original: false,
    target: None,
    is_repeatable: false,
    stop_at: None,
    again: &[],
};

const CASES: [Case; 12] = [
    Case {
        arguments: &["status"],
        is_original: true,
        // It only reads: what the conversion left is put in order by the next that writes.
        again: &[&["status"], &["cleanup"]],
        ..CASE
    },
    Case {
        arguments: &["monitor", "--no-dashboard"],
        stop_at: Some(45),
        again: &[&["check", "here"]],
        ..CASE
    },
    Case {
        arguments: &["check", "here"],
        is_original: true,
        ..CASE
    },
    Case {
        arguments: &["check", "here"],
        ..CASE
    },
    Case {
        arguments: &["cleanup"],
        ..CASE
    },
    Case {
        arguments: &["import", "other.db"],
        ..CASE
    },
    Case {
        arguments: &["outages", "--note", "1", "a note"],
        ..CASE
    },
    Case {
        arguments: &["backup", "target"],
        target: Some("target"),
        ..CASE
    },
    Case {
        arguments: &["export", "--format", "sqlite", "-o", "target"],
        target: Some("target"),
        ..CASE
    },
    Case {
        arguments: &["export", "-o", "target"],
        target: Some("target"),
        is_repeatable: true,
        ..CASE
    },
    Case {
        arguments: &[
            "report", "--days", "9999", "--format", "html", "-o", "target",
        ],
        target: Some("target"),
        ..CASE
    },
    Case {
        arguments: &["init-config", "-c", "target"],
        target: Some("target"),
        is_repeatable: true,
        ..CASE
    },
];

const CONFIG: &str = "monitoring: {interval_seconds: 0.1, ping_count: 1, timeout_seconds: 0.05}
database: {path: connection_logs.db, flush_seconds: 0.1, retention_days: 36000}
hosts: [{name: here, address: 127.0.0.1}, {name: host 1, address: 192.0.2.1}]
";

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(bin());
    command.args(arguments).current_dir(folder).env("TZ", "UTC");
    command
}

impl Case {
    /// Names of files that may be there afterwards.
    fn is_known(&self, name: &str) -> bool {
        // A connection that only reads leaves the log and its index.
        let of_reader = [name.strip_suffix("-shm"), name.strip_suffix("-wal")];
        [MAIN, "config.yaml", "other.db"].contains(&name)
            || of_reader.contains(&Some(MAIN))
            || self.target == Some(name)
            || self.is_original && name == "connection_logs.db.original"
            || self.stop_at.is_some() && name == "connection_logs.db-monitor"
    }

    /// The command is given again after a kill.
    fn repeat(&self, folder: &Path, whole: &Option<Vec<u8>>) -> Result<(), String> {
        let found = self.target.map(|target| fs::read(folder.join(target)));
        let was_there = matches!(found, Some(Ok(_)));
        let same = [self.arguments];
        let again = if self.again.is_empty() {
            &same
        } else {
            self.again
        };
        for arguments in again {
            let again = run(&mut command(folder, arguments));
            // A file that is there is refused, or replaced.
            if again.code != Some(0) && !(was_there && again.code == Some(1)) {
                return Err(format!("{:?} {}{}", again.code, again.stdout, again.stderr));
            }
        }
        for entry in fs::read_dir(folder).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            if !self.is_known(&name.to_string_lossy()) {
                return Err(format!("{} is left over", name.display()));
            }
        }
        if let Some(target) = self.target {
            let after = fs::read(folder.join(target)).map_err(|error| error.to_string())?;
            let is_whole = |bytes: &Vec<u8>| match (whole, bytes.starts_with(b"SQLite")) {
                (Some(whole), false) if self.is_repeatable => bytes == whole,
                (_, false) => bytes.ends_with(b"</html>\n"),
                (_, true) => true,
            };
            if !is_whole(&after)
                || found
                    .and_then(Result::ok)
                    .is_some_and(|found| !is_whole(&found))
            {
                return Err(format!("{target} is not whole"));
            }
        }
        intact(folder, MAIN)?;
        match self
            .target
            .filter(|_| self.arguments[0] == "backup" || self.arguments.contains(&"sqlite"))
        {
            Some(target) => intact(folder, target),
            None => Ok(()),
        }
    }
}

fn intact(folder: &Path, file: &str) -> Result<(), String> {
    let mut shell = Command::new("sqlite3");
    let checked = run(shell.arg(folder.join(file)).arg("pragma integrity_check"));
    match checked.stdout.as_str() {
        "ok\n" => Ok(()),
        _ => Err(format!("{file}: {}{}", checked.stdout, checked.stderr)),
    }
}

/// Folders before a command: with the original's database, and with that after the script.
fn prepare(folder: &Path) {
    let [original, ours, scratch] = ["original", "ours", "scratch"].map(|name| folder.join(name));
    for folder in [&original, &ours, &scratch] {
        empty(folder);
    }
    script::prepare(&scratch);
    fs::copy(scratch.join(MAIN), original.join(MAIN)).expect("a copy");
    fs::copy(scratch.join(MAIN), ours.join("other.db")).expect("a copy");
    fs::copy(scratch.join(MAIN), ours.join(MAIN)).expect("a copy");
    for folder in [&original, &ours] {
        fs::write(folder.join("config.yaml"), CONFIG).expect("a file");
    }
    // Something that the import does not know, and something that it does.
    let opened = run(&mut command(&ours, &["status"]));
    assert_eq!(opened.code, Some(0), "{}", opened.stderr);
    fs::remove_file(ours.join(format!("{MAIN}.original"))).expect("the copy");
}

#[test]
fn a_command_that_was_killed_at_any_system_call_that_writes_can_be_given_again() {
    let test =
        "commands::a_command_that_was_killed_at_any_system_call_that_writes_can_be_given_again";
    if !has_shell(test) || !is_available(test) {
        return;
    }
    let _turn = crate::in_turn();
    with_own_mounts(test, |folder| {
        in_namespace(SocketKind::Raw, |_| {
            let began = Instant::now();
            prepare(folder);
            let killed = folder.join("killed");
            let (mut calls, mut kills) = (0, 0);
            for case in &CASES {
                let initial = folder.join(if case.is_original { "original" } else { "ours" });
                let run_to = |kill| {
                    empty(&killed);
                    script::copy_files(&initial, &killed);
                    let mut command = command(&killed, case.arguments);
                    run_until(&mut command, kill, case.stop_at)
                };
                let stops = run_to(Kill::NEVER).stops;
                assert!(stops > 1, "{:?}: {stops} system calls", case.arguments);
                calls += stops;
                let target = case.target.map(|target| killed.join(target));
                let whole = target.map(|target| fs::read(target).expect("it is there"));
                for kill in Kill::each(stops, stride(29)) {
                    kills += usize::from(run_to(kill).is_killed);
                    let repeated = case.repeat(&killed, &whole);
                    repeated
                        .unwrap_or_else(|error| panic!("{:?}, {kill:?}: {error}", case.arguments));
                }
            }
            println!(
                "PROOF {} commands with {calls} system calls that write; killed {kills} times, before and after \
                 every {}: each could be given again and left nothing over, in {:.0?}",
                CASES.len(),
                stride(29),
                began.elapsed()
            );
        });
    });
}
