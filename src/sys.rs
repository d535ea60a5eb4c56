//! System calls that the standard library and socket2 have no words for. All `unsafe` of the program is here, each with
//! its reason; what a call means is decided elsewhere.
#![expect(unsafe_code, reason = "this file is where system calls are made")]
#![expect(clippy::cast_possible_truncation, reason = "the kernel's types are given sizes and constants that fit them")]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use libc::c_int;

use crate::time::{ClockSample, Monotonic};

/// Turns the -1 of a system call into the error it left behind.
fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

// -- clocks ---------------------------------------------------------------------------------------------------------

fn clock_ns(clock: libc::clockid_t) -> i64 {
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `at` is a valid timespec for the call to write to. The clocks named below exist since Linux 2.6.39.
    unsafe { libc::clock_gettime(clock, &raw mut at) };
    timespec_ns(&at)
}

#[allow(clippy::useless_conversion, reason = "time_t and c_long are 32 bits wide on some machines")]
fn timespec_ns(at: &libc::timespec) -> i64 {
    i64::from(at.tv_sec).saturating_mul(1_000_000_000).saturating_add(i64::from(at.tv_nsec))
}

/// `CLOCK_MONOTONIC`.
pub fn monotonic() -> Monotonic {
    Monotonic(clock_ns(libc::CLOCK_MONOTONIC))
}

/// The three clocks, read one after the other; the wall clock last, since it is what kernel stamps are compared with.
pub fn clocks() -> ClockSample {
    let read = || {
        let boottime_ns = clock_ns(libc::CLOCK_BOOTTIME);
        let monotonic = monotonic();
        ClockSample { monotonic, realtime_ns: clock_ns(libc::CLOCK_REALTIME), boottime_ns }
    };
    // A thread that is switched away between two of the reads would take the time for a clock that was set.
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

/// How far east of UTC this machine's zone is at an instant, both in seconds: `TZ`, else /etc/localtime.
pub fn utc_offset_at(unix_seconds: i64) -> i64 {
    // On a machine with 32 bits of time_t the far future has the offset of its last second.
    let at = libc::time_t::try_from(unix_seconds).unwrap_or(libc::time_t::MAX);
    let mut fields = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to values of the right type; on failure nothing is written and zeroes remain, which are
    // a valid `tm`. localtime_r may read TZ while another thread sets it, which no thread of this program does.
    let fields = unsafe {
        libc::localtime_r(&raw const at, fields.as_mut_ptr());
        fields.assume_init()
    };
    #[allow(clippy::useless_conversion, reason = "c_long is 32 bits wide on some machines")]
    i64::from(fields.tm_gmtoff)
}

/// What this machine's zone is called, as `TZ`, or else the link at /etc/localtime, says: `Europe/Berlin`.
pub fn zone_name() -> Option<String> {
    let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
    let linked = || {
        let target = std::fs::read_link("/etc/localtime").ok()?;
        target.to_str()?.split_once("zoneinfo/").map(|(_, name)| name.to_string())
    };
    named.map(|name| name.trim_start_matches(':').to_string()).or_else(linked)
}

/// Whether a time service keeps the wall clock right, as far as the kernel knows: adjtimex(2).
pub fn is_clock_synchronised() -> bool {
    // SAFETY: a timex of zeroes asks for nothing to be changed, and is valid for the call to write to.
    let state = unsafe {
        let mut answer: libc::timex = mem::zeroed();
        libc::adjtimex(&raw mut answer)
    };
    state >= 0 && state != libc::TIME_ERROR
}

/// Eight random bytes from the kernel.
pub fn random_u64() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: the pointer and the length describe `bytes`.
    let read = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    // It fails only before the kernel has any randomness at all, in the first moments after the start of the machine.
    if read == 8 { u64::from_ne_bytes(bytes) } else { clocks().realtime_ns.unsigned_abs().rotate_left(32) }
}

// -- waiting --------------------------------------------------------------------------------------------------------

/// A switch that is thrown once and stays so, and that can be waited for together with a socket: an eventfd(2).
#[derive(Debug)]
pub struct Event(OwnedFd);

