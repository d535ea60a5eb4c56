//! The log: standard error, or a file that SIGHUP reopens after its rotation. The monitor's lines are
//! written by a thread of their own, so that no other thread waits for a disk or a pipe that stalls.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use log::{LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, WriteLogger, format_description};

use crate::pure::phrase::{count, printable};
use crate::sys;

/// What can be done with the log after its start.
#[derive(Clone, Debug)]
pub struct LogHandle {
    file: Option<Configured>,
    output: Arc<Output>,
}

#[derive(Clone, Debug)]
struct Configured {
    path: PathBuf,
    like: PathBuf,
    log_file: LogFile,
}

impl LogHandle {
    /// Later lines go to the file that now has the configured name. If that cannot be opened, they
    /// go to the old file, and the log says so. Without a log file it does nothing.
    pub fn reopen(&self) {
        let Some(Configured {
            path,
            like,
            log_file,
        }) = &self.file
        else {
            return;
        };
        match open(path, like) {
            Ok(file) => *log_file.0.lock().unwrap_or_else(PoisonError::into_inner) = file,
            Err(error) => log::error!(
                "logging.file: cannot open {}: {error}; the log continues in the file opened before",
                path.display()
            ),
        }
    }

    /// Has a thread write the lines until the returned value is dropped. If there is no thread to be
    /// had, whoever logs a line goes on to write it.
    pub fn write_in_background(&self) -> Background {
        let (sender, lines) = sync_channel::<Vec<u8>>(MAX_LINES);
        let (ended, end) = sync_channel(0);
        let output = Arc::clone(&self.output);
        let write = move || {
            let _ended: SyncSender<()> = ended;
            for line in lines {
                output.write(&line);
                output.tell_of_lost_lines();
            }
        };
        let thread = thread::Builder::new().name("log".into()).spawn(write);
        if thread.is_ok() {
            *self.output.mode() = Mode::Queue(sender);
        }
        Background {
            output: Arc::clone(&self.output),
            end,
        }
    }
}

/// Lines that wait for the thread that writes them.
const MAX_LINES: usize = 500;

/// How long the end waits for lines that are not written yet. With the longest stop it is less than
/// the 30 seconds that service managers allow.
const MAX_END: Duration = Duration::from_secs(1);

/// While it lives, a thread writes the log.
#[derive(Debug)]
pub struct Background {
    output: Arc<Output>,
    end: Receiver<()>,
}

impl Drop for Background {
    fn drop(&mut self) {
        // The thread ends when it has written what it has received.
        *self.output.mode() = Mode::Nowhere;
        if self.end.recv_timeout(MAX_END) == Err(RecvTimeoutError::Disconnected) {
            *self.output.mode() = Mode::Direct;
        }
    }
}

/// Where lines go, and how.
struct Output {
    target: Mutex<Box<dyn Write + Send>>,
    mode: Mutex<Mode>,
    /// Lines for which there was no room in the queue.
    lost: AtomicUsize,
    has_time: bool,
}

enum Mode {
    /// Whoever logs a line writes it.
    Direct,
    Queue(SyncSender<Vec<u8>>),
    /// What it was written to does not take it.
    Nowhere,
}

impl Output {
    fn mode(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, line: Vec<u8>) {
        match &*self.mode() {
            Mode::Queue(lines) => {
                if lines.try_send(line).is_err() {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Mode::Direct => self.write(&line),
            Mode::Nowhere => {}
        }
    }

    /// Not as other lines are logged: there may be no room in the queue.
    fn tell_of_lost_lines(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost == 0 {
            return;
        }
        let time = match self.has_time {
            true => format!("{} ", sys::clocks().utc().rfc3339()),
            false => String::new(),
        };
        let lines = count(lost, "line");
        let line =
            format!("{time}[WARN] {lines} of this log were lost, since it could not be written\n");
        self.write(line.as_bytes());
    }

    /// There is nowhere to report that the log cannot be written.
    fn write(&self, line: &[u8]) {
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        drop(target.write_all(line));
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

/// Collects the parts of a line.
struct Line {
    bytes: Vec<u8>,
    output: Arc<Output>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        // A message has no other line break: see [`Lines`].
        if bytes.ends_with(b"\n") {
            self.output.take(std::mem::take(&mut self.bytes));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts logging to a file, or else to standard error. Fails when the file cannot be opened.
/// A new file is readable by nobody who cannot read `like`, whose names it contains.
pub fn start(level: LevelFilter, file: Option<&Path>, like: &Path) -> io::Result<LogHandle> {
    let mut format = ConfigBuilder::new();
    format
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_max_level(LevelFilter::Error)
        .set_time_format_custom(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        ));
    // journald adds the time to every line itself.
    let has_time = file.is_some() || std::env::var_os("JOURNAL_STREAM").is_none();
    if !has_time {
        format.set_time_level(LevelFilter::Off);
    }
    let file = match file {
        Some(path) => Some(Configured {
            path: path.to_path_buf(),
            like: like.to_path_buf(),
            log_file: LogFile(Arc::new(Mutex::new(open(path, like)?))),
        }),
        None => None,
    };
    let target: Box<dyn Write + Send> = match &file {
        Some(configured) => Box::new(configured.log_file.clone()),
        None => Box::new(io::stderr()),
    };
    let output = Arc::new(Output {
        target: Mutex::new(target),
        mode: Mutex::new(Mode::Direct),
        lost: AtomicUsize::new(0),
        has_time,
    });
    let line = Line {
        bytes: Vec::new(),
        output: Arc::clone(&output),
    };
    let lines = Lines(WriteLogger::new(LevelFilter::Trace, format.build(), line));
    // Fails if logging was started before; that logger continues.
    if log::set_boxed_logger(Box::new(lines)).is_ok() {
        log::set_max_level(level);
    }
    Ok(LogHandle { file, output })
}

/// Makes one line of each message. A name in it must not forge another line, nor command the
/// terminal that shows the log.
struct Lines<L>(Box<L>);

impl<L: Log> Log for Lines<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let text = printable(&record.args().to_string());
        let mut printed = Record::builder();
        printed.level(record.level()).target(record.target());
        self.0.log(&printed.args(format_args!("{text}")).build());
    }

    fn flush(&self) {
        self.0.flush();
    }
}

pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Lines are written to it while [`LogHandle::reopen`] may replace it.
#[derive(Clone, Debug)]
struct LogFile(Arc<Mutex<File>>);

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A new file is readable by nobody who cannot read `like`.
fn open(path: &Path, like: &Path) -> io::Result<File> {
    let mode = sys::mode_like(like.metadata().ok().as_ref());
    let mut options = OpenOptions::new();
    sys::open_file(path, options.create(true).append(true).mode(mode))
}
