//! Whether a monitor runs. It holds a lock on a file beside the database, which the kernel releases
//! when its process ends, however it ends.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::file::{linked_to, with_suffix};
use crate::sys;

const SUFFIX: &str = "-monitor";

/// A run without a recorded stop counts as ended after this time without activity.
pub const SILENT_RUN_MS: i64 = 180_000;

/// The lock of a running monitor, flock(2). It is shared, so that several monitors can hold it.
#[derive(Debug)]
pub struct MonitorLock {
    path: PathBuf,
    file: File,
}

impl MonitorLock {
    /// `None` where the file cannot be created or locked. Then only the time of a monitor's last
    /// activity shows whether it runs.
    pub fn hold(database: &Path) -> Option<MonitorLock> {
        let path = lock_of(database);
        match lock_shared(
            &path,
            sys::mode_like(std::fs::metadata(database).ok().as_ref()),
        ) {
            Ok(file) => Some(MonitorLock { path, file }),
            Err(error) => {
                log::debug!("{}: {error}", path.display());
                // An unlocked file would say that no monitor runs.
                drop(std::fs::remove_file(&path));
                None
            }
        }
    }
}

impl Drop for MonitorLock {
    fn drop(&mut self) {
        // Another monitor still needs the file: the last one removes it.
        if self.file.try_lock().is_ok() {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Beside the database itself, where a symbolic link leads to it: so does SQLite's log.
fn lock_of(database: &Path) -> PathBuf {
    with_suffix(&linked_to(database), SUFFIX)
}

/// Whoever can open the file can lock it, so that is not more than can read the database.
fn lock_shared(path: &Path, mode: u32) -> io::Result<File> {
    loop {
        let file = File::options()
            .create(true)
            .append(true)
            .mode(mode)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)?;
        file.lock_shared()?;
        // A monitor that stopped meanwhile has removed the file that was opened.
        let opened = file.metadata()?;
        let is_there = |there: Metadata| (there.dev(), there.ino()) == (opened.dev(), opened.ino());
        if std::fs::metadata(path).is_ok_and(is_there) {
            return Ok(file);
        }
    }
}

/// Whether a monitor holds the lock; `None` where that is not known.
pub(super) fn is_held(database: &Path) -> Option<bool> {
    let file = File::open(lock_of(database)).ok()?;
    match file.try_lock() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_held_until_the_last_monitor_drops_it_and_unknown_without_its_file() {
        let name = format!("ace-connection-logger-lock-{}", std::process::id());
        let database = std::env::temp_dir().join(name);
        assert_eq!(is_held(&database), None);
        let [one, another] = [(); 2].map(|()| MonitorLock::hold(&database).expect("a lock"));
        assert_eq!(is_held(&database), Some(true));
        drop(one);
        assert_eq!(is_held(&database), Some(true));
        drop(another);
        assert_eq!(is_held(&database), None);
        // As a monitor that was killed leaves it.
        let path = with_suffix(&database, SUFFIX);
        File::create(&path).expect("a file");
        assert_eq!(is_held(&database), Some(false));
        drop(MonitorLock::hold(&database));
        assert!(!path.exists());
    }
}