impl Event {
    /// An event that has not happened.
    pub fn new() -> io::Result<Event> {
        // SAFETY: a system call without pointers.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
        Ok(Event(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Lets it happen.
    pub fn throw(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the pointer and the length describe `one`. The counter is far from its limit, so it cannot fail.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The time is over.
    Timeout,
    /// The event happened.
    Event,
    /// The socket has something to read, a message or an error.
    Socket,
}

/// Waits until `until` on the monotonic clock, for the event and the socket. A signal does not end the wait.
pub fn wait(event: &Event, socket: BorrowedFd<'_>, until: Monotonic) -> Woken {
    let entry = |fd: c_int| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    loop {
        let mut entries = [entry(event.0.as_raw_fd()), entry(socket.as_raw_fd())];
        let left = until.since(monotonic());
        let timeout = timespec(left);
        // SAFETY: the pointers are to live values, and the length is that of `entries`. No signal mask is given.
        let ready = unsafe { libc::ppoll(entries.as_mut_ptr(), 2, &raw const timeout, std::ptr::null()) };
        if entries[0].revents != 0 {
            return Woken::Event;
        }
        if ready > 0 {
            return Woken::Socket;
        }
        if until <= monotonic() {
            return Woken::Timeout;
        }
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        // Below a thousand million, which fits a c_long of any width.
        tv_nsec: duration.subsec_nanos() as _,
    }
}

// -- sockets --------------------------------------------------------------------------------------------------------

/// Asks the kernel to stamp what this socket sends and receives: SO_TIMESTAMPING, the kernel's documentation
/// networking/timestamping.rst. Transmit stamps come through the error queue, numbered from 0 (OPT_ID) and without the
/// packet (OPT_TSONLY).
pub fn request_stamps(socket: BorrowedFd<'_>) -> io::Result<()> {
    let flags = libc::SOF_TIMESTAMPING_SOFTWARE
        | libc::SOF_TIMESTAMPING_RX_SOFTWARE
        | libc::SOF_TIMESTAMPING_TX_SOFTWARE
        | libc::SOF_TIMESTAMPING_OPT_ID
        | libc::SOF_TIMESTAMPING_OPT_TSONLY;
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags as c_int)
}

/// Asks the kernel to keep ICMP errors for this socket: IP_RECVERR in ip(7), IPV6_RECVERR in ipv6(7).
pub fn request_errors(socket: BorrowedFd<'_>, is_v6: bool) -> io::Result<()> {
    if is_v6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1)
    }
}

/// Lets only one type of message through a raw ICMPv6 socket: ICMP6_FILTER, RFC 3542 section 3.2.
pub fn admit_only_icmp6(socket: BorrowedFd<'_>, kind: u8) -> io::Result<()> {
    const ICMP6_FILTER: c_int = 1;
    let mut blocked = [u32::MAX; 8];
    blocked[usize::from(kind >> 5)] &= !(1 << (kind & 31));
    set_option(socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, blocked)
}

/// Bounds what the kernel holds for this socket, and for those a listener accepts, of what the other end has not read;
/// it takes twice the number, for its own bookkeeping: SO_SNDBUF in socket(7).
pub fn limit_send_buffer(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, c_int::try_from(bytes).unwrap_or(c_int::MAX))
}

fn set_option<T>(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which the kernel copies.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), len) }).map(|_| ())
}

/// Room for control messages: an extended error with its offender (16 + 28 bytes) and three time stamps (48 bytes), each
/// with its header and rounded up, and some more.
const CONTROL_LEN: usize = 160;

/// Room for a control buffer, aligned as its headers want it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

/// Room for several messages, so that one system call (recvmmsg(2)) empties a socket.
pub struct Batch {
    frame_len: usize,
    frames: Vec<u8>,
    controls: Vec<Control>,
    sources: Vec<libc::sockaddr_in6>,
    parts: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

/// How many messages a batch holds: the stamps of a check with the default of five pings in one call.
const BATCH_LEN: usize = 8;

/// How often a drain reads a full batch before it lets its caller look at the time: more than any socket buffer holds,
/// so that only a flood that does not end is cut off.
const DRAIN_ROUNDS: usize = 1000;

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

impl Batch {
    /// Room for messages of up to `frame_len` bytes.
    pub fn new(frame_len: usize) -> Batch {
        // SAFETY: all of these are plain C structures for which zeroes are valid.
        let (source, header) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Batch {
            frame_len,
            frames: vec![0; frame_len * BATCH_LEN],
            controls: vec![Control([0; CONTROL_LEN]); BATCH_LEN],
            sources: vec![source; BATCH_LEN],
            parts: vec![libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH_LEN],
            headers: vec![header; BATCH_LEN],
        }
    }

    /// Reads what lies in the socket's queue, or its error queue, without waiting, and hands each message to `take`. An
    /// error that is pending on the socket is returned and thereby cleared.
    pub fn drain(&mut self, socket: BorrowedFd<'_>, queue: Queue, mut take: impl FnMut(Message<'_>)) -> io::Result<()> {
        for _ in 0..DRAIN_ROUNDS {
            let count = match self.receive(socket, queue) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            for index in 0..count {
                take(self.message(index));
            }
            if count < BATCH_LEN {
                return Ok(());
            }
        }
        Ok(())
    }

