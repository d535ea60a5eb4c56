//! What several test files need: the program, a folder to work in, a child that cannot hang, a
//! network of one's own.
#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub mod http;
pub mod namespace;
pub mod sys;

/// The program under test.
pub fn bin() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ace-connection-logger"))
}

/// Says that a test could not be made here. Whoever runs the tests counts these lines.
pub fn skip(test: &str, reason: &str) {
    // Not by eprintln, whose text the test runner keeps to itself when a test passes. In one piece,
    // so that the lines of tests that run side by side do not mix.
    drop(std::io::stderr().write_all(format!("SKIP {test}: {reason}\n").as_bytes()));
}

/// A folder of the test's own, removed with everything in it at the end.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// An empty folder that no other test and no other run knows.
    pub fn new() -> TempDir {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!(
            "ace-connection-logger-test-{}-{number}",
            std::process::id()
        ));
        std::fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        TempDir(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it and says where that is.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clear; a test should not fail for it.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// How a command ended and what it wrote.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
}

/// Far more than any command of the tests takes, so that a program that hangs fails its test and
/// not the whole run.
const MAX_RUN: Duration = Duration::from_secs(20);

/// Runs a command to its end. A command that cannot be started or does not end is a failed test.
pub fn run(command: &mut Command) -> Finished {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = read_to_end(child.stdout.take().expect("it is a pipe"));
    let stderr = read_to_end(child.stderr.take().expect("it is a pipe"));
    let deadline = began + MAX_RUN;
    let mut text_of = |output: &mpsc::Receiver<String>| {
        output
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .unwrap_or_else(|_| {
                // Best effort: the test fails in any case.
                drop(child.kill());
                panic!("{command:?} did not end within {MAX_RUN:?}")
            })
    };
    let (stdout, stderr) = (text_of(&stdout), text_of(&stderr));
    let status = child
        .wait()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Finished {
        code: status.code(),
        stdout,
        stderr,
        took: began.elapsed(),
    }
}

fn read_to_end(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // An error ends the text where it is; what is missing then fails the comparison.
        drop(pipe.read_to_end(&mut bytes));
        drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
    receiver
}
