//! Running the program that tells a notice, so that it can do no harm: it may hang, print without
//! end, read nothing, or leave others behind that hold its pipes.

use std::io::{self, ErrorKind, PipeReader, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::telling::AlertText;
use crate::stop::Stop;
use crate::sys;

/// What of its output is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertResult {
    /// What it complains of; the rest goes nowhere.
    Complaints,
    /// All.
    All,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(ExitStatus),
    /// It ran too long and was killed.
    TimedOut,
    /// It was killed since this program stops.
    Stopped,
}

/// A program that was run.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub end: End,
    /// The last of what it wrote.
    pub output: Vec<u8>,
    /// How much that was in all.
    pub output_bytes: u64,
    /// From start to end.
    pub took: Duration,
}

/// How much of its output is kept.
const KEPT_BYTES: usize = 16 * 1024;
/// As much as a pipe holds.
const BUFFER_BYTES: usize = 64 * 1024;
/// How often it is asked whether it has ended, when its output does not say so.
const TICK: Duration = Duration::from_millis(50);
/// How long it is waited for after it was killed: one that waits for a dead disk cannot be killed.
const LAST_WAIT: Duration = Duration::from_millis(500);
/// What the service manager has told us is not for others.
const OUR_OWN: [&str; 6] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];

/// Runs a program until it ends, `timeout` is over, or the flag is raised. Fails when it cannot be
/// started. Its input is a file, so that it may read it or not; it is in a process group of its
/// own, and all of that is killed.
pub fn run(
    words: &[String],
    telling: &AlertText,
    timeout: Duration,
    stop: &Stop,
    heard: AlertResult,
) -> io::Result<Run> {
    let (program, arguments) = words.split_first().ok_or(ErrorKind::InvalidInput)?;
    let (mut pipe, output) = io::pipe()?;
    sys::set_nonblocking(pipe.as_fd())?;
    let mut input = sys::memory_file()?;
    input.write_all(telling.json.as_bytes())?;
    input.rewind()?;
    let mut command = Command::new(program);
    command.args(arguments).envs(
        telling
            .environment
            .iter()
            .map(|(name, value)| (name, value)),
    );
    for name in OUR_OWN {
        command.env_remove(name);
    }
    command.stdout(match heard {
        AlertResult::Complaints => Stdio::null(),
        AlertResult::All => output.try_clone()?.into(),
    });
    command.stdin(input).stderr(output).process_group(0);
    sys::drop_ambient_capabilities(&mut command);
    let began = sys::monotonic();
    let mut child = command.spawn()?;
    // With it our ends of its pipes: it is over when nobody else has one.
    drop(command);
    let deadline = began.after(timeout);
    let mut tail = Tail {
        bytes: Vec::new(),
        total: 0,
        is_open: true,
        buffer: vec![0; BUFFER_BYTES],
    };
    let end = loop {
        let until = sys::monotonic().after(TICK).min(deadline);
        let is_stopped = if tail.is_open {
            stop.wait_readable(pipe.as_fd(), until)
        } else {
            stop.wait_until(until)
        };
        tail.read(&mut pipe);
        if let Some(status) = child.try_wait()? {
            break End::Exited(status);
        }
        if is_stopped || sys::monotonic() >= deadline {
            kill(&mut child);
            break if is_stopped {
                End::Stopped
            } else {
                End::TimedOut
            };
        }
    };
    // What it wrote last; those whom it left behind may go on for ever.
    tail.read(&mut pipe);
    Ok(Run {
        end,
        output: tail.bytes,
        output_bytes: tail.total,
        took: sys::monotonic().since(began),
    })
}

fn kill(child: &mut Child) {
    sys::kill_group(child.id());
    let until = sys::monotonic().after(LAST_WAIT);
    while matches!(child.try_wait(), Ok(None)) && sys::monotonic() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The end of an output.
struct Tail {
    bytes: Vec<u8>,
    total: u64,
    /// Whether anybody may still write.
    is_open: bool,
    buffer: Vec<u8>,
}

impl Tail {
    /// Reads what is there, at most as much as a pipe holds.
    fn read(&mut self, pipe: &mut PipeReader) {
        match pipe.read(&mut self.buffer) {
            Ok(0) => self.is_open = false,
            Ok(len) => {
                self.total += len as u64;
                self.bytes
                    .extend_from_slice(&self.buffer[len.saturating_sub(KEPT_BYTES)..len]);
                self.bytes
                    .drain(..self.bytes.len().saturating_sub(KEPT_BYTES));
            }
            Err(error) => {
                self.is_open =
                    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
            }
        }
    }
}

impl Run {
    /// Whether the notice was heard.
    pub fn is_success(&self) -> bool {
        matches!(self.end, End::Exited(status) if status.success())
    }

    /// How it ended, and the last line that it wrote.
    pub fn account(&self) -> String {
        const MAX_LINE: usize = 200;
        let how = match self.end {
            End::Exited(status) => status.to_string(),
            End::TimedOut => format!("killed after {:.1} s", self.took.as_secs_f64()),
            End::Stopped => "killed".into(),
        };
        let output = String::from_utf8_lossy(&self.output);
        match output.lines().map(str::trim).rfind(|line| !line.is_empty()) {
            Some(line) => {
                let line: String = line
                    .chars()
                    .take(MAX_LINE)
                    .map(|c| if c.is_control() { ' ' } else { c })
                    .collect();
                format!("{how}: {line}")
            }
            None => how,
        }
    }
}