    fn receive(&mut self, socket: BorrowedFd<'_>, queue: Queue) -> io::Result<usize> {
        for index in 0..BATCH_LEN {
            self.parts[index] =
                libc::iovec { iov_base: (&raw mut self.frames[index * self.frame_len]).cast(), iov_len: self.frame_len };
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = (&raw mut self.sources[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_iov = &raw mut self.parts[index];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.controls[index]).cast();
            header.msg_controllen = CONTROL_LEN as _;
        }
        let flags = match queue {
            Queue::Messages => libc::MSG_DONTWAIT,
            Queue::Errors => libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE,
        };
        // SAFETY: every header points to a frame, a control buffer and an address of its own inside the vectors, with
        // their right lengths; the vectors are not touched until the call returns.
        let count = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), BATCH_LEN as u32, flags as _, std::ptr::null_mut())
        };
        check(count).map(|count| count.unsigned_abs() as usize)
    }

    fn message(&self, index: usize) -> Message<'_> {
        let header = &self.headers[index];
        let len = (header.msg_len as usize).min(self.frame_len);
        let bytes = &self.frames[index * self.frame_len..][..len];
        let is_cut = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        let source = if header.msg_hdr.msg_namelen == 0 { None } else { ip_of(&self.sources[index]) };
        let mut message = Message { bytes, is_cut, source, stamp_ns: None, error: None };
        self.read_controls(index, &mut message);
        message
    }

    fn read_controls(&self, index: usize, message: &mut Message<'_>) {
        let header = &raw const self.headers[index].msg_hdr;
        // SAFETY: `header` was filled in by the kernel and its control pointer is to our buffer, which still stands.
        // CMSG_FIRSTHDR and CMSG_NXTHDR stay within msg_controllen; lengths are checked before anything is read.
        unsafe {
            let mut control = libc::CMSG_FIRSTHDR(header);
            while !control.is_null() {
                let data = libc::CMSG_DATA(control);
                let len = ((*control).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                match ((*control).cmsg_level, (*control).cmsg_type) {
                    (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) if len >= size_of::<libc::timespec>() => {
                        let stamp = timespec_ns(&data.cast::<libc::timespec>().read_unaligned());
                        message.stamp_ns = Some(stamp).filter(|ns| *ns != 0);
                    }
                    (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                        message.error = extended_error(std::slice::from_raw_parts(data, len));
                    }
                    _ => {}
                }
                control = libc::CMSG_NXTHDR(header, control);
            }
        }
    }
}

/// Which of a socket's two queues is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// What others sent.
    Messages,
    /// ICMP errors and transmit stamps.
    Errors,
}

/// Reads `struct sock_extended_err` and the address behind it. The offsets are those of linux/errqueue.h.
fn extended_error(bytes: &[u8]) -> Option<ExtendedError> {
    let (fixed, offender) = bytes.split_at_checked(16)?;
    let data = u32::from_ne_bytes(fixed[12..16].try_into().ok()?);
    Some(ExtendedError { origin: fixed[4], kind: fixed[5], code: fixed[6], data, offender: ip_in(offender) })
}

/// The IP address in a structure that has room for either version.
fn ip_of(address: &libc::sockaddr_in6) -> Option<IpAddr> {
    // SAFETY: any initialised structure may be read as bytes; the address was zeroed when it was made.
    ip_in(unsafe { std::slice::from_raw_parts((&raw const *address).cast(), size_of::<libc::sockaddr_in6>()) })
}

/// The IP address in the bytes of a sockaddr_in or sockaddr_in6.
fn ip_in(bytes: &[u8]) -> Option<IpAddr> {
    let family = bytes.get(..2).map(|b| c_int::from(u16::from_ne_bytes([b[0], b[1]])))?;
    match family {
        libc::AF_INET => bytes.get(4..8).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(|b| Ipv4Addr::from(b).into()),
        libc::AF_INET6 => bytes.get(8..24).and_then(|b| <[u8; 16]>::try_from(b).ok()).map(|b| Ipv6Addr::from(b).into()),
        _ => None,
    }
}

/// The index of an interface by its name; `None` when there is none.
pub fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name ends with a zero byte.
    Some(unsafe { libc::if_nametoindex(name.as_ptr()) }).filter(|index| *index != 0)
}

/// Whether an interface can carry anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceState {
    /// It is switched on.
    pub is_up: bool,
    /// The other end of its cable, or its radio network, is there.
    pub has_carrier: bool,
}

