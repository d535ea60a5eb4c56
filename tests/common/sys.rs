//! System calls of the tests that the standard library lacks. All `unsafe` code of the tests is
//! here.
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

/// Moves this thread, and what it starts later, into a new empty network namespace: unshare(2).
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: a system call without pointers.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) })
}

/// Moves this thread, and what it starts later, into the network namespace of a file: setns(2).
pub fn enter_network(namespace: &File) -> io::Result<()> {
    // SAFETY: a system call without pointers.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })
}

/// Moves this thread, and what it starts later, into a new mount namespace.
pub fn unshare_mounts() -> io::Result<()> {
    // SAFETY: a system call without pointers.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })
}

pub fn effective_group() -> u32 {
    // SAFETY: a system call without pointers that cannot fail.
    unsafe { libc::getegid() }
}

pub fn effective_user() -> u32 {
    // SAFETY: a system call without pointers that cannot fail.
    unsafe { libc::geteuid() }
}

/// Removes CAP_NET_RAW from the bounding set of every program that this thread starts later:
/// capabilities(7).
pub fn forbid_raw_sockets() -> io::Result<()> {
    const CAP_NET_RAW: libc::c_ulong = 13;
    // SAFETY: a system call without pointers.
    check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_NET_RAW, 0, 0, 0) })
}

/// Gives this thread real-time priority, so that a busy machine does not change what it measures.
pub fn run_before_others() -> io::Result<()> {
    // SAFETY: zeroes are a valid sched_param, which has reserved fields in some C libraries.
    let mut priority: libc::sched_param = unsafe { mem::zeroed() };
    priority.sched_priority = 10;
    // SAFETY: the pointer is to a whole sched_param; 0 is the calling thread.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) })
}

/// Creates a TUN device in this thread's namespace: packets routed to it can be read, packets
/// written to it arrive. It disappears with the file. Reading does not block.
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

/// Waits until one of the two is readable or closed at its other end, for at most `longest` or
/// without limit. Returns for each whether it is.
pub fn wait_readable(
    files: [BorrowedFd<'_>; 2],
    longest: Option<Duration>,
) -> io::Result<[bool; 2]> {
    let mut entries = files.map(|file| libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    let timeout = longest.map(|longest| {
        // SAFETY: zeroes are a valid timespec, which has padding on some machines.
        let mut timeout: libc::timespec = unsafe { mem::zeroed() };
        timeout.tv_sec = longest.as_secs().min(i32::MAX.unsigned_abs().into()) as _;
        // Below a thousand million, which fits a c_long of any width.
        timeout.tv_nsec = longest.subsec_nanos() as _;
        timeout
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

/// What a service manager restricts before it starts a program.
#[derive(Debug)]
pub struct Confinement {
    /// Its `/`, and its working directory below that.
    pub root: CString,
    pub folder: CString,
    /// Its user and its only group.
    pub uid: u32,
    pub gid: u32,
    pub umask: u32,
    /// Its new namespaces, CLONE_NEW*.
    pub namespaces: libc::c_int,
    /// Capability sets as bits.
    pub ambient: u64,
    pub bounding: u64,
    pub no_new_privileges: bool,
    /// Limits of open files, and of the tasks of its user.
    pub files: u64,
    pub tasks: u64,
    /// The filter of its system calls: seccomp(2).
    pub filter: Vec<libc::sock_filter>,
}

/// Makes a command start with these restrictions. Needs root.
pub fn confine(command: &mut Command, confinement: Confinement) {
    // SAFETY: between fork and exec only system calls are made, with pointers into `confinement`,
    // which was made before and lives in the closure.
    unsafe {
        command.pre_exec(move || apply(&confinement));
    }
}

/// In the order of systemd: each step removes what the steps before it need.
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
    // capset(2) expects them.
    unsafe {
        check(libc::unshare(to.namespaces))?;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files))?;
        check(libc::setrlimit(libc::RLIMIT_NPROC, &raw const tasks))?;
        libc::umask(to.umask as _);
        check(libc::chroot(to.root.as_ptr()))?;
        check(libc::chdir(to.folder.as_ptr()))?;
        for capability in (0..=LAST_CAPABILITY).filter(|bit| to.bounding >> bit & 1 == 0) {
            // Fails for numbers that this kernel does not know.
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

/// Has the kernel write what it keeps of a file, without its length and without a flush of the
/// disk: sync_file_range(2).
pub fn write_back(file: &File) -> io::Result<()> {
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: a system call without pointers.
    check(unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, flags) })
}

/// Makes a command stop for this thread, its tracer, at its start and before each system call for
/// which `filter` returns SECCOMP_RET_TRACE: ptrace(2), seccomp(2).
pub fn trace(command: &mut Command, filter: Vec<libc::sock_filter>) {
    // SAFETY: between fork and exec only system calls are made, with pointers into `filter`, which
    // was made before and lives in the closure.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog {
                len: libc::c_ushort::try_from(filter.len())
                    .map_err(|_| io::ErrorKind::InvalidInput)?,
                filter: filter.as_ptr().cast_mut(),
            };
            if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != 0 {
                return Err(io::Error::last_os_error());
            }
            check(libc::prctl(
                libc::PR_SET_NO_NEW_PRIVS,
                1 as libc::c_ulong,
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
        });
    }
}

/// Has a traced process, which has just started, stop as [`trace`] says, with its later threads. It
/// is killed when its tracer ends.
pub fn set_trace_options(process: libc::pid_t) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_EXITKILL;
    // SAFETY: a system call without pointers.
    let result = unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, process, 0, options) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Resumes a stopped thread, with a signal unless that is 0; `to_exit` until the system call that
/// it stopped before has returned.
pub fn resume_traced(thread: libc::pid_t, signal: libc::c_int, to_exit: bool) {
    let request = if to_exit {
        libc::PTRACE_SYSCALL
    } else {
        libc::PTRACE_CONT
    };
    // It fails for a thread that was killed meanwhile, whose end is reported.
    // SAFETY: a system call without pointers.
    unsafe { libc::ptrace(request, thread, 0, signal) };
}

/// Waits for the next stop or end of a process or thread that this thread traces: its id and its
/// status as waitpid(2) describes it.
pub fn wait_traced() -> io::Result<(libc::pid_t, libc::c_int)> {
    let mut status = 0;
    // Other threads' processes are theirs.
    let flags = libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: the pointer is to a live c_int.
    let id = unsafe { libc::waitpid(-1, &raw mut status, flags) };
    check(id)?;
    Ok((id, status))
}

/// kill(2).
pub fn send_signal(process: libc::pid_t, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: a system call without pointers.
    check(unsafe { libc::kill(process, signal) })
}
