//! Whole files: copies and exports get their name only when they are complete.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::connection::{open_any_to_read, prepare};
use super::error::StoreError;
use super::file::{literal, literal_text, with_suffix};
use crate::sys;

/// The name of a copy until it is complete.
pub fn partial_copy(to: &Path) -> PathBuf {
    with_suffix(to, ".part")
}

/// Writes a consistent and complete copy of a connection's database, or none.
pub fn copy_database(connection: &Connection, path: &Path, to: &Path) -> Result<(), StoreError> {
    copy_and(connection, path, to, |_| Ok(true))
}

/// `finish` changes the copy before it gets its name, and says whether it is of one moment.
fn copy_and(
    connection: &Connection,
    path: &Path,
    to: &Path,
    finish: impl FnOnce(&Path) -> rusqlite::Result<bool>,
) -> Result<(), StoreError> {
    write_whole(to, path, |partial| {
        let vacuum = connection.execute(
            "vacuum into ?1",
            [literal_text(literal(partial).as_os_str())],
        );
        let is_whole =
            vacuum
                .and_then(|_| finish(partial))
                .map_err(|cause| StoreError::Sqlite {
                    operation: "copying database",
                    path: path.to_path_buf(),
                    cause,
                })?;
        if is_whole {
            Ok(())
        } else {
            Err(StoreError::Changed {
                path: path.to_path_buf(),
            })
        }
    })
}

/// Writes a database file next to `to` and renames it when it is complete. `to` must not exist. What
/// it is a copy of is at `from`: nobody else can read the copy, nor its beginning.
pub fn write_whole<T>(
    to: &Path,
    from: &Path,
    write: impl FnOnce(&Path) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let partial = partial_copy(to);
    let result = (|| {
        let file = |operation| {
            move |cause| StoreError::File {
                operation,
                path: to.to_path_buf(),
                cause,
            }
        };
        // Left by a copy that was interrupted.
        remove_partial(&partial)
            .and_then(|()| sys::create_like(&partial, fs::metadata(from).ok().as_ref()))
            .map_err(file("writing a copy to"))?;
        let written = write(&partial).map_err(|error| error.of_copy(&partial, to))?;
        fs::File::open(&partial)
            .and_then(|file| file.sync_all())
            .map_err(file("writing a copy to"))?;
        match give_name(&partial, to).and_then(|()| sys::sync_folder_of(to)) {
            Err(error) if is_taken(&error) => {
                return Err(StoreError::Exists {
                    path: to.to_path_buf(),
                });
            }
            other => other.map_err(file("writing a copy to"))?,
        }
        Ok(written)
    })();
    if result.is_err() {
        let _ = remove_partial(&partial);
    }
    result
}

/// Gives a complete copy its name, unless that is taken, where rename(2) would overwrite it.
fn give_name(partial: &Path, to: &Path) -> io::Result<()> {
    match sys::rename_new(partial, to) {
        Err(error) if !is_taken(&error) => {}
        other => return other,
    }
    // The kernel or the file system cannot do that at once.
    match fs::hard_link(partial, to) {
        Ok(()) => fs::remove_file(partial),
        Err(error) if is_taken(&error) => Err(error),
        // Without links, as on many USB sticks.
        Err(_) => fs::rename(partial, to),
    }
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AlreadyExists
}

/// Removes an unfinished copy and its journal.
fn remove_partial(partial: &Path) -> io::Result<()> {
    for file in [partial, &with_suffix(partial, "-journal")] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Writes a consistent copy of a database, which may be in use, to a file that must not
/// exist.
pub fn backup(path: &Path, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        return Err(StoreError::Exists {
            path: to.to_path_buf(),
        });
    }
    let failed = |cause| StoreError::Sqlite {
        operation: "opening database",
        path: path.to_path_buf(),
        cause,
    };
    let (connection, frozen) = open_any_to_read(path, true).map_err(failed)?;
    copy_and(&connection, path, to, |copy| {
        note_copy(copy)?;
        Ok(frozen.is_none_or(|files| files.is_unchanged()))
    })
}

/// Notes in a copy that the run which is going on goes on elsewhere: when the copy is restored, the
/// time after it is not one without power.
fn note_copy(copy: &Path) -> rusqlite::Result<()> {
    const NOTE: &str = "update monitor_run set copied_at = alive_at where stopped_at is null
                           and id = (select max(id) from monitor_run)";
    let connection = Connection::open(literal(copy))?;
    prepare(&connection)?;
    connection.pragma_update(None, "journal_mode", "off")?;
    match connection.execute(NOTE, []) {
        // A file of an older version has no such column.
        Err(rusqlite::Error::SqliteFailure(..) | rusqlite::Error::SqlInputError { .. }) | Ok(_) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_copy_is_private_from_its_first_byte() {
        let name = format!("ace-connection-logger-copy-{}", std::process::id());
        let from = std::env::temp_dir().join(&name);
        let to = with_suffix(&from, ".copy");
        fs::write(&from, "").expect("a file");
        fs::set_permissions(&from, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let mode = |path: &Path| fs::metadata(path).expect("it exists").mode() & 0o777;
        let copied = write_whole(&to, &from, |partial| Ok(mode(partial)));
        assert_eq!(copied.expect("a copy"), 0o600);
        assert_eq!(mode(&to), 0o600);
        for path in [from, to] {
            fs::remove_file(path).expect("it is ours");
        }
    }
}
