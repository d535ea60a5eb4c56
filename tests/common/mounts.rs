//! Mounts that only one thread of the tests sees, and the programs and threads that it starts.

use std::path::Path;
use std::process::Command;

use super::{TempDir, run, skip, sys};

/// Runs something where it can mount file systems, with a folder in memory. `false`, with a
/// message, when that is impossible here.
pub fn with_own_mounts(test: &str, then: impl FnOnce(&Path) + Send) -> bool {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            if let Err(error) = sys::unshare_mounts() {
                skip(test, &format!("cannot have mounts of its own: {error}"));
                return false;
            }
            let folder = TempDir::new();
            // What is mounted here does not appear outside.
            mount(&["--make-rprivate"], Path::new("/"));
            mount(&["-t", "tmpfs", "tmpfs"], folder.path());
            let _mounted = Mounted(folder.path());
            then(folder.path());
            true
        });
        inside
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Unmounted at the end, so that its folder can be removed.
struct Mounted<'f>(&'f Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // What is in use disappears when that ends.
        drop(run(Command::new("umount").arg("-l").arg(self.0)));
    }
}

/// mount(8), which must succeed.
pub fn mount(arguments: &[&str], target: &Path) {
    let mounted = run(Command::new("mount").args(arguments).arg(target));
    assert_eq!(mounted.code, Some(0), "{arguments:?}: {}", mounted.stderr);
}
