//! The log: standard error, or a file that SIGHUP reopens after its rotation.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use log::LevelFilter;
use simplelog::{ConfigBuilder, WriteLogger, format_description};

/// Requests that the log file is reopened before the next line.
#[derive(Clone, Debug, Default)]
pub struct Reopen(Arc<AtomicBool>);

impl Reopen {
    pub fn request(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Starts logging to a file, or else to standard error. Fails when the file cannot be opened.
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
    // journald adds the time to every line itself.
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
    // Fails if logging was started before; that logger continues.
    let _ = WriteLogger::init(level, format.build(), output);
    Ok(reopen)
}

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
            // If that fails, the old file stays in use.
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
