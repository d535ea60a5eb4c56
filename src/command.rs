//! Runs a command of the user: for an alert, or with a batch for an engine. It may hang, print without
//! end, read nothing, or leave processes behind that keep its pipes open: none of that stops this
//! program.

use std::io::{self, ErrorKind, PipeReader, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::stop::Stop;
use crate::sys;

/// Which output of the command is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Standard output is discarded.
    Stderr,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    Exited(ExitStatus),
    /// Killed because it ran too long.
    TimedOut,
    /// Killed because this program stops.
    Stopped,
}

#[derive(Clone, Debug)]
pub struct CommandRun {
    pub end: CommandEnd,
    /// The last part of its output.
    pub output: Vec<u8>,
    /// The length of the whole output.
    pub output_bytes: u64,
    pub duration: Duration,
}

/// How much of the output is kept.
const KEPT_BYTES: usize = 16 * 1024;
/// The capacity of a pipe.
const BUFFER_BYTES: usize = 64 * 1024;
/// How often the exit status is polled: the end of the output may come much later.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long to wait for the end of a killed process, which may hang in a system call.
const KILL_TIMEOUT: Duration = Duration::from_millis(500);
/// Variables of the service manager that are meant only for this process.
const PRIVATE_VARIABLES: [&str; 6] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];

/// What a command is given.
#[derive(Clone, Copy, Debug)]
pub struct CommandInput<'a> {
    /// On its standard input.
    pub bytes: &'a [u8],
    pub environment: &'a [(&'static str, String)],
}

/// Runs a command until it ends, the timeout expires, or `stop` is raised. Fails when it cannot be
/// started. Its input is a file, so that nothing blocks if it does not read it. Its whole process
/// group is killed.
pub fn run_command(
    words: &[String],
    given: CommandInput<'_>,
    timeout: Duration,
    stop: &Stop,
    capture: Capture,
) -> io::Result<CommandRun> {
    let (program, arguments) = words.split_first().ok_or(ErrorKind::InvalidInput)?;
    let (mut pipe, output) = io::pipe()?;
    sys::set_nonblocking(pipe.as_fd())?;
    let mut input = sys::memory_file()?;
    input.write_all(given.bytes)?;
    input.rewind()?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(given.environment.iter().map(|(name, value)| (name, value)));
    for name in PRIVATE_VARIABLES {
        command.env_remove(name);
    }
    command.stdout(match capture {
        Capture::Stderr => Stdio::null(),
        Capture::Both => output.try_clone()?.into(),
    });
    command.stdin(input).stderr(output).process_group(0);
    sys::drop_ambient_capabilities(&mut command);
    let started = sys::monotonic();
    let mut child = command
        .spawn()
        .map_err(|error| explain_start(program, error))?;
    // Closes our ends of its pipes, so that the output ends when no other process has one.
    drop(command);
    let deadline = started.after(timeout);
    let mut tail = Tail {
        bytes: Vec::new(),
        total: 0,
        is_open: true,
        buffer: vec![0; BUFFER_BYTES],
    };
    let end = loop {
        let until = sys::monotonic().after(POLL_INTERVAL).min(deadline);
        let is_stopped = if tail.is_open {
            stop.wait_readable(pipe.as_fd(), until)
        } else {
            stop.wait_until(until)
        };
        tail.read(&mut pipe);
        if let Some(status) = child.try_wait()? {
            break CommandEnd::Exited(status);
        }
        if is_stopped || sys::monotonic() >= deadline {
            kill(&mut child);
            break if is_stopped {
                CommandEnd::Stopped
            } else {
                CommandEnd::TimedOut
            };
        }
    };
    // Reads the last output only once: processes that it left behind may write forever.
    tail.read(&mut pipe);
    Ok(CommandRun {
        end,
        output: tail.bytes,
        output_bytes: tail.total,
        duration: sys::monotonic().since(started),
    })
}

/// Adds the cause and the remedy where the system's message misleads: execve(2) also reports "No such
/// file" when the interpreter that a script names does not exist.
fn explain_start(program: &str, error: io::Error) -> io::Error {
    let text = match error.kind() {
        ErrorKind::NotFound => match interpreter(program) {
            Some(line) if line.ends_with('\r') => {
                "its lines end as in Windows, save it with Unix line ends".into()
            }
            Some(line) => format!("its first line names {line}, which does not exist"),
            None => return error,
        },
        ErrorKind::PermissionDenied => format!("{error}; make it executable: chmod +x {program}"),
        _ => return error,
    };
    io::Error::new(error.kind(), text)
}

/// The interpreter that the first line of a script names, with what follows it.
fn interpreter(program: &str) -> Option<String> {
    const MAX_LINE: u64 = 256;
    let mut start = Vec::new();
    let file = std::fs::File::open(program).ok()?;
    file.take(MAX_LINE).read_to_end(&mut start).ok()?;
    let text = String::from_utf8_lossy(&start);
    let line = text.strip_prefix("#!")?.split('\n').next()?;
    Some(line.trim_start().to_string())
}

fn kill(child: &mut Child) {
    sys::kill_group(child.id());
    let until = sys::monotonic().after(KILL_TIMEOUT);
    while matches!(child.try_wait(), Ok(None)) && sys::monotonic() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The last part of an output.
struct Tail {
    bytes: Vec<u8>,
    total: u64,
    /// Whether some process can still write.
    is_open: bool,
    buffer: Vec<u8>,
}

impl Tail {
    /// Reads what the pipe contains.
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

impl CommandRun {
    pub fn is_success(&self) -> bool {
        matches!(self.end, CommandEnd::Exited(status) if status.success())
    }

    pub fn end_text(&self) -> String {
        match self.end {
            CommandEnd::Exited(status) => status.to_string(),
            CommandEnd::TimedOut => format!("killed after {:.1} s", self.duration.as_secs_f64()),
            CommandEnd::Stopped => "killed".into(),
        }
    }

    /// The last line of its output that is not empty.
    pub fn last_line(&self) -> String {
        const MAX_LINE: usize = 200;
        let output = String::from_utf8_lossy(&self.output);
        let line = output.lines().map(str::trim).rfind(|line| !line.is_empty());
        line.unwrap_or_default()
            .chars()
            .take(MAX_LINE)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect()
    }
}
