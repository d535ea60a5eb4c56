//! Where a result goes: standard output, or a file that is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Failure;

/// Where a result goes. What is not finished leaves nothing behind.
pub struct Sink {
    out: BufWriter<Box<dyn Write>>,
    /// The file and, beside it, what becomes the file.
    file: Option<(PathBuf, PathBuf)>,
}

impl Sink {
    /// Standard output, or a file. One that exists is overwritten at the end, if it is a regular one.
    pub fn open(path: Option<&Path>) -> Result<Sink, Failure> {
        let Some(path) = path else { return Ok(Sink { out: BufWriter::new(Box::new(io::stdout())), file: None }) };
        let failed = |cause| failure(path, cause);
        // A link stays one: what it leads to is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let known = fs::metadata(&target).ok();
        if known.as_ref().is_some_and(|meta| !meta.is_file()) {
            return Err(failed(io::Error::other("it exists and is no regular file")));
        }
        let name = target.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.part", std::process::id()));
        let part = target.with_file_name(hidden);
        let file: File = OpenOptions::new().write(true).create_new(true).open(&part).map_err(failed)?;
        let sink = Sink { out: BufWriter::new(Box::new(file)), file: Some((target, part.clone())) };
        if let Some(known) = known {
            fs::set_permissions(&part, known.permissions()).map_err(failed)?;
        }
        Ok(sink)
    }

    /// An error of writing as the command ends with it. A reader that went away (`| head`) ends it without a word.
    pub fn failed(&self, cause: io::Error) -> Failure {
        match &self.file {
            None if cause.kind() == io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            None => failure(Path::new("standard output"), cause),
            Some((path, _)) => failure(path, cause),
        }
    }

    /// All is written: now the file is there.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|cause| self.failed(cause))?;
        if let Some((path, part)) = self.file.take() {
            fs::rename(&part, &path).map_err(|cause| {
                drop(fs::remove_file(&part));
                failure(&path, cause)
            })?;
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some((_, part)) = &self.file {
            drop(fs::remove_file(part));
        }
    }
}

fn failure(path: &Path, cause: io::Error) -> Failure {
    Failure::File { operation: "writing", path: path.to_path_buf(), cause }
}
