//! System calls that the tests need and the standard library has no words for. All `unsafe` of the
//! tests is here.
#![expect(
    unsafe_code,
    reason = "this file is where the tests' system calls are made"
)]

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Moves this thread, and what it starts from now on, into an empty network of its own: unshare(2).
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: a system call without pointers.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) })
}

/// Gives this thread, and what it starts from now on, a view of the mounts of its own.
pub fn unshare_mounts() -> io::Result<()> {
    // SAFETY: a system call without pointers.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })
}

/// The group this process acts as.
pub fn effective_group() -> u32 {
    // SAFETY: a system call without pointers that cannot fail.
    unsafe { libc::getegid() }
}

/// The user this process acts as.
pub fn effective_user() -> u32 {
    // SAFETY: a system call without pointers that cannot fail.
    unsafe { libc::geteuid() }
}

/// Takes the right to open raw sockets from every program this thread starts from now on:
/// capabilities(7), the bounding set.
pub fn forbid_raw_sockets() -> io::Result<()> {
    const CAP_NET_RAW: libc::c_ulong = 13;
    // SAFETY: a system call without pointers.
    check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_NET_RAW, 0, 0, 0) })
}

/// Lets this thread run before all ordinary ones, so that a busy machine does not change what it
/// measures.
pub fn run_before_others() -> io::Result<()> {
    let priority = libc::sched_param { sched_priority: 10 };
    // SAFETY: the pointer is to a whole sched_param; 0 is the calling thread.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) })
}

/// Makes a TUN device in this thread's network: what is routed to it can be read as bare IP
/// packets, what is written to it has arrived. It vanishes with the file. Reading does not wait.
pub fn open_tun(name: &str) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: zeroes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).expect("two small flags");
    // SAFETY: the pointer is to a whole ifreq whose name ends with a zero byte.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw const request) })?;
    Ok(file)
}

/// Waits until one of the two can be read or was closed at its other end, at most `longest`, for
/// ever when it is `None`. Says for each whether it is so.
pub fn wait_readable(
    files: [BorrowedFd<'_>; 2],
    longest: Option<Duration>,
) -> io::Result<[bool; 2]> {
    let mut entries = files.map(|file| libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    let timeout = longest.map(|longest| libc::timespec {
        tv_sec: libc::time_t::try_from(longest.as_secs()).unwrap_or(libc::time_t::MAX),
        // Below a thousand million, which fits a c_long of any width.
        tv_nsec: longest.subsec_nanos() as _,
    });
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), |timeout| &raw const *timeout);
    // SAFETY: the pointer and the number describe `entries`; the timeout is null or a live
    // timespec; no signal mask.
    match check(unsafe { libc::ppoll(entries.as_mut_ptr(), 2, timeout, std::ptr::null()) }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        Err(_) => Ok([false; 2]),
        Ok(()) => Ok(entries.map(|entry| entry.revents != 0)),
    }
}

/// What a service manager takes from a program before it starts it.
#[derive(Debug)]
pub struct Confinement {
    /// What it sees as `/`, and where it starts therein.
    pub root: CString,
    pub folder: CString,
    /// Its user and its only group.
    pub uid: u32,
    pub gid: u32,
    pub umask: u32,
    /// Namespaces of its own, CLONE_NEW*.
    pub namespaces: libc::c_int,
    /// Capabilities as sets of bits: what it has, and what it can ever get.
    pub ambient: u64,
    pub bounding: u64,
    pub no_new_privileges: bool,
    /// How many files it may have open, and how many tasks its user may have.
    pub files: u64,
    pub tasks: u64,
    /// Which system calls it may make: seccomp(2).
    pub filter: Vec<libc::sock_filter>,
}

/// Has a program start with no more than `confinement` leaves it. Nobody less than root can do
/// this.
pub fn confine(command: &mut Command, confinement: Confinement) {
    // SAFETY: between fork and exec only system calls are made, with pointers into `confinement`,
    // which was made before and lives in the closure.
    unsafe {
        command.pre_exec(move || apply(&confinement));
    }
}

/// In the order in which systemd does it: each step takes what the ones before needed.
fn apply(to: &Confinement) -> io::Result<()> {
    const LAST_CAPABILITY: libc::c_ulong = 63;
    const VERSION_3: u32 = 0x2008_0522;
    let [files, tasks] = [to.files, to.tasks].map(|limit| libc::rlimit {
        rlim_cur: limit as _,
        rlim_max: limit as _,
    });
    let no_new_privileges = libc::c_ulong::from(to.no_new_privileges);
    let [low, high] = [to.ambient & u64::from(u32::MAX), to.ambient >> 32];
    let halves = [low, high].map(|half| [u32::try_from(half).expect("half of 64 bits"); 3]);
    let program = libc::sock_fprog {
        len: libc::c_ushort::try_from(to.filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: to.filter.as_ptr().cast_mut(),
    };
    // SAFETY: pointers are to live values of the types that the calls read; strings end with a zero
    // byte. In `halves` lie effective, permitted and inheritable bits, the lower words first, as
    // capset(2) wants them.
    unsafe {
        check(libc::unshare(to.namespaces))?;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files))?;
        check(libc::setrlimit(libc::RLIMIT_NPROC, &raw const tasks))?;
        libc::umask(to.umask as _);
        check(libc::chroot(to.root.as_ptr()))?;
        check(libc::chdir(to.folder.as_ptr()))?;
        for capability in (0..=LAST_CAPABILITY).filter(|bit| to.bounding >> bit & 1 == 0) {
            // The kernel knows fewer, and refuses the others.
            libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
        check(libc::prctl(
            libc::PR_SET_KEEPCAPS,
            1 as libc::c_ulong,
            0,
            0,
            0,
        ))?;
        check(libc::setgroups(0, std::ptr::null()))?;
        check(libc::setresgid(to.gid, to.gid, to.gid))?;
        check(libc::setresuid(to.uid, to.uid, to.uid))?;
        let header = [VERSION_3, 0];
        if libc::syscall(libc::SYS_capset, header.as_ptr(), halves.as_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        for capability in (0..=LAST_CAPABILITY).filter(|bit| to.ambient >> bit & 1 == 1) {
            check(libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_RAISE,
                capability,
                0,
                0,
            ))?;
        }
        check(libc::prctl(
            libc::PR_SET_NO_NEW_PRIVS,
            no_new_privileges,
            0,
            0,
            0,
        ))?;
        check(libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
            0,
            0,
        ))
    }
}
