//! System calls that the standard library and socket2 have no words for. All `unsafe` of the
//! program is here, each with its reason; what a call means is decided elsewhere.
//!
//! This file has what is the same everywhere. What is not is in linux.rs, and for macOS and FreeBSD
//! in bsd.rs: both have the same names, and nothing else in the program asks which it is.
#![expect(unsafe_code, reason = "this folder is where system calls are made")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "the kernel's types are given sizes and constants that fit them"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use libc::c_int;

#[cfg(not(target_os = "linux"))]
#[path = "bsd.rs"]
mod system;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;

#[cfg(any(test, not(target_os = "linux")))]
mod route_messages;
#[cfg(any(test, target_os = "linux"))]
mod route_text;

pub use system::*;

use crate::pure::time::{ClockSample, Monotonic};

/// Turns the -1 of a system call into the error it left behind.
fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

// -- clocks
// ---------------------------------------------------------------------------------------------------------

fn clock_ns(clock: libc::clockid_t) -> i64 {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` is a valid timespec for the call to write to. The clocks named below exist since
    // Linux 2.6.39.
    unsafe { libc::clock_gettime(clock, &raw mut at) };
    timespec_ns(&at)
}

#[allow(
    clippy::useless_conversion,
    reason = "time_t and c_long are 32 bits wide on some machines"
)]
fn timespec_ns(at: &libc::timespec) -> i64 {
    i64::from(at.tv_sec)
        .saturating_mul(1_000_000_000)
        .saturating_add(i64::from(at.tv_nsec))
}

/// `CLOCK_MONOTONIC`.
pub fn monotonic() -> Monotonic {
    Monotonic(clock_ns(CLOCK_AWAKE))
}

/// The three clocks, read one after the other; the wall clock last, since it is what kernel stamps
/// are compared with.
pub fn clocks() -> ClockSample {
    let read = || {
        let boottime_ns = clock_ns(CLOCK_RUNNING_ON);
        let monotonic = monotonic();
        ClockSample {
            monotonic,
            realtime_ns: clock_ns(libc::CLOCK_REALTIME),
            boottime_ns,
        }
    };
    // A thread that is switched away between two of the reads would take the time for a clock that
    // was set.
    for _ in 0..READ_TRIES {
        let sample = read();
        if monotonic().since(sample.monotonic) < READ_TOGETHER {
            return sample;
        }
    }
    read()
}

/// Clocks that were read within this time were read together: half of what is taken for noise.
const READ_TOGETHER: Duration = Duration::from_micros(50);
const READ_TRIES: usize = 10;

/// A number of seconds as a time_t, without naming that type, which the crate has marked as
/// deprecated for musl. Where it has 32 bits, what lies beyond their end is their end.
fn narrowed<T: TryFrom<i64> + Default>(seconds: i64) -> T {
    T::try_from(seconds)
        .or_else(|_| T::try_from(i64::from(i32::MAX)))
        .unwrap_or_default()
}

/// How far east of UTC this machine's zone is at an instant, both in seconds: `TZ`, else
/// /etc/localtime.
pub fn utc_offset_at(unix_seconds: i64) -> i64 {
    let at = narrowed(unix_seconds);
    let mut fields = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to values of the right type; on failure nothing is written and
    // zeroes remain, which are a valid `tm`. localtime_r may read TZ while another thread sets it,
    // which no thread of this program does.
    let fields = unsafe {
        libc::localtime_r(&raw const at, fields.as_mut_ptr());
        fields.assume_init()
    };
    #[allow(
        clippy::useless_conversion,
        reason = "c_long is 32 bits wide on some machines"
    )]
    i64::from(fields.tm_gmtoff)
}

/// What this machine's zone is called, as `TZ`, or else the link at /etc/localtime, says:
/// `Europe/Berlin`.
pub fn zone_name() -> Option<String> {
    let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
    let linked = || {
        let target = std::fs::read_link("/etc/localtime").ok()?;
        target
            .to_str()?
            .split_once("zoneinfo/")
            .map(|(_, name)| name.to_string())
    };
    named
        .map(|name| name.trim_start_matches(':').to_string())
        .or_else(linked)
}

/// Eight random bytes from the kernel.
pub fn random_u64() -> u64 {
    let mut bytes = [0u8; 8];
    // It fails only before the kernel has any randomness at all, in the first moments after the
    // start of the machine.
    if fill_random(&mut bytes) {
        u64::from_ne_bytes(bytes)
    } else {
        clocks().realtime_ns.unsigned_abs().rotate_left(32)
    }
}

// -- waiting
// --------------------------------------------------------------------------------------------------------

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitResult {
    /// The time is over.
    Timeout,
    /// The event happened.
    Event,
    /// The socket has something to read, a message or an error.
    Socket,
}

// -- sockets
// --------------------------------------------------------------------------------------------------------

/// Bounds what the kernel holds for this socket, and for those a listener accepts, of what the
/// other end has not read; it takes twice the number, for its own bookkeeping: SO_SNDBUF in
/// socket(7).
pub fn limit_send_buffer(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    set_option(
        socket,
        libc::SOL_SOCKET,
        libc::SO_SNDBUF,
        c_int::try_from(bytes).unwrap_or(c_int::MAX),
    )
}

fn set_option<T>(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which the kernel copies.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            len,
        )
    })
    .map(|_| ())
}

/// One received message.
#[derive(Debug)]
pub struct Message<'a> {
    /// What came, cut to the length of a frame.
    pub bytes: &'a [u8],
    /// Whether it was longer than a frame.
    pub is_cut: bool,
    /// Who sent it.
    pub source: Option<IpAddr>,
    /// The kernel's stamp, nanoseconds since 1970.
    pub stamp_ns: Option<i64>,
    /// What a message from the error queue is about.
    pub error: Option<ExtendedError>,
}

/// `struct sock_extended_err` with the offender behind it: ip(7).
#[derive(Clone, Copy, Debug)]
pub struct ExtendedError {
    /// SO_EE_ORIGIN_*.
    pub origin: u8,
    /// ICMP type.
    pub kind: u8,
    /// ICMP code.
    pub code: u8,
    /// For a stamp: the number of the message that it is for.
    pub data: u32,
    /// Who sent the ICMP error.
    pub offender: Option<IpAddr>,
}

/// Which of a socket's two queues is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// What others sent.
    Messages,
    /// ICMP errors and transmit stamps.
    Errors,
}

/// The index of an interface by its name; `None` when there is none.
pub fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name ends with a zero byte.
    Some(unsafe { libc::if_nametoindex(name.as_ptr()) }).filter(|index| *index != 0)
}

/// A way to a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network's address.
    pub network: IpAddr,
    /// How many bits of it count.
    pub prefix_len: u8,
    /// The next hop; unspecified where the network is at hand.
    pub gateway: IpAddr,
    /// The interface that leads there.
    pub interface: String,
    /// The smaller, the better.
    pub metric: u32,
}

/// Whether an interface can carry anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceState {
    /// It is switched on.
    pub is_up: bool,
    /// The other end of its cable, or its radio network, is there.
    pub has_carrier: bool,
}

/// This machine's own name.
pub fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the pointer and the length describe `name`, less one byte that stays zero.
    unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    CStr::from_bytes_until_nul(&name)
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

// -- programs
// -------------------------------------------------------------------------------------------------------

/// Kills a program that leads a process group, and all that it started in it. It must not have been
/// waited for.
pub fn kill_group(leader: u32) {
    let Ok(group) = libc::pid_t::try_from(leader) else {
        return;
    };
    // SAFETY: a system call without pointers.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// Reading from it does not wait from now on.
pub fn read_without_waiting(pipe: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: system calls without pointers.
    unsafe {
        let flags = check(libc::fcntl(pipe.as_raw_fd(), libc::F_GETFL))?;
        check(libc::fcntl(
            pipe.as_raw_fd(),
            libc::F_SETFL,
            flags | libc::O_NONBLOCK,
        ))
        .map(|_| ())
    }
}

// -- limits and files
// -----------------------------------------------------------------------------------------------

/// Raises the number of files this process may have open to `needed`, if it is lower. `Err` is the
/// limit that stands in the way, which only an administrator can raise.
pub fn allow_open_files(needed: u64) -> Result<(), u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for the call to write to.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    // The type is narrower on some machines and has a sign on others; what it says is never below
    // zero.
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_fallible_conversions,
        reason = "they are needed elsewhere"
    )]
    let number = |limit: libc::rlim_t| u64::try_from(limit).unwrap_or(u64::MAX);
    let (soft, hard) = (number(limit.rlim_cur), number(limit.rlim_max));
    if soft >= needed {
        return Ok(());
    }
    if hard < needed {
        return Err(hard);
    }
    limit.rlim_cur = libc::rlim_t::try_from(needed).unwrap_or(limit.rlim_max);
    // SAFETY: `limit` is a valid rlimit.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(soft),
    }
}

/// How many bytes an ordinary user may still write to the file system that holds `path`.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut stat = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with a zero byte, and `stat` is valid for the call to write to.
    let stat = unsafe {
        check(libc::statvfs(path.as_ptr(), stat.as_mut_ptr()))?;
        stat.assume_init()
    };
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_cast,
        reason = "the fields are 32 bits wide on some machines"
    )]
    Ok(u64::from(stat.f_bavail) * stat.f_frsize as u64)
}

/// Whether processes can share memory by a file beside this one. Tried with a file of its own, made
/// and removed: closing the file itself would give up the locks that this process has on it. `true`
/// where it cannot be tried.
pub fn shares_memory_of_files(beside: &Path) -> bool {
    let mut name = beside.as_os_str().to_os_string();
    name.push(format!("-map-{}", std::process::id()));
    let Ok(file) = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&name)
    else {
        return true;
    };
    let (length, access) = (4096, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a new mapping, at an address of the kernel's choice, that nobody touches: the file is
    // empty.
    let mapping = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            access,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    let error = io::Error::last_os_error();
    let shares = if mapping == libc::MAP_FAILED {
        // What file systems answer that have no word for it. Anything else, such as no memory, says
        // nothing about them.
        !matches!(
            error.raw_os_error(),
            Some(libc::EINVAL | libc::ENODEV | libc::EOPNOTSUPP | libc::ENOSYS)
        )
    } else {
        // SAFETY: the mapping that was just made, to which nothing points.
        unsafe { libc::munmap(mapping, length) };
        true
    };
    if let Err(error) = std::fs::remove_file(&name) {
        log::debug!("{}: {error}", Path::new(&name).display());
    }
    shares
}

/// How many rows and columns the terminal at standard output has; `None` when it is no terminal, or
/// does not say.
pub fn terminal_size() -> Option<(usize, usize)> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: `size` is valid for the call to write to.
    let result = unsafe { libc::ioctl(1, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_row > 0 && size.ws_col > 0)
        .then_some((usize::from(size.ws_row), usize::from(size.ws_col)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_nobody_sets_are_read_without_a_step_on_a_busy_machine() {
        let until = monotonic().after(Duration::from_secs(1));
        let threads = std::thread::available_parallelism().map_or(2, usize::from) * 4;
        let busy = move || {
            let mut steps = 0;
            let mut earlier = clocks();
            while earlier.monotonic < until {
                let later = clocks();
                steps += u32::from(later.step_since(&earlier) != 0);
                earlier = later;
            }
            steps
        };
        let threads: Vec<_> = (0..threads).map(|_| std::thread::spawn(busy)).collect();
        let steps: u32 = threads
            .into_iter()
            .map(|thread| thread.join().expect("it counts"))
            .sum();
        assert_eq!(steps, 0);
    }

    #[test]
    fn files_beyond_the_hard_limit_are_refused_with_that_limit() {
        assert_eq!(allow_open_files(1), Ok(()));
        assert!(allow_open_files(u64::MAX - 1).is_err_and(|limit| limit < u64::MAX - 1));
    }
}
