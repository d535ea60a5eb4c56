//! Where log lines go: standard error, or a file that SIGHUP opens anew so that it can be rotated.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use log::LevelFilter;
use simplelog::{ConfigBuilder, WriteLogger, format_description};

/// Tells the log file to be opened anew with the next line.
#[derive(Clone, Debug, Default)]
pub struct Reopen(Arc<AtomicBool>);

impl Reopen {
    /// Asks for it.
    pub fn request(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Starts logging, once: to a file, or else to standard error. Fails when the log file cannot be
/// opened.
pub fn start(level: LevelFilter, file: Option<&Path>) -> io::Result<Reopen> {
    let reopen = Reopen::default();
    let mut format = ConfigBuilder::new();
    format
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_max_level(LevelFilter::Error)
        .set_time_format_custom(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        ));
    // journald writes the time before every line itself.
    if file.is_none() && std::env::var_os("JOURNAL_STREAM").is_some() {
        format.set_time_level(LevelFilter::Off);
    }
    let output: Box<dyn Write + Send> = match file {
        Some(path) => Box::new(LogFile {
            file: open(path)?,
            path: path.to_path_buf(),
            reopen: reopen.clone(),
        }),
        None => Box::new(io::stderr()),
    };
    // A second start finds the first logger in place, which goes on.
    let _ = WriteLogger::init(level, format.build(), output);
    Ok(reopen)
}

/// From now on lines of this level and above are written.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

struct LogFile {
    path: PathBuf,
    file: File,
    reopen: Reopen,
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.reopen.0.swap(false, Ordering::AcqRel) {
            // Where the new file cannot be opened the old one goes on.
            if let Ok(file) = open(&self.path) {
                self.file = file;
            }
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
