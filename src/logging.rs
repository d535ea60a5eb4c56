//! The log: standard error, or a file that SIGHUP reopens after its rotation.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, WriteLogger, format_description};

use crate::pure::phrase::printable;
use crate::sys;

/// Reopens the log file after its rotation. Without a log file it does nothing.
#[derive(Clone, Debug, Default)]
pub struct Reopen(Option<Configured>);

#[derive(Clone, Debug)]
struct Configured {
    path: PathBuf,
    like: PathBuf,
    log_file: LogFile,
}

impl Reopen {
    /// Later lines go to the file that now has the configured name. If that cannot be opened, they
    /// go to the old file, and the log says so.
    pub fn reopen(&self) {
        let Some(Configured {
            path,
            like,
            log_file,
        }) = &self.0
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
}

/// Starts logging to a file, or else to standard error. Fails when the file cannot be opened.
/// A new file is readable by nobody who cannot read `like`, whose names it contains.
pub fn start(level: LevelFilter, file: Option<&Path>, like: &Path) -> io::Result<Reopen> {
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
    if file.is_none() && std::env::var_os("JOURNAL_STREAM").is_some() {
        format.set_time_level(LevelFilter::Off);
    }
    let (output, reopen): (Box<dyn Write + Send>, _) = match file {
        Some(path) => {
            let log_file = LogFile(Arc::new(Mutex::new(open(path, like)?)));
            let reopen = Reopen(Some(Configured {
                path: path.to_path_buf(),
                like: like.to_path_buf(),
                log_file: log_file.clone(),
            }));
            (Box::new(log_file), reopen)
        }
        None => (Box::new(io::stderr()), Reopen::default()),
    };
    let lines = Lines(WriteLogger::new(LevelFilter::Trace, format.build(), output));
    // Fails if logging was started before; that logger continues.
    if log::set_boxed_logger(Box::new(lines)).is_ok() {
        log::set_max_level(level);
    }
    Ok(reopen)
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

/// The logger writes to it while [`Reopen`] may replace it.
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
