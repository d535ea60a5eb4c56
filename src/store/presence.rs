//! Whether a monitor runs. It holds a lock on a file beside the database, which the kernel releases
//! when its process ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::file::with_suffix;

const SUFFIX: &str = "-monitor";

/// The lock of a running monitor, flock(2). It is shared, so that several monitors can hold it.
#[derive(Debug)]
pub struct MonitorLock {
    path: PathBuf,
    _file: File,
}

impl MonitorLock {
    /// `None` where the file cannot be created or locked. Then only the time of a monitor's last
    /// activity shows whether it runs.
    pub fn hold(database: &Path) -> Option<MonitorLock> {
        let path = with_suffix(database, SUFFIX);
        let opened = File::options().create(true).append(true).open(&path);
        let held = opened.and_then(|file| file.lock_shared().map(|()| file));
        match held {
            Ok(file) => Some(MonitorLock { path, _file: file }),
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
        drop(std::fs::remove_file(&self.path));
    }
}

/// Whether a monitor holds the lock; `None` where that is not known.
pub(super) fn is_held(database: &Path) -> Option<bool> {
    let file = File::open(with_suffix(database, SUFFIX)).ok()?;
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
        // Its file is gone, so nothing is known of the other monitor.
        assert_eq!(is_held(&database), None);
        drop(another);
        // As a monitor that was killed leaves it.
        let path = with_suffix(&database, SUFFIX);
        File::create(&path).expect("a file");
        assert_eq!(is_held(&database), Some(false));
        drop(MonitorLock::hold(&database));
        assert!(!path.exists());
    }
}
