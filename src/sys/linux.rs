//! System calls of Linux: eventfd(2), ppoll(2), options of sockets, interfaces, capabilities.
//! linux_receive.rs reads from sockets.

use crate::pure::address::IpVersion;
use crate::pure::process::{ProcessFigures, max_files};
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use libc::c_int;

use super::{InterfaceState, WaitResult, check, monotonic, narrowed, set_option};
use crate::pure::time::Monotonic;

#[path = "linux_receive.rs"]
mod receive;

pub use receive::Batch;

// Clocks and random numbers.

/// The monotonic clock that does not count sleep.
pub(super) const CLOCK_WITHOUT_SLEEP: libc::clockid_t = libc::CLOCK_MONOTONIC;
/// The monotonic clock that counts sleep.
pub(super) const CLOCK_WITH_SLEEP: libc::clockid_t = libc::CLOCK_BOOTTIME;

/// A clock by the system call that has 64-bit times on 32-bit machines too, Linux 5.1. `None` from an
/// older kernel. The C library's call may have 32-bit times, which end on 2038-01-19.
#[cfg(target_pointer_width = "32")]
pub(super) fn clock_ns_64(clock: libc::clockid_t) -> Option<i64> {
    /// asm/unistd.h. The numbers of MIPS begin at 4000.
    const CLOCK_GETTIME64: libc::c_long = if cfg!(target_arch = "mips") {
        4403
    } else {
        403
    };
    // `struct __kernel_timespec`.
    let mut at = [0_i64; 2];
    // SAFETY: the pointer is to as many bytes as the call writes.
    let result = unsafe { libc::syscall(CLOCK_GETTIME64, clock, at.as_mut_ptr()) };
    let [seconds, nanoseconds] = at;
    (result == 0).then(|| super::clock_reading_ns(seconds, nanoseconds))
}

/// Whether a time service synchronises the wall clock, as far as the kernel knows: adjtimex(2). It is
/// taken for synchronised where a sandbox forbids the question.
pub fn is_clock_synchronised() -> bool {
    // SAFETY: a zeroed timex requests no change and is valid for the call to write to.
    let state = unsafe {
        let mut answer: libc::timex = mem::zeroed();
        libc::adjtimex(&raw mut answer)
    };
    state != libc::TIME_ERROR
}

/// Differs each time that the machine is booted: random(4).
pub fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_string())
}

/// Figures of this process. `None` where /proc is not to be read.
pub fn process_figures() -> Option<ProcessFigures> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = std::fs::read_dir("/proc/self/fd").ok();
    // SAFETY: these two have no memory of ours.
    let [ticks, page] = [libc::_SC_CLK_TCK, libc::_SC_PAGESIZE]
        .map(|name| u64::try_from(unsafe { libc::sysconf(name) }).unwrap_or(0));
    let figures = ProcessFigures::of_stat(&stat, ticks, page)?;
    Some(ProcessFigures {
        // Without that of the folder.
        open_files: files.map(|files| (files.count() as u64).saturating_sub(1)),
        max_files: max_files(&limits),
        ..figures
    })
}

/// Fills the bytes with random numbers from the kernel; returns whether it succeeded.
pub(super) fn fill_random(bytes: &mut [u8]) -> bool {
    // SAFETY: the pointer and the length describe `bytes`.
    let read =
        unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    usize::try_from(read).is_ok_and(|read| read == bytes.len())
}

// Waiting.

/// An event that happens once, and that a thread can wait for together with a socket: an
/// eventfd(2).
#[derive(Debug)]
pub struct Event(OwnedFd);

