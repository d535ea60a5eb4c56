//! System calls that neither the standard library nor socket2 offers. All `unsafe` code of the
//! program is in this folder, each block with its reason.
//!
//! This file holds what is the same on every system. linux.rs and bsd.rs (macOS and FreeBSD) define
//! the same names for what differs; no other file depends on the system.
#![expect(unsafe_code, reason = "system calls are made in this folder only")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "only sizes and constants are cast, which fit the kernel's types"
)]

use std::ffi::{CStr, CString};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IsTerminal};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use libc::c_int;

#[cfg(not(target_os = "linux"))]
#[path = "bsd.rs"]
mod system;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;

#[cfg(all(any(test, fuzzing), target_os = "linux"))]
pub mod fuzzing;
#[cfg(target_os = "linux")]
mod link_events;
#[cfg(not(target_os = "linux"))]
#[path = "no_link_events.rs"]
mod link_events;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(any(test, fuzzing, not(target_os = "linux")))]
mod route_messages;

pub use link_events::LinkEvents;
#[cfg(target_os = "linux")]
pub use netlink::Routes;
pub use system::*;

use crate::pure::time::{ClockSample, Monotonic, is_zone_rule};

/// Turns the result -1 of a system call into the error in `errno`.
fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

// Clocks.

fn clock_ns(clock: libc::clockid_t) -> i64 {
    #[cfg(all(target_os = "linux", target_pointer_width = "32"))]
    if let Some(at) = clock_ns_64(clock) {
        return at;
    }
    let mut at = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `at` is valid for the call to write to, and zeroes are a timespec. The clocks named
    // below exist since Linux 2.6.39.
    let at = unsafe {
        libc::clock_gettime(clock, at.as_mut_ptr());
        at.assume_init()
    };
    #[allow(
        clippy::useless_conversion,
        reason = "time_t and c_long are 32 bits wide on some machines"
    )]
    clock_reading_ns(i64::from(at.tv_sec), i64::from(at.tv_nsec))
}

/// Saturates in the year 2262.
fn clock_reading_ns(seconds: i64, nanoseconds: i64) -> i64 {
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

/// `CLOCK_MONOTONIC`.
pub fn monotonic() -> Monotonic {
    Monotonic(clock_ns(CLOCK_WITHOUT_SLEEP))
}

/// The three clocks, read one after the other. The wall clock comes last, since kernel timestamps
/// are compared with it.
pub fn clocks() -> ClockSample {
    let read = || {
        let boottime_ns = clock_ns(CLOCK_WITH_SLEEP);
        let monotonic = monotonic();
        ClockSample {
            monotonic,
            realtime_ns: clock_ns(libc::CLOCK_REALTIME),
            boottime_ns,
        }
    };
    // A thread that is preempted between two reads would mistake the delay for a clock that was
    // set.
    for _ in 0..READ_TRIES {
        let sample = read();
        if monotonic().since(sample.monotonic) < READ_TOGETHER {
            return sample;
        }
    }
    read()
}

/// Reads within this time count as simultaneous: half of the noise limit of
/// ClockSample::step_since.
const READ_TOGETHER: Duration = Duration::from_micros(50);
const READ_TRIES: usize = 10;

/// Seconds as a time_t, without naming that type, which the libc crate marks as deprecated for
/// musl. Saturates where it has 32 bits.
fn narrowed<T: TryFrom<i64> + Default>(seconds: i64) -> T {
    T::try_from(seconds)
        .or_else(|_| T::try_from(i64::from(i32::MAX)))
        .unwrap_or_default()
}

/// Offset of the local time zone east of UTC at an instant, both in seconds. The zone is `TZ`, else
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

/// Reads the time zone anew, in case it was changed since the process began. musl reads a zone only
/// once.
pub fn reread_zone() {
    unsafe extern "C" {
        safe fn tzset();
    }
    tzset();
}

/// Name of the local time zone, for example `Europe/Berlin`: `TZ`, else the target of
/// /etc/localtime. `None` where times are in UTC because this machine does not know the zone.
pub fn zone_name() -> Option<String> {
    if unknown_zone().is_some() {
        return None;
    }
    let linked = || {
        let target = std::fs::read_link(LOCAL_ZONE).ok()?;
        target
            .to_str()?
            .split_once("zoneinfo/")
            .map(|(_, name)| name.to_string())
    };
    named_zone()
        .map(|name| name.trim_start_matches(':').to_string())
        .or_else(linked)
}

const LOCAL_ZONE: &str = "/etc/localtime";

fn named_zone() -> Option<String> {
    std::env::var("TZ").ok().filter(|name| !name.is_empty())
}

/// The time zone that is set and that this machine does not know, so that times are in UTC.
pub fn unknown_zone() -> Option<String> {
    /// TZif: RFC 9636, section 3.1.
    fn is_zone(path: &Path) -> bool {
        std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"TZif"))
    }
    let Some(set) = named_zone() else {
        let target = std::fs::read_link(LOCAL_ZONE).ok()?;
        return (!is_zone(Path::new(LOCAL_ZONE)))
            .then(|| format!("{LOCAL_ZONE} -> {}", target.display()));
    };
    let name = set.trim_start_matches(':');
    let folders = ["/usr/share/zoneinfo", "/share/zoneinfo", "/etc/zoneinfo"];
    let is_known = is_zone_rule(name)
        // An absolute name replaces the folder.
        || folders.into_iter().any(|folder| is_zone(&Path::new(folder).join(name)));
    (!is_known).then(|| format!("TZ={set}"))
}

