//! Starts a program as its unit says, without systemd: reads the unit's directives and applies them
//! with mounts, namespaces, prctl(2) and seccomp(2). The unit is used unchanged: the program is
//! installed at the path of ExecStart= in a separate root, an overlay on this machine's.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::common::sys::{self, Confinement};
use super::common::{TempDir, bin, run};
use super::filter;
use super::unit::Unit;

/// How the tests apply each directive of the units. A directive that is in neither list fails a
/// test.
const APPLIED: &[(&str, &str)] = &[
    (
        "Type",
        "NOTIFY_SOCKET is set; the test receives the messages",
    ),
    ("ExecStart", "executed unchanged"),
    (
        "ExecReload",
        "executed unchanged, with the same restrictions",
    ),
    ("WatchdogSec", "WATCHDOG_USEC is set, to a shorter time"),
    ("User", "a user that this machine does not have"),
    ("Group", "the group of that user"),
    ("StateDirectory", "the only writable folder"),
    ("StateDirectoryMode", "its mode"),
    ("UMask", "umask(2)"),
    ("WorkingDirectory", "chdir(2)"),
    ("AmbientCapabilities", "capset(2), prctl(2)"),
    ("CapabilityBoundingSet", "prctl(2)"),
    ("NoNewPrivileges", "prctl(2)"),
    ("LimitNOFILE", "setrlimit(2)"),
    (
        "TasksMax",
        "setrlimit(2): RLIMIT_NPROC of a user without other tasks",
    ),
    ("ProtectSystem", "mounts"),
    ("ProtectHome", "mounts"),
    ("PrivateTmp", "mounts"),
    ("PrivateDevices", "mounts"),
    ("PrivateMounts", "mounts"),
    ("ProtectProc", "mounts"),
    ("ProcSubset", "mounts"),
    ("ProtectKernelTunables", "mounts"),
    ("ProtectControlGroups", "mounts: /sys without cgroup"),
    (
        "ProtectKernelModules",
        "mounts, and the filter: @module is not in @system-service",
    ),
    (
        "ProtectKernelLogs",
        "no /proc/kmsg, no /dev/kmsg, and the filter: syslog is not in @system-service",
    ),
    (
        "ProtectClock",
        "the filter: @clock is not in @system-service",
    ),
    (
        "ProtectHostname",
        "a namespace, and the filter: sethostname is not in @system-service",
    ),
    ("PrivateIPC", "a namespace"),
    ("PrivateNetwork", "a namespace"),
    ("RestrictAddressFamilies", "the filter"),
    ("RestrictNamespaces", "the filter"),
    (
        "RestrictRealtime",
        "the filter: sched_setscheduler is in @resources",
    ),
    ("RestrictSUIDSGID", "the filter"),
    ("MemoryDenyWriteExecute", "the filter"),
    ("LockPersonality", "the filter"),
    ("SystemCallArchitectures", "the filter"),
    ("SystemCallFilter", "the filter"),
    (
        "SystemCallErrorNumber",
        "stricter: a forbidden system call kills the process",
    ),
];

/// The directives that the tests do not apply, and why the result is valid without them.
const NOT_APPLIED: &[(&str, &str)] = &[
    ("Restart", "done by systemd"),
    ("RestartSec", "done by systemd"),
    (
        "RestartPreventExitStatus",
        "done by systemd; the tests check the exit status",
    ),
    ("TimeoutStartSec", "done by systemd"),
    ("TimeoutStopSec", "done by systemd"),
    ("Nice", "forbids nothing"),
    ("IOSchedulingClass", "forbids nothing"),
    (
        "DevicePolicy",
        "a BPF program of the control group; the devices that it forbids do not exist",
    ),
    (
        "IPAddressDeny",
        "a BPF program of the control group; the network that it forbids does not exist",
    ),
    ("KeyringMode", "the program makes no system calls for keys"),
    ("RemoveIPC", "the program creates no System V IPC"),
    (
        "PrivateUsers",
        "its UID map has to be written from outside; it only hides the names of other users",
    ),
];