/// The state of an interface by its name: netdevice(7), SIOCGIFFLAGS. `None` when there is none.
pub fn interface_state(name: &str) -> Option<InterfaceState> {
    // SAFETY: zeroes are a valid ifreq, whose name then ends with a zero byte however short it is.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return None;
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: system calls without pointers; a machine has one version of IP at least.
    let fd = unsafe {
        match libc::socket(libc::AF_INET, kind, 0) {
            -1 => libc::socket(libc::AF_INET6, kind, 0),
            fd => fd,
        }
    };
    let fd = check(fd).ok()?;
    // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the pointer is to a whole ifreq, which the call fills in.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) }).ok()?;
    // SAFETY: after a success the flags are the member that was written.
    let flags = c_int::from(unsafe { request.ifr_ifru.ifru_flags });
    Some(InterfaceState { is_up: flags & libc::IFF_UP != 0, has_carrier: flags & libc::IFF_RUNNING != 0 })
}

/// This machine's own name.
pub fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the pointer and the length describe `name`, less one byte that stays zero.
    unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    CStr::from_bytes_until_nul(&name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

// -- programs -------------------------------------------------------------------------------------------------------

/// Has a program start without the rights that this one was given for itself: capabilities(7), the ambient set.
pub fn withhold_capabilities(command: &mut Command) {
    // SAFETY: between fork and exec only a system call without pointers is made. A kernel that knows no ambient set refuses,
    // and then there is nothing to withhold.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
            Ok(())
        });
    }
}

/// Kills a program that leads a process group, and all that it started in it. It must not have been waited for.
pub fn kill_group(leader: u32) {
    let Ok(group) = libc::pid_t::try_from(leader) else { return };
    // SAFETY: a system call without pointers.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// A file without a name that is only in memory: memfd_create(2). What is read from it neither waits nor fails.
pub fn memory_file() -> io::Result<File> {
    // SAFETY: the name ends with a zero byte.
    let fd = check(unsafe { libc::memfd_create(c"notice".as_ptr(), libc::MFD_CLOEXEC) })?;
    // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Reading from it does not wait from now on.
pub fn read_without_waiting(pipe: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: system calls without pointers.
    unsafe {
        let flags = check(libc::fcntl(pipe.as_raw_fd(), libc::F_GETFL))?;
        check(libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK)).map(|_| ())
    }
}

// -- limits and files -----------------------------------------------------------------------------------------------

/// Raises the number of files this process may have open to `needed`, if it is lower. `Err` is the limit that stands in
/// the way, which only an administrator can raise.
pub fn allow_open_files(needed: u64) -> Result<(), u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for the call to write to.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    #[allow(clippy::useless_conversion, reason = "rlim_t is 32 bits wide on some machines")]
    let (soft, hard) = (u64::from(limit.rlim_cur), u64::from(limit.rlim_max));
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
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the fields are 32 bits wide on some machines")]
    Ok(u64::from(stat.f_bavail) * stat.f_frsize as u64)
}

/// Has all threads share few pools of memory, where the C library would give each its own: what one thread has freed the
/// next can use. Called before threads are started.
pub fn share_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a call without pointers.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Gives memory that is free inside the allocator back to the system, where the C library can: after a reload or an
/// import a small daemon should be small again.
pub fn release_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a call without pointers, safe from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// How many rows and columns the terminal at standard output has; `None` when it is no terminal, or does not say.
pub fn terminal_size() -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `size` is valid for the call to write to.
    let result = unsafe { libc::ioctl(1, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_row > 0 && size.ws_col > 0).then_some((usize::from(size.ws_row), usize::from(size.ws_col)))
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
        let steps: u32 = threads.into_iter().map(|thread| thread.join().expect("it counts")).sum();
        assert_eq!(steps, 0);
    }

    #[test]
    fn an_extended_error_of_any_length_is_read_or_refused() {
        let mut bytes = vec![0u8; 44];
        (bytes[4], bytes[5], bytes[6]) = (2, 3, 1);
        bytes[12..16].copy_from_slice(&7u32.to_ne_bytes());
        bytes[16..18].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        bytes[20..24].copy_from_slice(&[10, 0, 0, 1]);
        let error = extended_error(&bytes).expect("whole");
        assert_eq!((error.origin, error.kind, error.code, error.data), (2, 3, 1, 7));
        assert_eq!(error.offender, Some(IpAddr::from([10, 0, 0, 1])));
        assert!(extended_error(&bytes[..15]).is_none());
        assert!(extended_error(&bytes[..17]).expect("no offender").offender.is_none());
    }

    #[test]
    fn files_beyond_the_hard_limit_are_refused_with_that_limit() {
        assert_eq!(allow_open_files(1), Ok(()));
        assert!(allow_open_files(u64::MAX - 1).is_err_and(|limit| limit < u64::MAX - 1));
    }
}