/// Eight random bytes from the kernel.
pub fn random_u64() -> u64 {
    let mut bytes = [0u8; 8];
    // Fails only in the first moments after boot, before the kernel has random numbers.
    if fill_random(&mut bytes) {
        u64::from_ne_bytes(bytes)
    } else {
        clocks().realtime_ns.unsigned_abs().rotate_left(32)
    }
}

// Waiting.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitResult {
    Timeout,
    Event,
    /// The socket is readable: it holds a message or an error.
    Socket,
}

// Sockets.

/// Limits how much unread data the kernel buffers for this socket, or for those that a listener
/// accepts. The kernel doubles the number for its own bookkeeping: SO_SNDBUF in socket(7).
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

#[derive(Debug)]
pub struct Message<'a> {
    /// Truncated to the frame length of its [`Batch`].
    pub bytes: &'a [u8],
    /// Whether it was longer.
    pub is_cut: bool,
    pub source: Option<IpAddr>,
    /// The kernel's timestamp, nanoseconds since 1970.
    pub timestamp_ns: Option<i64>,
    /// Set in messages from the error queue.
    pub error: Option<ExtendedError>,
}

/// `struct sock_extended_err` and the offender that follows it: ip(7).
#[derive(Clone, Copy, Debug)]
pub struct ExtendedError {
    /// SO_EE_ORIGIN_*.
    pub origin: u8,
    /// The ICMP type.
    pub kind: u8,
    pub code: u8,
    /// For a transmit timestamp: the number of the message it belongs to.
    pub data: u32,
    /// The sender of the ICMP error.
    pub offender: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    Messages,
    /// ICMP errors and transmit timestamps.
    Errors,
}

/// The index of an interface by its name; `None` when there is none.
pub fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name ends with a zero byte.
    Some(unsafe { libc::if_nametoindex(name.as_ptr()) }).filter(|index| *index != 0)
}

/// A packet for which a route is asked.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub to: IpAddr,
    pub from: IpAddr,
    /// Whether the kernel finds an IPv6 route before it chooses that source, and keeps the route
    /// (ip6_dst_lookup_tail in net/ipv6/ip6_output.c).
    pub is_source_chosen: bool,
    /// The index of the interface that its socket is bound to.
    pub interface: Option<u32>,
}

/// How the kernel sends a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whether the destination is an address of this machine.
    pub is_local: bool,
    /// The index of the interface it leaves by.
    pub interface: u32,
    /// The next hop; `None` where the interface itself reaches the destination.
    pub gateway: Option<IpAddr>,
    /// Of the network in the routing table's entry.
    prefix_len: u8,
    /// Whether the kernel made the entry for an address of the interface.
    is_by_kernel: bool,
}

/// No network on an interface has a shorter prefix: such a route is a default route or a part of
/// one.
const MIN_PREFIX_LEN: u8 = 8;

