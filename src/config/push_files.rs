//! The files that the section `push` names: the token and the command's program.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::sys;

const MAX_TOKEN_BYTES: u64 = 8192;

/// Whether the token is as it must be, as far as it may be read.
pub(super) fn check_token(path: &Path) -> Result<(), String> {
    const OTHERS: u32 = 0o007;
    let shown = path.display();
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{shown}: there is no such file"),
        _ => format!("{shown}: {error}"),
    })?;
    if !found.is_file() {
        return Err(format!("{shown} is not a file"));
    }
    if found.mode() & OTHERS != 0 {
        return Err(format!(
            "{shown} can be read by every user of this machine: chmod o= {shown}"
        ));
    }
    match open_token(path) {
        // It may be for the monitor's user alone.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        _ => read_token(path).map(drop),
    }
}

fn open_token(path: &Path) -> io::Result<fs::File> {
    sys::open_file(path, OpenOptions::new().read(true))
}

/// The only line of a file.
pub fn read_token(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let failed = |error| format!("{shown}: {error}");
    let mut bytes = Vec::new();
    open_token(path)
        .and_then(|file| file.take(MAX_TOKEN_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    let token = bytes.trim_ascii();
    if bytes.len() as u64 > MAX_TOKEN_BYTES {
        Err(format!("{shown} has more than {MAX_TOKEN_BYTES} bytes"))
    } else if token.is_empty() {
        Err(format!("{shown} is empty"))
    } else if token.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
        Ok(String::from_utf8_lossy(token).into_owned())
    } else {
        Err(format!(
            "{shown} has more than one line, or other characters than ASCII"
        ))
    }
}

/// Whether a program can be run, found as execvp(3) finds it.
pub(super) fn check_program(program: &str) -> Result<(), String> {
    let is_executable =
        |found: &Metadata| found.is_file() && found.permissions().mode() & 0o111 != 0;
    if program.is_empty() {
        return Err("its first word, the program, is empty".into());
    }
    if program.contains('/') {
        return match fs::metadata(program) {
            Ok(found) if is_executable(&found) => Ok(()),
            Ok(found) if !found.is_file() => Err(format!("{program} is not a file")),
            Ok(_) => Err(format!("{program} cannot be executed: chmod +x {program}")),
            Err(_) => Err(format!("{program}: there is no such program")),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&path)
        .any(|folder| fs::metadata(folder.join(program)).is_ok_and(|found| is_executable(&found)));
    if is_there {
        Ok(())
    } else {
        Err(format!("{program}: there is no such program in PATH"))
    }
}
