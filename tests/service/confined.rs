//! A program started as its unit says, where no systemd runs: the directives of the unit are read,
//! and what systemd would make of them is made by the kernel's own means. Nothing of the unit is
//! changed: the program lies where ExecStart= says, below a root of the test's own, which is this
//! machine's with a layer above it.

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

/// What the tests make of a directive, for every one that is in a unit. One that is not listed here
/// fails them: whoever adds it decides how it is tried.
const MADE: &[(&str, &str)] = &[
    (
        "Type",
        "NOTIFY_SOCKET is given; the test hears what is said",
    ),
    ("ExecStart", "run as it is"),
    ("ExecReload", "run as it is, confined likewise"),
    ("WatchdogSec", "WATCHDOG_USEC is given, of a shorter time"),
    ("User", "a user whom this machine does not have"),
    ("Group", "likewise"),
    ("StateDirectory", "the one folder that can be written"),
    ("StateDirectoryMode", "its mode"),
    ("UMask", "umask(2)"),
    ("WorkingDirectory", "chdir(2)"),
    ("AmbientCapabilities", "capset(2), prctl(2)"),
    ("CapabilityBoundingSet", "prctl(2)"),
    ("NoNewPrivileges", "prctl(2)"),
    ("LimitNOFILE", "setrlimit(2)"),
    (
        "TasksMax",
        "setrlimit(2): RLIMIT_NPROC of a user who has no other tasks",
    ),
    ("ProtectSystem", "mounts"),
    ("ProtectHome", "mounts"),
    ("PrivateTmp", "mounts"),
    ("PrivateDevices", "mounts"),
    ("PrivateMounts", "mounts"),
    ("ProtectProc", "mounts"),
    ("ProcSubset", "mounts"),
    ("ProtectKernelTunables", "mounts"),
    (
        "ProtectControlGroups",
        "mounts: /sys without the folder of control groups",
    ),
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
        "more strictly: what the unit does not allow kills",
    ),
];

/// What is not made, and why it takes nothing away from what is tried.
const NOT_MADE: &[(&str, &str)] = &[
    ("Restart", "systemd's own doing"),
    ("RestartSec", "systemd's own doing"),
    (
        "RestartPreventExitStatus",
        "systemd's own doing; the exit status is looked at",
    ),
    ("TimeoutStartSec", "systemd's own doing"),
    ("TimeoutStopSec", "systemd's own doing"),
    ("Nice", "nothing is forbidden by it"),
    ("IOSchedulingClass", "nothing is forbidden by it"),
    (
        "DevicePolicy",
        "a program of control groups; the devices that it forbids are not there",
    ),
    (
        "IPAddressDeny",
        "a program of control groups; the network that it forbids is not there",
    ),
    ("KeyringMode", "no system call for keys is made at all"),
    ("RemoveIPC", "what is left behind; nothing is made"),
    (
        "PrivateUsers",
        "its map must be written from outside; it hides the names of other users, for which nobody asks",
    ),
];