impl Route {
    /// Whether the entry's network, which contains the packet's destination, is one that the
    /// interface belongs to.
    pub fn is_own_network(&self, packet: &Packet) -> bool {
        let common = match (packet.to, packet.from) {
            (IpAddr::V4(to), IpAddr::V4(own)) => (to.to_bits() ^ own.to_bits()).leading_zeros(),
            (IpAddr::V6(to), IpAddr::V6(own)) => (to.to_bits() ^ own.to_bits()).leading_zeros(),
            _ => 0,
        };
        self.prefix_len >= MIN_PREFIX_LEN
            && (self.is_by_kernel || common >= u32::from(self.prefix_len))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceState {
    /// Administratively up.
    pub is_up: bool,
    /// Its cable is connected, or its radio network joined.
    pub has_carrier: bool,
    /// It finds neighbours by ARP; a tunnel or a point-to-point line sends everything to its end.
    pub has_neighbours: bool,
}

/// The name of this machine.
pub fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the pointer and the length describe `name`, less one byte that stays zero.
    unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    CStr::from_bytes_until_nul(&name)
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

// Programs.

/// Kills a process group by its leader, which must not have been waited for.
pub fn kill_group(leader: u32) {
    let Ok(group) = libc::pid_t::try_from(leader) else {
        return;
    };
    // SAFETY: a system call without pointers.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// Makes reads from the pipe return at once when it is empty.
pub fn set_nonblocking(pipe: BorrowedFd<'_>) -> io::Result<()> {
    set_blocking(pipe, false)
}

fn set_blocking(file: BorrowedFd<'_>, is_blocking: bool) -> io::Result<()> {
    // SAFETY: system calls without pointers.
    unsafe {
        let flags = check(libc::fcntl(file.as_raw_fd(), libc::F_GETFL))?;
        let flags = if is_blocking {
            flags & !libc::O_NONBLOCK
        } else {
            flags | libc::O_NONBLOCK
        };
        check(libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags)).map(|_| ())
    }
}

// Limits and files.

/// Opens a file, a terminal or /dev/null. Anything else, such as a FIFO, may have no end, and the
/// open may wait for another process; only what this process was given, as /dev/stdin, is opened
/// all the same.
pub fn open_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    const GIVEN: [&str; 3] = ["/dev/std", "/dev/fd/", "/proc/self/fd/"];
    if GIVEN
        .iter()
        .any(|given| path.as_os_str().as_bytes().starts_with(given.as_bytes()))
    {
        return options.open(path);
    }
    if let Ok(there) = path.metadata() {
        refuse_endless(&there)?;
    }
    let file = options.custom_flags(libc::O_NONBLOCK).open(path)?;
    let opened = file.metadata()?;
    refuse_endless(&opened)?;
    let is_null = |null: Metadata| null.rdev() == opened.rdev();
    if opened.file_type().is_char_device()
        && !file.is_terminal()
        && !std::fs::metadata("/dev/null").is_ok_and(is_null)
    {
        return Err(io::Error::other("is a device, not a file"));
    }
    set_blocking(file.as_fd(), true)?;
    Ok(file)
}

/// The mode for a new file that holds what another one holds: no one else can read it. Where there
/// is no other, that of a new database.
pub fn mode_like(other: Option<&Metadata>) -> u32 {
    const NEW_DATABASE: u32 = 0o644;
    // SAFETY: a system call without pointers that cannot fail.
    let group = unsafe { libc::getegid() };
    match other {
        Some(other) if other.gid() == group => other.mode() & 0o666,
        // A new file has the group of this process.
        Some(other) => other.mode() & 0o606,
        None => NEW_DATABASE,
    }
}

/// Creates a file that nobody can read who cannot read `other`. Follows no symbolic link.
pub fn create_like(path: &Path, other: Option<&Metadata>) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode_like(other))
        .open(path)
}

fn refuse_endless(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() => "a device",
        () => return Ok(()),
    };
    Err(io::Error::other(format!("is {what}, not a file")))
}

/// Raises the limit of open files of this process to `needed`, if it is lower. `Err` is the hard
/// limit, which only an administrator can raise.
pub fn allow_open_files(needed: u64) -> Result<(), u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for the call to write to.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    // The type is narrower on some machines and signed on others; the value is never negative.
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

/// Fails where this user, or a file system that can only be read, forbids writing to a file.
pub fn may_write(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path ends with a zero byte.
    check(unsafe { libc::access(path.as_ptr(), libc::W_OK) }).map(drop)
}

/// Bytes that an unprivileged user may still write to the file system of `path`.
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

/// Renames a file unless the new name is taken: renameat2(2).
#[cfg(target_os = "linux")]
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let [from, to] = [from, to].map(|path| CString::new(path.as_os_str().as_bytes()));
    let (from, to) = (from?, to?);
    let here = libc::c_long::from(libc::AT_FDCWD);
    let flags = libc::RENAME_NOREPLACE as libc::c_long;
    // SAFETY: both paths end with a zero byte and live until the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            here,
            from.as_ptr(),
            here,
            to.as_ptr(),
            flags,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// There is no such call here.
#[cfg(not(target_os = "linux"))]
pub fn rename_new(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes the names in a file's folder durable: fsync(2) of the file alone does not. A folder that
/// cannot be opened, or a file system that cannot do this, is no error.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let Ok(folder) = File::open(parent.unwrap_or(Path::new("."))) else {
        return Ok(());
    };
    match folder.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// Whether a file next to `path` can be mapped as memory shared between processes. Tried with
/// another file, since closing `path` itself would release the locks that this process holds on it.
/// Its name is always the same, so that the next process removes one that was left by a crash.
/// `true` where it cannot be created.
pub fn shares_memory_of_files(path: &Path) -> bool {
    let mut name = path.as_os_str().to_os_string();
    name.push("-map");
    let Ok(file) = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&name)
    else {
        return true;
    };
    let (length, access) = (4096, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a new mapping at an address of the kernel's choice, which is never accessed, since
    // the file is empty.
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
        // The errors of file systems without such mappings. Any other error, such as a lack of
        // memory, does not decide.
        !matches!(
            error.raw_os_error(),
            Some(libc::EINVAL | libc::ENODEV | libc::EOPNOTSUPP | libc::ENOSYS)
        )
    } else {
        // SAFETY: the mapping made above, to which no pointer exists.
        unsafe { libc::munmap(mapping, length) };
        true
    };
    // Another process may have tried at the same moment.
    if let Err(error) = std::fs::remove_file(&name)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::debug!("{}: {error}", Path::new(&name).display());
    }
    shares
}

/// Rows and columns of the terminal at standard output; `None` when it is no terminal or does not
/// know its size.
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
    fn clocks_that_are_not_set_are_read_without_a_step_on_a_busy_machine() {
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
