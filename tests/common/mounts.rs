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

/// Has this thread, and what it starts later, ask one name server alone, and no file, about names.
pub fn resolve_by(name_server: &str) {
    sys::unshare_mounts().expect("permitted");
    let files = TempDir::new();
    for (name, text) in [
        ("resolv.conf", format!("nameserver {name_server}\n")),
        ("nsswitch.conf", "hosts: dns\n".to_string()),
    ] {
        let from = files.write(name, &text);
        // Private first, or the mount would be visible outside.
        let script = "mount --make-rprivate / && exec mount --bind \"$0\" /etc/\"$1\"";
        let mounted = run(Command::new("sh").args(["-c", script]).arg(from).arg(name));
        assert_eq!(mounted.code, Some(0), "{mounted:?}");
    }
}
