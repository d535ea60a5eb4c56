//! Open files, the database, disk space and the clock.

use std::fs;
use std::io;
use std::path::Path;

use super::diagnosis::Diagnosis;
use crate::cli::exit::CliError;
use crate::cli::startup::{ZONE_CURE, unknown_zone};
use crate::config::Config;
use crate::pure::phrase::{self, count};
use crate::pure::time::{IMPLAUSIBLE_BEFORE, UtcMillis};
use crate::store::{Reader, damage_of};
use crate::{daemon, sys};

/// With less free space, it may not last for a week of results.
const MIN_FREE_BYTES: u64 = 50 << 20;

pub fn open_files(config: &Config) -> Diagnosis {
    const SUBJECT: &str = "open files";
    let hosts = config.hosts.len();
    match daemon::allow_files_for_monitoring(hosts) {
        Ok(()) => Diagnosis::ok(
            SUBJECT,
            format!("the limit is enough for {}", count(hosts, "host")),
        ),
        Err(error) => {
            let error = CliError::from(error);
            Diagnosis::failed(SUBJECT, error.to_string(), error.hint().unwrap_or_default())
        }
    }
}

/// Whether the database can be written. An old one is not upgraded: doctor changes nothing.
pub fn database(path: &Path) -> Diagnosis {
    const SUBJECT: &str = "database";
    let folder = folder_of(path);
    let (file, shown_folder) = (path.display(), folder.display());
    match Reader::open_current(path) {
        Ok(reader) if reader.is_some() || path.exists() => {
            match can_append(path).and_then(|()| can_create_files(folder)) {
                Ok(()) if reader.is_some() => whole(SUBJECT, path, reader.as_ref()),
                Ok(()) => Diagnosis::ok(
                    SUBJECT,
                    format!("{file} is of an older version; the next start converts it"),
                ),
                Err(error) => Diagnosis::failed(
                    SUBJECT,
                    format!("{file}: {error}"),
                    chown_cure(folder, Some(path)),
                ),
            }
        }
        Ok(_) if !folder.is_dir() => Diagnosis::failed(
            SUBJECT,
            format!("{shown_folder}: there is no such folder"),
            format!("mkdir -p {shown_folder}"),
        ),
        Ok(_) => match can_create_files(folder) {
            Ok(()) => Diagnosis::ok(
                SUBJECT,
                format!("{file} does not exist yet and can be created"),
            ),
            Err(error) => Diagnosis::failed(
                SUBJECT,
                format!("{shown_folder}: {error}"),
                chown_cure(folder, None),
            ),
        },
        Err(error) => {
            let cure = error
                .hint()
                .unwrap_or_else(|| chown_cure(folder, Some(path)));
            Diagnosis::failed(SUBJECT, error.to_string(), cure)
        }
    }
}

/// Whether all of a database can be read.
fn whole(subject: &'static str, path: &Path, reader: Option<&Reader>) -> Diagnosis {
    let file = path.display();
    let wrong = match reader.map_or(Ok(Vec::new()), Reader::integrity) {
        Ok(wrong) => wrong,
        Err(error) => return Diagnosis::failed(subject, error.to_string(), ""),
    };
    let Some(first) = wrong.first() else {
        return Diagnosis::ok(
            subject,
            format!("{file} is whole and can be read and written"),
        );
    };
    let more = match wrong.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Diagnosis::failed(
        subject,
        format!("{file} is damaged: {first}{more}"),
        format!("stop the monitor, then: ace-connection-logger doctor --salvage {file}"),
    )
}

/// Damaged files that were set aside; `None` if there are none.
pub fn set_aside(database: &Path) -> Option<Diagnosis> {
    // What is within the file is said by the test of the whole.
    let sentences = damage_of(database, None).unwrap_or_default();
    let cure = "salvage it, look for the reason in the log of the kernel, and move it away";
    (!sentences.is_empty()).then(|| Diagnosis::failed("set aside", sentences.join("; "), cure))
}

pub fn disk_space(database: &Path) -> Diagnosis {
    const SUBJECT: &str = "disk space";
    let folder = folder_of(database);
    let free = match sys::free_bytes(folder) {
        Ok(free) => free,
        Err(error) => {
            return Diagnosis::note(SUBJECT, format!("{}: {error}", folder.display()));
        }
    };
    let text = format!("{} MB free in {}", free >> 20, folder.display());
    if free < MIN_FREE_BYTES {
        let cure = "free some space, or set database.path to another disk";
        Diagnosis::failed(SUBJECT, text, cure)
    } else {
        Diagnosis::ok(SUBJECT, text)
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn can_append(file: &Path) -> io::Result<()> {
    fs::OpenOptions::new().append(true).open(file).map(drop)
}

/// SQLite creates its log in the folder of the database.
fn can_create_files(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!(".ace-connection-logger-{}", std::process::id()));
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file)?;
    fs::remove_file(file)
}

fn chown_cure(folder: &Path, file: Option<&Path>) -> String {
    let files = file
        .map(|file| format!(" {}*", file.display()))
        .unwrap_or_default();
    format!(
        "chown USER {}{files}, where USER is the user that the monitor runs as",
        folder.display()
    )
}

/// Whether the clock is synchronised, and not earlier than the newest result.
pub fn clock(database: &Path) -> Diagnosis {
    const SUBJECT: &str = "clock";
    let now = sys::clocks().utc();
    let shown = now.rfc3339();
    let newest = Reader::open_current(database)
        .ok()
        .flatten()
        .and_then(|reader| reader.latest_checks(UtcMillis(i64::MAX)).ok())
        .and_then(|checks| checks.iter().map(|latest| latest.check.checked_at).max());
    match newest {
        _ if now < IMPLAUSIBLE_BEFORE => {
            Diagnosis::failed(SUBJECT, format!("it shows {shown}"), sys::CLOCK_CURE)
        }
        Some(newest) if newest > now => Diagnosis::failed(
            SUBJECT,
            format!(
                "it shows {shown}, but the newest result is from {}",
                newest.rfc3339()
            ),
            sys::CLOCK_CURE,
        ),
        _ if !sys::is_clock_synchronised() => Diagnosis::note(
            SUBJECT,
            format!("{shown}, not synchronised by a time service"),
        )
        .with_cure(sys::CLOCK_CURE),
        _ => Diagnosis::ok(SUBJECT, format!("{shown}, synchronised by a time service")),
    }
}

/// Whether the time zone is known, in which periods, days and the times of an import are read.
pub fn time_zone() -> Diagnosis {
    const SUBJECT: &str = "time zone";
    match sys::unknown_zone() {
        Some(set) => Diagnosis::failed(SUBJECT, unknown_zone(&set), ZONE_CURE),
        None => {
            let now = sys::clocks().utc().0.div_euclid(1000);
            let offset = phrase::offset(sys::utc_offset_at(now));
            let name = sys::zone_name().map_or_else(String::new, |name| format!("{name}, "));
            Diagnosis::ok(SUBJECT, format!("{name}now UTC{offset}"))
        }
    }
}