impl Event {
    pub fn new() -> io::Result<Event> {
        // SAFETY: a system call without pointers.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: a new descriptor without another owner.
        Ok(Event(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes the event happen. It stays set.
    pub fn set(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the pointer and the length describe `one`. The counter is far from its limit, so
        // the write cannot fail.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

/// Waits for the event, the socket or `until` on the monotonic clock. Signals do not end the wait.
pub fn wait(event: &Event, socket: BorrowedFd<'_>, until: Monotonic) -> WaitResult {
    let entry = |fd: c_int| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    loop {
        let mut entries = [entry(event.0.as_raw_fd()), entry(socket.as_raw_fd())];
        let left = until.since(monotonic());
        let timeout = timespec(left);
        // SAFETY: the pointers are to live values, the length is that of `entries`, and no signal
        // mask is given.
        let ready = unsafe {
            libc::ppoll(
                entries.as_mut_ptr(),
                2,
                &raw const timeout,
                std::ptr::null(),
            )
        };
        if entries[0].revents != 0 {
            return WaitResult::Event;
        }
        if ready > 0 {
            return WaitResult::Socket;
        }
        if until <= monotonic() {
            return WaitResult::Timeout;
        }
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    // SAFETY: zeroes are a valid timespec, which has padding on some 32-bit machines.
    let mut timespec: libc::timespec = unsafe { mem::zeroed() };
    timespec.tv_sec = narrowed(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX));
    // Below 10^9, which fits a c_long of any width.
    timespec.tv_nsec = duration.subsec_nanos() as _;
    timespec
}

// Sockets.

/// Timestamps with the times of the kernel's type long, 32 bits on a 32-bit machine, and since Linux
/// 5.1 with 64-bit times: asm-generic/socket.h.
const SO_TIMESTAMPING_OLD: c_int = 37;
const SO_TIMESTAMPING_NEW: c_int = 65;

/// Requests timestamps of sent and received messages: SO_TIMESTAMPING, networking/timestamping.rst
/// of the kernel's documentation. Transmit timestamps arrive in the error queue, numbered from 0
/// (OPT_ID) and without the packet (OPT_TSONLY).
pub fn request_timestamps(socket: BorrowedFd<'_>) -> io::Result<()> {
    let flags = libc::SOF_TIMESTAMPING_SOFTWARE
        | libc::SOF_TIMESTAMPING_RX_SOFTWARE
        | libc::SOF_TIMESTAMPING_TX_SOFTWARE
        | libc::SOF_TIMESTAMPING_OPT_ID
        | libc::SOF_TIMESTAMPING_OPT_TSONLY;
    let request = |name| set_option(socket, libc::SOL_SOCKET, name, flags as c_int);
    request(SO_TIMESTAMPING_NEW).or_else(|_| request(SO_TIMESTAMPING_OLD))
}

/// Requests that the kernel queues ICMP errors for this socket: IP_RECVERR in ip(7), IPV6_RECVERR
/// in ipv6(7).
pub fn request_errors(socket: BorrowedFd<'_>, version: IpVersion) -> io::Result<()> {
    if version == IpVersion::V6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1)
    }
}

/// Lets routers fragment the IPv4 packets of a socket: IP_MTU_DISCOVER in ip(7). By default Linux sets
/// the DF bit. IPv6 packets are fragmented here, as soon as the path's MTU is known.
pub fn allow_fragments(socket: BorrowedFd<'_>, version: IpVersion) -> io::Result<()> {
    if version == IpVersion::V6 {
        return Ok(());
    }
    set_option(
        socket,
        libc::IPPROTO_IP,
        libc::IP_MTU_DISCOVER,
        libc::IP_PMTUDISC_DONT,
    )
}

/// Whether the kernel assigns the identifier of a datagram ICMP socket and delivers only matching
/// replies, without their IP header.
pub const PING_SOCKETS_DEMULTIPLEX: bool = true;

/// Whether an ICMP socket receives every ICMP message that reaches this machine, errors included.
pub const SEES_ALL_MESSAGES: bool = false;

/// Makes a raw socket receive only echo replies with that identifier. With a plain raw socket per
/// host each thread received every ICMP message of the machine: 1000 hosts used 86 % of a core and
/// 94 % of the replies were lost (measured).
pub fn filter_replies(
    socket: BorrowedFd<'_>,
    version: IpVersion,
    kind: u8,
    identifier: u16,
) -> io::Result<()> {
    if version == IpVersion::V6 {
        filter_icmp6(socket, kind)?;
    }
    let mut program = reply_filter(version, kind, identifier);
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // The kernel copies the program.
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, filter)
}

/// A classic BPF program: networking/filter.rst of the kernel's documentation.
fn reply_filter(version: IpVersion, kind: u8, identifier: u16) -> Vec<libc::sock_filter> {
    const LOAD_BYTE_AT: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
    const LOAD_HALF_AT: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
    const LOAD_BYTE_AFTER: u16 = 0x50; // BPF_LD | BPF_B | BPF_IND
    const LOAD_HALF_AFTER: u16 = 0x48; // BPF_LD | BPF_H | BPF_IND
    const LOAD_HEADER_LEN: u16 = 0xb1; // BPF_LDX | BPF_B | BPF_MSH
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let step = |code, k| libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    };
    let unless = |k: u32, jf| libc::sock_filter {
        code: JUMP_IF_EQUAL,
        jt: 0,
        jf,
        k,
    };
    let judgement = |load| {
        [
            unless(kind.into(), 3),
            step(load, 4),
            unless(identifier.into(), 1),
            step(RETURN, u32::MAX),
            step(RETURN, 0),
        ]
    };
    if version == IpVersion::V6 {
        [&[step(LOAD_BYTE_AT, 0)][..], &judgement(LOAD_HALF_AT)].concat()
    } else {
        // The filter also sees the IPv4 header; its length goes into the index register.
        [
            &[step(LOAD_HEADER_LEN, 0), step(LOAD_BYTE_AFTER, 0)][..],
            &judgement(LOAD_HALF_AFTER),
        ]
        .concat()
    }
}

/// Makes a raw ICMPv6 socket receive only one type of message: ICMP6_FILTER, RFC 3542 section 3.2.
fn filter_icmp6(socket: BorrowedFd<'_>, kind: u8) -> io::Result<()> {
    const ICMP6_FILTER: c_int = 1;
    let mut blocked = [u32::MAX; 8];
    blocked[usize::from(kind >> 5)] &= !(1 << (kind & 31));
    set_option(socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, blocked)
}

/// Makes a socket send and receive by one interface only: SO_BINDTODEVICE in socket(7).
pub fn bind_to_interface(
    socket: BorrowedFd<'_>,
    name: &str,
    _version: IpVersion,
) -> io::Result<()> {
    let mut padded = [0u8; libc::IFNAMSIZ];
    // The last byte remains zero.
    let name_bytes = padded.iter_mut().take(libc::IFNAMSIZ - 1);
    if name.len() > name_bytes.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    name_bytes
        .zip(name.bytes())
        .for_each(|(to, from)| *to = from);
    set_option(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, padded)
}

/// Whether a send failed because of an ICMP error about an earlier message: icmp_err_convert in
/// net/ipv4/icmp.c.
pub fn is_pending_error(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EHOSTUNREACH
                | libc::ECONNREFUSED
                | libc::ENOPROTOOPT
                | libc::EMSGSIZE
                | libc::EOPNOTSUPP
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EPROTO
        )
    )
}

