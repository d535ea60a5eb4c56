//! Where a result goes: standard output, or a file that is there whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::CliError;

/// Where a result goes. What is not finished leaves nothing behind.
pub struct Output {
    out: BufWriter<File>,
    /// What it is called in an error.
    name: PathBuf,
    kind: Kind,
}

enum Kind {
    StandardOutput,
    /// A device or a pipe.
    Device,
    /// The file, and what lies beside it until it becomes the file.
    File {
        path: PathBuf,
        part: PathBuf,
    },
}

impl Output {
    /// Standard output, also for `-`, or a file. One that exists is overwritten at the end; a
    /// device or a pipe is written to as it is.
    pub fn open(path: Option<&Path>) -> Result<Output, CliError> {
        let sink = |file, name: &Path, kind| Output {
            out: BufWriter::new(file),
            name: name.to_path_buf(),
            kind,
        };
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            let name = Path::new("standard output");
            // Without the buffer of a terminal, which ends at every line.
            let file = io::stdout()
                .as_fd()
                .try_clone_to_owned()
                .map_err(|cause| failure(name, cause))?;
            return Ok(sink(File::from(file), name, Kind::StandardOutput));
        };
        let failed = |cause| failure(path, cause);
        // A link stays one: what it leads to is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let known = fs::metadata(&target).ok();
        if known.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        if known.as_ref().is_some_and(|meta| !meta.is_file()) {
            let device = OpenOptions::new()
                .write(true)
                .open(&target)
                .map_err(failed)?;
            return Ok(sink(device, path, Kind::Device));
        }
        let name = target
            .file_name()
            .ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.part", std::process::id()));
        let part = target.with_file_name(hidden);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&part)
            .map_err(failed)?;
        let sink = sink(
            file,
            path,
            Kind::File {
                path: target,
                part: part.clone(),
            },
        );
        if let Some(known) = known {
            fs::set_permissions(&part, known.permissions()).map_err(failed)?;
        }
        Ok(sink)
    }

    /// An error of writing as the command ends with it. A reader that went away (`| head`) ends it
    /// without a word.
    pub fn failed(&self, cause: io::Error) -> CliError {
        match self.kind {
            Kind::StandardOutput if cause.kind() == io::ErrorKind::BrokenPipe => {
                CliError::OutputClosed
            }
            _ => failure(&self.name, cause),
        }
    }

    /// All is written: now the file is there.
    pub fn finish(mut self) -> Result<(), CliError> {
        self.out.flush().map_err(|cause| self.failed(cause))?;
        if let Kind::File { path, part } = &self.kind {
            self.out
                .get_ref()
                .sync_all()
                .map_err(|cause| self.failed(cause))?;
            fs::rename(part, path).map_err(|cause| self.failed(cause))?;
            self.kind = Kind::Device;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
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

fn failure(path: &Path, cause: io::Error) -> CliError {
    CliError::File {
        operation: "writing to",
        path: path.to_path_buf(),
        cause,
    }
}
