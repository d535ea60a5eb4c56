//! Reads the bytes of a configuration file.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::sys;

/// Five thousand hosts with the usual keys need half of it. Memory and time grow with the length.
const MAX_MIB: u64 = 1;

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    let failed = |cause| ReadError::Failed {
        path: path.to_path_buf(),
        cause,
    };
    let file = sys::open_file(path, OpenOptions::new().read(true)).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(ReadError::Directory {
            path: path.to_path_buf(),
        });
    }
    let max_bytes = MAX_MIB * 1024 * 1024;
    let mut text = Vec::new();
    file.take(max_bytes + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > max_bytes {
        return Err(ReadError::TooLong {
            path: path.to_path_buf(),
        });
    }
    Ok(text)
}

#[derive(Debug)]
pub enum ReadError {
    Failed { path: PathBuf, cause: io::Error },
    Directory { path: PathBuf },
    TooLong { path: PathBuf },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Failed { path, cause } => write!(f, "{}: {cause}", path.display()),
            ReadError::Directory { path } => {
                write!(f, "{}: is a directory, not a file", path.display())
            }
            ReadError::TooLong { path } => {
                write!(f, "{}: is longer than {MAX_MIB} MiB", path.display())
            }
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::Failed { cause, .. } => Some(cause),
            ReadError::Directory { .. } | ReadError::TooLong { .. } => None,
        }
    }
}
