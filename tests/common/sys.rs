//! System calls that the tests need and the standard library has no words for. All `unsafe` of the tests is here.
#![expect(unsafe_code, reason = "this file is where the tests' system calls are made")]

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
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

/// Takes the right to open raw sockets from every program this thread starts from now on: capabilities(7),
/// the bounding set.
pub fn forbid_raw_sockets() -> io::Result<()> {
    const CAP_NET_RAW: libc::c_ulong = 13;
    // SAFETY: a system call without pointers.
    check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_NET_RAW, 0, 0, 0) })
}

/// Lets this thread run before all ordinary ones, so that a busy machine does not change what it measures.
pub fn run_before_others() -> io::Result<()> {
    let priority = libc::sched_param { sched_priority: 10 };
    // SAFETY: the pointer is to a whole sched_param; 0 is the calling thread.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) })
}

/// Makes a TUN device in this thread's network: what is routed to it can be read as bare IP packets, what is written
/// to it has arrived. It vanishes with the file. Reading does not wait.
pub fn open_tun(name: &str) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    // SAFETY: zeroes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).expect("two small flags");
    // SAFETY: the pointer is to a whole ifreq whose name ends with a zero byte.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw const request) })?;
    Ok(file)
}

/// Waits until one of the two can be read or was closed at its other end, at most `longest`, for ever when it is
/// `None`. Says for each whether it is so.
pub fn wait_readable(files: [BorrowedFd<'_>; 2], longest: Option<Duration>) -> io::Result<[bool; 2]> {
    let mut entries = files.map(|file| libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    let timeout = longest.map(|longest| libc::timespec {
        tv_sec: libc::time_t::try_from(longest.as_secs()).unwrap_or(libc::time_t::MAX),
        // Below a thousand million, which fits a c_long of any width.
        tv_nsec: longest.subsec_nanos() as _,
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), |timeout| &raw const *timeout);
    // SAFETY: the pointer and the number describe `entries`; the timeout is null or a live timespec; no signal mask.
    match check(unsafe { libc::ppoll(entries.as_mut_ptr(), 2, timeout, std::ptr::null()) }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        Err(_) => Ok([false; 2]),
        Ok(()) => Ok(entries.map(|entry| entry.revents != 0)),
    }
}