/// Says for every directive of a unit whether and how it is tried here.
pub fn account(unit: &Unit) -> Result<Vec<String>, String> {
    let mut lines: Vec<String> = Vec::new();
    for key in unit.keys() {
        let find = |list: &[(&str, &str)]| {
            list.iter()
                .find(|(name, _)| *name == key)
                .map(|(_, how)| how.to_string())
        };
        let line = match (find(MADE), find(NOT_MADE)) {
            (Some(how), None) => format!("{key}: {how}"),
            (None, Some(why)) => format!("{key}: NOT TRIED: {why}"),
            _ => return Err(format!("{key} is not listed in tests/service/confined.rs")),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    Ok(lines)
}

/// A root for services of one user, in the mounts of this thread.
pub struct House {
    folder: TempDir,
    uid: u32,
}

/// Where in the root the manager's socket is.
const NOTIFY_SOCKET: &str = "/run/systemd/notify";
const CONFIG: &str = "/etc/ace-connection-logger/config.yaml";
const STATE: &str = "/var/lib/ace-connection-logger";

impl House {
    /// Builds it: this machine below, on top the program at `program` and what an installation
    /// brings. This thread gets mounts of its own. Fails with the reason where the kernel does not
    /// do it.
    pub fn build(program: &Path, config: &str) -> Result<House, String> {
        // Each test has its own: the kernel counts the tasks of a user together.
        static UID: AtomicU32 = AtomicU32::new(61_200);
        let house = House {
            folder: TempDir::new(),
            uid: UID.fetch_add(1, Ordering::Relaxed),
        };
        sys::unshare_mounts().map_err(|error| format!("cannot make a mount namespace: {error}"))?;
        house.shell(&format!(
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
            uid = house.uid,
        ))?;
        house.configure(config);
        Ok(house)
    }

    /// Writes the configuration as an installation has it: for root to write and for the service's
    /// group to read.
    pub fn configure(&self, config: &str) {
        let path = self.root().join(&CONFIG[1..]);
        fs::write(&path, config).expect("the layer is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        chown(&path, Some(0), Some(self.uid)).expect("we are root");
    }

    /// Puts a program into /usr/local/bin.
    pub fn add_program(&self, name: &str, text: &str) {
        let path = self.root().join("usr/local/bin").join(name);
        fs::write(&path, text).expect("the layer is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    /// Adds lines to /etc/hosts; each must end, or musl does not see it.
    pub fn add_names(&self, lines: &str) {
        let path = self.root().join("etc/hosts");
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, format!("{before}\n{lines}")).expect("the layer is ours");
    }

    /// The database, as root sees it.
    pub fn database(&self) -> PathBuf {
        self.state().join("connection_logs.db")
    }

    /// The folder of the state.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The user of its services.
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

    /// Starts a service, its words those of `key` in its unit. What a unit says of the file system
    /// is mounted for each anew, on a view of the mounts that only its process has.
    pub fn start(&self, unit: &Unit, key: &str, main_pid: Option<u32>) -> Service {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed).to_string();
        let socket = self.folder.path().join("notify").join(&number);
        let notify = UnixDatagram::bind(&socket).expect("a new socket");
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("it is ours");
        std::thread::scope(|scope| {
            scope
                .spawn(|| self.start_here(unit, key, main_pid, &number))
                .join()
        })
        .map(|(child, log)| Service {
            child,
            log,
            notify: listen(notify),
        })
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn start_here(
        &self,
        unit: &Unit,
        key: &str,
        main_pid: Option<u32>,
        socket: &str,
    ) -> (Child, PathBuf) {
        sys::unshare_mounts().expect("it worked before");
        self.shell(&self.mounts(unit, socket))
            .expect("the mounts of the unit");
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
            // What this machine's /sys shows depends on the network of whoever mounts it.
            "mount -t sysfs -o ro,nosuid,nodev,noexec none root/sys".into(),
            format!(
                "mount -t proc -o nosuid,nodev,noexec,{} none root/proc",
                proc_options.join(",")
            ),
            format!("mount --bind 'notify/{socket}' root{NOTIFY_SOCKET}"),
        ];
        // Nothing above the layer is left to be written but what follows.
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
        // An unset bounding set is a full one, and that no unit may have.
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

impl Drop for House {
    fn drop(&mut self) {
        // Or else the folder's removal would go through all of this machine's files as the layer
        // shows them.
        drop(self.shell("umount -lR root; umount -l \"$PWD\""));
    }
}

/// Far more than anything of these tests takes.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// The time that the units give is too long to wait for here.
const WATCHDOG: Duration = Duration::from_millis(500);

/// A running service.
pub struct Service {
    child: Child,
    log: PathBuf,
    notify: Receiver<String>,
}

/// Reads all the time, as the manager does: the kernel keeps ten messages, and the next is lost.
fn listen(socket: UnixDatagram) -> Receiver<String> {
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
    /// The next message to the manager.
    pub fn hear(&self) -> String {
        let heard = self.notify.recv_timeout(MAX_WAIT);
        heard.unwrap_or_else(|error| {
            panic!(
                "the manager hears nothing: {error}; the log:\n{}",
                self.log()
            )
        })
    }

    /// The next message that is no sign of life.
    pub fn hear_news(&self) -> String {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            let message = self.hear();
            if message != "WATCHDOG=1" {
                return message;
            }
            assert!(
                Instant::now() < deadline,
                "nothing but signs of life; the log:\n{}",
                self.log()
            );
        }
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log file")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line of /proc/PID/status.
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

    /// Waits for something to become true.
    pub fn wait_for(&mut self, what: &str, mut is_true: impl FnMut() -> bool) {
        let deadline = Instant::now() + MAX_WAIT;
        while !is_true() {
            let ended = self.child.try_wait().expect("it is our child");
            assert!(
                ended.is_none(),
                "{what}: it has ended, {ended:?}; the log:\n{}",
                self.log()
            );
            assert!(
                Instant::now() < deadline,
                "{what} did not come about; the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end. Where a system call was made that the unit does not allow, the signal is
    /// SIGSYS (31).
    pub fn end(&mut self) -> String {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.to_string();
            }
            assert!(
                Instant::now() < deadline,
                "it does not end; the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it as systemd does.
    pub fn stop(&mut self) -> String {
        let sent = Command::new("kill")
            .args(["-s", "TERM", &self.pid().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
        self.end()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program that the tests confine: this build's, or the one that ACE_CONNECTION_LOGGER_PROGRAM
/// names, such as a static one.
pub fn program() -> PathBuf {
    std::env::var_os("ACE_CONNECTION_LOGGER_PROGRAM")
        .map_or_else(|| bin().to_path_buf(), PathBuf::from)
}
