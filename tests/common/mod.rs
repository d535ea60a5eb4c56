//! Helpers of several test files: the program, temporary folders, commands with a timeout, network
//! namespaces.
#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub mod http;
pub mod monitor;
pub mod mounts;
pub mod namespace;
pub mod shared_memory;
pub mod sys;
pub mod versions;

/// The program under test.
pub fn bin() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ace-connection-logger"))
}

/// Prints that a test cannot run here. tests/run counts these lines.
pub fn skip(test: &str, reason: &str) {
    // Not by eprintln, which the test runner captures. In one write, so that the lines of parallel
    // tests do not mix.
    drop(std::io::stderr().write_all(format!("SKIP {test}: {reason}\n").as_bytes()));
}

/// A temporary folder, removed with its contents at the end.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// An empty folder that no other test or run uses.
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

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in the folder and returns its path.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Writes a script that can be executed, in another process: what this process has open for
    /// writing is open in every child of a parallel test until that executes its program, and until
    /// then the script cannot be executed (ETXTBSY in execve(2)).
    pub fn write_program(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        let mut child = Command::new("sh")
            .args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let mut stdin = child.stdin.take().expect("it is a pipe");
        stdin.write_all(content.as_bytes()).expect("sh reads it");
        drop(stdin);
        assert!(
            child.wait().expect("sh ends").success(),
            "{}",
            path.display()
        );
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A test should not fail because its folder cannot be removed.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// How a command ended and what it wrote.
#[derive(Debug)]
pub struct Finished {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// Far more than any command takes, so that a program that hangs fails only its test.
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
                // The test fails in any case.
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
        // After an error the text is incomplete, which fails the comparison.
        drop(pipe.read_to_end(&mut bytes));
        drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
    receiver
}