/// Describes for every directive of a unit how it is applied, or why it is not.
pub fn describe_directives(unit: &Unit) -> Result<Vec<String>, String> {
    let mut lines: Vec<String> = Vec::new();
    for key in unit.keys() {
        let find = |list: &[(&str, &str)]| {
            list.iter()
                .find(|(name, _)| *name == key)
                .map(|(_, how)| how.to_string())
        };
        let line = match (find(APPLIED), find(NOT_APPLIED)) {
            (Some(how), None) => format!("{key}: {how}"),
            (None, Some(why)) => format!("{key}: NOT APPLIED: {why}"),
            _ => return Err(format!("{key} is not listed in tests/service/confined.rs")),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    Ok(lines)
}

/// A root file system for the services of one user, in the mount namespace of this thread.
pub struct ServiceRoot {
    folder: TempDir,
    uid: u32,
}

/// Paths in the root.
const NOTIFY_SOCKET: &str = "/run/systemd/notify";
const CONFIG: &str = "/etc/ace-connection-logger/config.yaml";
const STATE: &str = "/var/lib/ace-connection-logger";

impl ServiceRoot {
    /// Mounts an overlay on this machine's root and installs `program` and the configuration in it.
    /// Moves this thread into a mount namespace of its own. An error says what the kernel refused.
    pub fn create(program: &Path, config: &str) -> Result<ServiceRoot, String> {
        // Each test has a user of its own, since RLIMIT_NPROC counts all tasks of a user.
        static UID: AtomicU32 = AtomicU32::new(61_200);
        let root = ServiceRoot {
            folder: TempDir::new(),
            uid: UID.fetch_add(1, Ordering::Relaxed),
        };
        sys::unshare_mounts()
            .map_err(|error| format!("cannot create a mount namespace: {error}"))?;
        root.shell(&format!(
            "mount --make-rprivate /
            mount -t tmpfs -o mode=755 none \"$PWD\"
            cd \"$PWD\"
            mkdir upper work root state notify
            mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work none root
            mkdir -p root/usr/bin root/etc/ace-connection-logger root{STATE} root/run/systemd root/run/user root/usr/local/bin root/home
            mkdir -p root/root root/proc root/sys root/dev root/tmp root/var/tmp
            rm -f root/usr/bin/ace-connection-logger
            touch root/usr/bin/ace-connection-logger root{NOTIFY_SOCKET}
            mount --bind '{}' root/usr/bin/ace-connection-logger
            echo 'ace-connection-logger:x:{uid}:{uid}::{STATE}:/usr/sbin/nologin' >>root/etc/passwd
            echo 'ace-connection-logger:x:{uid}:' >>root/etc/group",
            program.display(),
            uid = root.uid,
        ))?;
        root.configure(config);
        Ok(root)
    }

    /// Writes the configuration, with the owner and mode of an installation.
    pub fn configure(&self, config: &str) {
        let path = self.root().join(&CONFIG[1..]);
        fs::write(&path, config).expect("the overlay is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        chown(&path, Some(0), Some(self.uid)).expect("we are root");
    }

    /// Installs a script as /usr/local/bin/NAME.
    pub fn add_program(&self, name: &str, text: &str) {
        let path = self.root().join("usr/local/bin").join(name);
        fs::write(&path, text).expect("the overlay is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    /// Adds lines to /etc/hosts; musl ignores a last line without a newline.
    pub fn add_names(&self, lines: &str) {
        let path = self.root().join("etc/hosts");
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, format!("{before}\n{lines}")).expect("the overlay is writable");
    }

    /// The path of the database outside the root.
    pub fn database(&self) -> PathBuf {
        self.state().join("connection_logs.db")
    }

    /// The path of the state folder outside the root.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn uid(&self) -> u32 {
        self.uid
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn shell(&self, script: &str) -> Result<(), String> {
        let finished = run(Command::new("sh")
            .args(["-euc", script])
            .current_dir(self.folder.path()));
        if finished.code == Some(0) {
            Ok(())
        } else {
            Err(format!("{}\n{script}", finished.stderr.trim()))
        }
    }

    /// Starts the command that `key` of a unit contains. The process has a mount namespace of its
    /// own, in which the unit's file system directives are applied.
    pub fn start(&self, unit: &Unit, key: &str, main_pid: Option<u32>) -> Service {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed).to_string();
        let socket = self.folder.path().join("notify").join(&number);
        let notify = UnixDatagram::bind(&socket).expect("a new socket");
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("it is ours");
        std::thread::scope(|scope| {
            scope
                .spawn(|| self.start_in_thread(unit, key, main_pid, &number))
                .join()
        })
        .map(|(child, log)| Service {
            child,
            log,
            notify: receive_messages(notify),
        })
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn start_in_thread(
        &self,
        unit: &Unit,
        key: &str,
        main_pid: Option<u32>,
        socket: &str,
    ) -> (Child, PathBuf) {
        sys::unshare_mounts().expect("it succeeded before");
        self.shell(&self.mounts(unit, socket))
            .expect("the unit's mounts succeed");
        let log = self.folder.path().join(format!("log-{socket}"));
        let words: Vec<String> = unit
            .words(key)
            .iter()
            .map(|word| word.to_string())
            .collect();
        let pid = main_pid.map(|pid| pid.to_string()).unwrap_or_default();
        let words: Vec<String> = words
            .into_iter()
            .map(|word| word.replace("$MAINPID", &pid))
            .collect();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(File::create(&log).expect("a log file"));
        command.stderr(File::options().append(true).open(&log).expect("a log file"));
        command.env_clear().env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        command
            .env("USER", unit.value("User"))
            .env("LOGNAME", unit.value("User"))
            .env("HOME", STATE);
        command
            .env("STATE_DIRECTORY", STATE)
            .env("SHELL", "/usr/sbin/nologin");
        if unit.value("Type") == "notify" {
            assert!(unit.value("WatchdogSec").ends_with('s'));
            command
                .env("NOTIFY_SOCKET", NOTIFY_SOCKET)
                .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        }
        sys::confine(&mut command, self.confinement(unit));
        (
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{words:?}: {error}")),
            log,
        )
    }

    fn mounts(&self, unit: &Unit, socket: &str) -> String {
        assert!(unit.is_on("PrivateMounts"));
        assert_eq!(unit.value("ProtectSystem"), "strict");
        let state = format!("/var/lib/{}", unit.value("StateDirectory"));
        let mut proc_options = Vec::new();
        if unit.value("ProcSubset") == "pid" {
            proc_options.push("subset=pid");
        }
        if unit.value("ProtectProc") == "invisible" {
            proc_options.push("hidepid=invisible");
        }
        let mut lines = vec![
            "set -eu".to_string(),
            // /sys shows the network namespace of the process that mounts it.
            "mount -t sysfs -o ro,nosuid,nodev,noexec none root/sys".into(),
            format!(
                "mount -t proc -o nosuid,nodev,noexec,{} none root/proc",
                proc_options.join(",")
            ),
            format!("mount --bind 'notify/{socket}' root{NOTIFY_SOCKET}"),
        ];
        // Only what follows is writable.
        lines.push("mount -o remount,bind,ro root".into());
        for file in ["/usr/bin/ace-connection-logger", NOTIFY_SOCKET] {
            lines.push(format!("mount -o remount,bind,ro root{file}"));
        }
        lines.push(format!(
            "chmod {} state; chown {uid}:{uid} state; mount --bind -o nosuid state root{state}",
            unit.value("StateDirectoryMode"),
            uid = self.uid
        ));
        for folder in ["home", "root", "run/user"]
            .iter()
            .filter(|_| unit.is_on("ProtectHome"))
        {
            lines.push(format!(
                "mount -t tmpfs -o ro,mode=000,nosuid,nodev,noexec none root/{folder}"
            ));
        }
        if unit.is_on("ProtectKernelModules") {
            lines.push("test ! -d root/usr/lib/modules || mount -t tmpfs -o ro,mode=000 none root/usr/lib/modules".into());
        }
        for folder in ["tmp", "var/tmp"]
            .iter()
            .filter(|_| unit.is_on("PrivateTmp"))
        {
            lines.push(format!(
                "mount -t tmpfs -o mode=1777,nosuid,nodev none root/{folder}"
            ));
        }
        assert!(unit.is_on("PrivateDevices"));
        lines.push("mount -t tmpfs -o mode=755,nosuid,noexec none root/dev".into());
        for device in ["null", "zero", "full", "random", "urandom", "tty"] {
            lines.push(format!(
                "touch root/dev/{device}; mount --bind /dev/{device} root/dev/{device}"
            ));
        }
        lines.push("mount -o remount,ro root/dev".into());
        lines.join("\n")
    }

    fn confinement(&self, unit: &Unit) -> Confinement {
        let namespace = |key, flag| if unit.is_on(key) { flag } else { 0 };
        let capabilities = |key| {
            let bit = |name: &&str| match *name {
                "CAP_NET_RAW" => 1u64 << 13,
                other => panic!("the number of {other} is not known to the test"),
            };
            unit.words(key)
                .iter()
                .map(bit)
                .fold(0, |all, bit| all | bit)
        };
        // Without the directive the bounding set is full, which no unit may have.
        assert!(unit.keys().any(|key| key == "CapabilityBoundingSet"));
        Confinement {
            root: CString::new(self.root().into_os_string().into_encoded_bytes()).expect("a path"),
            folder: CString::new(unit.value("WorkingDirectory")).expect("a path"),
            uid: self.uid,
            gid: self.uid,
            umask: unit.mode("UMask"),
            namespaces: namespace("PrivateIPC", libc::CLONE_NEWIPC)
                | namespace("ProtectHostname", libc::CLONE_NEWUTS)
                | namespace("PrivateNetwork", libc::CLONE_NEWNET),
            ambient: capabilities("AmbientCapabilities"),
            bounding: capabilities("CapabilityBoundingSet"),
            no_new_privileges: unit.is_on("NoNewPrivileges"),
            files: unit.number("LimitNOFILE"),
            tasks: unit.number("TasksMax"),
            filter: filter::of(unit).unwrap_or_else(|reason| panic!("{reason}")),
        }
    }
}

impl Drop for ServiceRoot {
    fn drop(&mut self) {
        // Otherwise removing the folder would walk through all files of this machine, which the
        // overlay shows.
        drop(self.shell("umount -lR root; umount -l \"$PWD\""));
    }
}

/// Much longer than anything in these tests takes.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Shorter than the units' WatchdogSec=, so that the test does not wait for a minute.
const WATCHDOG: Duration = Duration::from_millis(500);

/// A running service.
pub struct Service {
    child: Child,
    log: PathBuf,
    notify: Receiver<String>,
}

/// Receives the service's messages in a thread, since the kernel queues only ten.
fn receive_messages(socket: UnixDatagram) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    socket.set_read_timeout(Some(MAX_WAIT)).expect("a time-out");
    std::thread::spawn(move || {
        let mut bytes = [0; 500];
        while let Ok(length) = socket.recv(&mut bytes) {
            if sender
                .send(String::from_utf8_lossy(&bytes[..length]).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    receiver
}

impl Service {
    /// The next message to the service manager.
    pub fn next_message(&self) -> String {
        let received = self.notify.recv_timeout(MAX_WAIT);
        received.unwrap_or_else(|error| {
            panic!(
                "no message to the service manager: {error}; the log:\n{}",
                self.log()
            )
        })
    }

    /// The next message that is not a keep-alive.
    pub fn next_state_change(&self) -> String {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            let message = self.next_message();
            if message != "WATCHDOG=1" {
                return message;
            }
            assert!(
                Instant::now() < deadline,
                "only keep-alive messages; the log:\n{}",
                self.log()
            );
        }
    }

    /// Its standard output and standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log file")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A field of /proc/PID/status.
    pub fn status(&self, name: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{name}: {status}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    pub fn wait_for(&mut self, what: &str, mut is_true: impl FnMut() -> bool) {
        let deadline = Instant::now() + MAX_WAIT;
        while !is_true() {
            let ended = self.child.try_wait().expect("it is our child");
            assert!(
                ended.is_none(),
                "{what}: it has exited, {ended:?}; the log:\n{}",
                self.log()
            );
            assert!(
                Instant::now() < deadline,
                "{what}: not within {MAX_WAIT:?}; the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it exits. Signal 31 (SIGSYS) means a system call that the unit does not allow.
    pub fn wait(&mut self) -> String {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.to_string();
            }
            assert!(
                Instant::now() < deadline,
                "it does not exit; the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops it as systemd does.
    pub fn stop(&mut self) -> String {
        let sent = Command::new("kill")
            .args(["-s", "TERM", &self.pid().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
        self.wait()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program under test: of this build, or another one, such as a static one, named by
/// ACE_CONNECTION_LOGGER_PROGRAM.
pub fn program() -> PathBuf {
    std::env::var_os("ACE_CONNECTION_LOGGER_PROGRAM")
        .map_or_else(|| bin().to_path_buf(), PathBuf::from)
}