/// Whether a send failed for lack of an answer from ARP or NDP. Never on Linux, which reports that
/// by an ICMP error.
pub fn is_silent_neighbour(_: &io::Error) -> bool {
    false
}

/// Whether there is a carrier: `struct ethtool_value` in linux/ethtool.h.
const ETHTOOL_GLINK: u32 = 0x0a;

/// The state of an interface: SIOCGIFFLAGS in netdevice(7). `None` when it does not exist.
pub fn interface_state(name: &str) -> Option<InterfaceState> {
    // SAFETY: zeroes are a valid ifreq, whose name then ends with a zero byte.
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
    // SAFETY: a new descriptor without another owner.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let raw = socket.as_raw_fd();
    // SAFETY: the pointer is to a whole ifreq, which the call fills in.
    check(unsafe { libc::ioctl(raw, libc::SIOCGIFFLAGS as _, &raw mut request) }).ok()?;
    // SAFETY: after success the flags are the member that was written.
    let flags = c_int::from(unsafe { request.ifr_ifru.ifru_flags });
    // The flag changes up to a second after the carrier (net/core/link_watch.c). Drivers that do
    // not have this request keep the value.
    let mut link: [u32; 2] = [ETHTOOL_GLINK, 1];
    request.ifr_ifru.ifru_data = (&raw mut link).cast();
    // SAFETY: the pointers are to a whole ifreq and ethtool_value, which outlive the call.
    let _ = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    Some(InterfaceState {
        is_up: flags & libc::IFF_UP != 0,
        has_carrier: flags & libc::IFF_RUNNING != 0 && link[1] != 0,
        has_neighbours: flags & (libc::IFF_NOARP | libc::IFF_POINTOPOINT) == 0,
    })
}

/// A socket address in the abstract namespace: unix(7).
pub fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    <SocketAddr as SocketAddrExt>::from_abstract_name(name)
}

// Programs.

/// Makes a program start without the ambient capabilities of this one: capabilities(7).
pub fn drop_ambient_capabilities(command: &mut Command) {
    // SAFETY: between fork and exec only a system call without pointers is made. A kernel without
    // an ambient set refuses, and then there is nothing to drop.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_CLEAR_ALL,
                0,
                0,
                0,
            );
            Ok(())
        });
    }
}

/// An unnamed file in memory: memfd_create(2). Reading it neither waits nor fails.
pub fn memory_file() -> io::Result<File> {
    // SAFETY: the name ends with a zero byte.
    let fd = check(unsafe { libc::memfd_create(c"notice".as_ptr(), libc::MFD_CLOEXEC) })?;
    // SAFETY: a new descriptor without another owner.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Has all threads share one malloc arena, so that each reuses memory that others freed, and keeps
/// long responses outside of it: without a fixed threshold glibc raises it to the size of the
/// largest block that was freed, and what lies between blocks stays with the process (mallopt(3)).
/// Called before threads are started.
pub fn share_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: calls without pointers.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
    }
}

/// Returns free memory of the allocator to the system, where the C library can: after a reload or
/// an import.
pub fn release_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a call without pointers, safe from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

// Remedies that doctor names.

/// The commands that permit a program to ping.
pub fn permission_cure(program: &str) -> String {
    format!(
        "for every program of every user:  sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"\n\
         or for this program only:         setcap cap_net_raw+ep {program}\n\
         or in its systemd service unit:   AmbientCapabilities=CAP_NET_RAW"
    )
}

pub const LOOPBACK_CURE: &str = "ip link set lo up, and let the firewall pass ICMP";
pub const ROUTE_CURE: &str = "ip route add default via ADDRESS";
/// For a clock that is wrong or not synchronised.
pub const CLOCK_CURE: &str = "timedatectl set-ntp true, or date -s \"YYYY-MM-DD HH:MM:SS\"";
