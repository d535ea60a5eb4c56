//! The output of a command: standard output, or a file that appears only when it is complete.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::exit::CliError;
use super::print::printable;
use crate::sys;

/// Where a command writes its result. Dropped before [`Output::finish`], it removes its unfinished file.
pub struct Output {
    out: BufWriter<File>,
    /// Whether what commands a terminal is replaced. A file or a pipe gets every byte.
    is_terminal: bool,
    /// Its name in error messages.
    name: PathBuf,
    kind: Kind,
}

enum Kind {
    StandardOutput,
    /// A device or a pipe.
    Device,
    /// `part` is written and at the end renamed to `path`.
    File {
        path: PathBuf,
        part: PathBuf,
    },
}

impl Output {
    /// Opens standard output (also for `-`) or a file. An existing file is replaced at the end; a
    /// device or a pipe is written to directly.
    pub fn open(path: Option<&Path>) -> Result<Output, CliError> {
        let output = |file: File, name: &Path, kind| Output {
            is_terminal: file.is_terminal(),
            out: BufWriter::new(file),
            name: name.to_path_buf(),
            kind,
        };
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            let name = Path::new("standard output");
            // Not through io::stdout(), which flushes at every line.
            let file = io::stdout()
                .as_fd()
                .try_clone_to_owned()
                .map_err(|cause| write_failed(name, cause))?;
            return Ok(output(File::from(file), name, Kind::StandardOutput));
        };
        let failed = |cause| write_failed(path, cause);
        // A symbolic link stays: the file that it points to is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let existing = fs::metadata(&target).ok();
        if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        if existing.as_ref().is_some_and(|meta| !meta.is_file()) {
            let device = OpenOptions::new()
                .write(true)
                .open(&target)
                .map_err(failed)?;
            return Ok(output(device, path, Kind::Device));
        }
        let name = target
            .file_name()
            .ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".");
        remove_left_over(&target, &hidden);
        hidden.push(format!("{}.part", std::process::id()));
        let part = target.with_file_name(hidden);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        if let Some(existing) = &existing {
            options.mode(existing.mode() & 0o777);
        }
        let file = options.open(&part).map_err(failed)?;
        // As long as it is locked it is not left over. Some file systems have no locks.
        drop(file.try_lock());
        let output = output(
            file,
            path,
            Kind::File {
                path: target,
                part: part.clone(),
            },
        );
        if let Some(existing) = existing {
            fs::set_permissions(&part, existing.permissions()).map_err(failed)?;
        }
        Ok(output)
    }

    /// The error of a failed write. A closed standard output (`| head`) ends the command silently.
    pub fn write_error(&self, cause: io::Error) -> CliError {
        match self.kind {
            Kind::StandardOutput if cause.kind() == io::ErrorKind::BrokenPipe => {
                CliError::OutputClosed
            }
            _ => write_failed(&self.name, cause),
        }
    }

    /// Flushes, and gives the file its name.
    pub fn finish(mut self) -> Result<(), CliError> {
        self.out.flush().map_err(|cause| self.write_error(cause))?;
        if let Kind::File { path, part } = &self.kind {
            self.out
                .get_ref()
                .sync_all()
                .map_err(|cause| self.write_error(cause))?;
            fs::rename(part, path)
                .and_then(|()| sys::sync_folder_of(path))
                .map_err(|cause| self.write_error(cause))?;
            self.kind = Kind::Device;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_terminal {
            return self.out.write(bytes);
        }
        self.out.write_all(shown(bytes).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Kind::File { part, .. } = &self.kind {
            drop(fs::remove_file(part));
        }
    }
}

/// Without what commands a terminal, but with its lines and tabs. A byte order mark says nothing
/// there.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes)
        .replace("\r\n", "\n")
        .replace('\u{feff}', "");
    let lines = text.split_inclusive(['\n', '\t']);
    let shown = lines.map(|part| match part.strip_suffix(['\n', '\t']) {
        Some(start) => printable(start) + &part[start.len()..],
        None => printable(part),
    });
    shown.collect()
}

/// Removes the unfinished files of commands that were killed, which `hidden` begins the names of.
fn remove_left_over(target: &Path, hidden: &OsStr) {
    let folder = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(folder.unwrap_or(Path::new("."))) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let number = (name.as_bytes())
            .strip_prefix(hidden.as_bytes())
            .and_then(|rest| rest.strip_suffix(b".part"));
        let is_left_over = number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if is_left_over {
            // If that fails, the file is only one too many.
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn write_failed(path: &Path, cause: io::Error) -> CliError {
    CliError::File {
        operation: "writing to",
        path: path.to_path_buf(),
        cause,
    }
}
