//! System calls of macOS and FreeBSD. Neither gives transmit timestamps nor queues ICMP errors:
//! round-trip times are taken with the monotonic clock, and errors are read as ordinary messages.
//! `target_os` in this file marks where the two differ. Written from their headers and manuals;
//! compiled, not run.

use crate::pure::address::IpVersion;
use crate::pure::process::ProcessFigures;
use std::ffi::CStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Write};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::SocketAddr;
use std::process::Command;

use libc::{c_int, c_uint};

use super::route_messages::{self, Entry, Layout};
use super::{
    ExtendedError, InterfaceState, Message, Packet, Queue, Route, WaitResult, check,
    interface_index, monotonic, random_u64, set_nonblocking, set_option,
};
use crate::pure::time::Monotonic;

// Clocks and random numbers.

/// The monotonic clock that does not count sleep.
#[cfg(target_os = "macos")]
pub(super) const CLOCK_WITHOUT_SLEEP: libc::clockid_t = libc::CLOCK_UPTIME_RAW;
/// The monotonic clock that counts sleep: clock_gettime(3). CLOCK_MONOTONIC does too, but a time
/// service changes its rate.
#[cfg(target_os = "macos")]
pub(super) const CLOCK_WITH_SLEEP: libc::clockid_t = libc::CLOCK_MONOTONIC_RAW;

/// The monotonic clock that does not count sleep.
#[cfg(target_os = "freebsd")]
pub(super) const CLOCK_WITHOUT_SLEEP: libc::clockid_t = libc::CLOCK_UPTIME;
/// The clock that should count sleep, by sys/_clock_id.h. No kernel is known to do so: only the
/// wall clock continues during sleep, which is then recorded as a clock that was set forward.
#[cfg(target_os = "freebsd")]
pub(super) const CLOCK_WITH_SLEEP: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Whether a time service synchronises the wall clock, as far as the kernel knows: ntp_adjtime(2).
pub fn is_clock_synchronised() -> bool {
    // SAFETY: a zeroed timex requests no change and is valid for the call to write to.
    let state = unsafe {
        let mut answer: libc::timex = mem::zeroed();
        libc::ntp_adjtime(&raw mut answer)
    };
    state >= 0 && state != libc::TIME_ERROR
}

/// Not known here.
pub fn boot_id() -> Option<String> {
    None
}

/// Not known here: there is no /proc.
pub fn process_figures() -> Option<ProcessFigures> {
    None
}

/// Fills the bytes, at most 256, with random numbers from the kernel; returns whether it succeeded.
pub(super) fn fill_random(bytes: &mut [u8]) -> bool {
    // SAFETY: the pointer and the length describe `bytes`.
    unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) == 0 }
}

// Waiting.

/// An event that happens once, and that a thread can wait for together with a socket: a pipe that
/// is never read.
#[derive(Debug)]
pub struct Event {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Event {
    pub fn new() -> io::Result<Event> {
        let (reader, writer) = io::pipe()?;
        set_nonblocking(writer.as_fd())?;
        Ok(Event { reader, writer })
    }

    /// Makes the event happen. It stays set.
    pub fn set(&self) {
        // A full pipe has been written to before.
        let _ = (&self.writer).write(&[1]);
    }
}

/// Waits for the event, the socket or `until` on the monotonic clock. Signals do not end the wait.
/// poll(2) counts milliseconds: a wait may end up to one millisecond late, and never early.
pub fn wait(event: &Event, socket: BorrowedFd<'_>, until: Monotonic) -> WaitResult {
    let entry = |fd: c_int| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    loop {
        let mut entries = [entry(event.reader.as_raw_fd()), entry(socket.as_raw_fd())];
        let left = until.since(monotonic()).as_nanos().div_ceil(1_000_000);
        let timeout = c_int::try_from(left).unwrap_or(c_int::MAX);
        // SAFETY: the pointer is to live values, and the length is that of `entries`.
        let ready = unsafe { libc::poll(entries.as_mut_ptr(), 2, timeout) };
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

// Sockets.

/// Does nothing: there are no transmit timestamps, and receive timestamps alone are less exact than
/// the monotonic clock.
pub fn request_timestamps(_: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Does nothing: errors arrive as messages without a request.
pub fn request_errors(_: BorrowedFd<'_>, _version: IpVersion) -> io::Result<()> {
    Ok(())
}

/// Nothing: these systems do not set the DF bit.
pub fn allow_fragments(_: BorrowedFd<'_>, _version: IpVersion) -> io::Result<()> {
    Ok(())
}

/// Whether the kernel assigns the identifier of a datagram ICMP socket and delivers only matching
/// replies, without their IP header. Datagram sockets of macOS need no privileges, but otherwise
/// behave like raw ones; FreeBSD has none.
pub const PING_SOCKETS_DEMULTIPLEX: bool = false;

/// Whether an ICMP socket receives every ICMP message that reaches this machine, errors included.
pub const SEES_ALL_MESSAGES: bool = true;

/// Makes a raw ICMPv6 socket receive only replies and errors: RFC 3542 section 3.2, where a set bit
/// admits a type. Neither system filters by identifier, nor ICMP for IPv4, so the receive buffer
/// has room for the messages of other programs.
pub fn filter_replies(
    socket: BorrowedFd<'_>,
    version: IpVersion,
    kind: u8,
    _identifier: u16,
) -> io::Result<()> {
    const ICMP6_FILTER: c_int = 18;
    set_option(
        socket,
        libc::SOL_SOCKET,
        libc::SO_RCVBUF,
        RECEIVE_BUFFER_BYTES,
    )?;
    if version == IpVersion::V4 {
        return Ok(());
    }
    // The types of errors are below 128 (RFC 4443 section 2.1), and those that exist are below 32.
    let mut passing = [u32::MAX, 0, 0, 0, 0, 0, 0, 0];
    passing[usize::from(kind >> 5)] |= 1 << (kind & 31);
    set_option(socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, passing)
}

/// A few thousand messages. Both systems permit four times as much and more.
const RECEIVE_BUFFER_BYTES: c_int = 512 * 1024;

/// Makes a socket send by one interface: IP_BOUND_IF in ip(4).
#[cfg(target_os = "macos")]
pub fn bind_to_interface(socket: BorrowedFd<'_>, name: &str, version: IpVersion) -> io::Result<()> {
    let index = interface_index(name).ok_or_else(|| io::Error::from_raw_os_error(libc::ENXIO))?;
    if version == IpVersion::V6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_BOUND_IF, index)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_BOUND_IF, index)
    }
}

/// Makes a socket send from an address of the interface. FreeBSD cannot bind to an interface: the
/// routes decide which is used.
#[cfg(target_os = "freebsd")]
pub fn bind_to_interface(socket: BorrowedFd<'_>, name: &str, version: IpVersion) -> io::Result<()> {
    interface_index(name).ok_or_else(|| io::Error::from_raw_os_error(libc::ENXIO))?;
    let family = if version == IpVersion::V6 {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `list` is valid for the call to write to.
    check(unsafe { libc::getifaddrs(&raw mut list) })?;
    let mut result = Err(io::Error::from_raw_os_error(libc::EADDRNOTAVAIL));
    let mut entry = list;
    // SAFETY: after success the list consists of whole entries and ends with a null pointer; names
    // end with a zero byte, addresses are null or whole. Nothing of it is used after it is freed.
    unsafe {
        while let Some(one) = entry.as_ref() {
            entry = one.ifa_next;
            let has_name = CStr::from_ptr(one.ifa_name).to_bytes() == name.as_bytes();
            let Some(address) = one
                .ifa_addr
                .as_ref()
                .filter(|address| has_name && c_int::from(address.sa_family) == family)
            else {
                continue;
            };
            let len = libc::socklen_t::from(address.sa_len);
            result = check(libc::bind(socket.as_raw_fd(), one.ifa_addr, len)).map(|_| ());
            let bytes =
                std::slice::from_raw_parts(one.ifa_addr.cast::<u8>(), usize::from(address.sa_len));
            // Any other address is better than a link-local one, which reaches only neighbours.
            let is_near_only =
                matches!(ip_in(bytes), Some(IpAddr::V6(ip)) if ip.is_unicast_link_local());
            if result.is_ok() && !is_near_only {
                break;
            }
        }
        libc::freeifaddrs(list);
    }
    result
}

/// Never: a send does not report errors about earlier messages.
pub fn is_pending_error(_: &io::Error) -> bool {
    false
}

/// Whether a send failed for lack of an answer from ARP or NDP by the target or the router towards
/// it: arp(4). Linux reports that by an ICMP error.
pub fn is_silent_neighbour(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EHOSTDOWN | libc::EHOSTUNREACH)
    )
}

/// A receive buffer for one message.
pub struct Batch {
    frame: Vec<u8>,
}

/// Messages that a drain reads before its caller may check the time: more than any socket buffer
/// holds, so that only an endless flood is cut off.
const DRAIN_ROUNDS: usize = 8000;

impl Batch {
    /// A buffer for messages of up to `frame_len` bytes.
    pub fn new(frame_len: usize) -> Batch {
        Batch {
            frame: vec![0; frame_len],
        }
    }

    /// Reads all queued messages without waiting and passes each to `take`. The error queue is
    /// always empty.
    pub fn drain(
        &mut self,
        socket: BorrowedFd<'_>,
        queue: Queue,
        mut take: impl FnMut(Message<'_>),
    ) -> io::Result<()> {
        if queue == Queue::Errors {
            return Ok(());
        }
        for _ in 0..DRAIN_ROUNDS {
            match self.receive(socket) {
                Ok(message) => take(message),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<Message<'_>> {
        // SAFETY: both are plain C structures for which zeroes are valid.
        let (mut source, mut header): (libc::sockaddr_in6, libc::msghdr) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        let mut part = libc::iovec {
            iov_base: self.frame.as_mut_ptr().cast(),
            iov_len: self.frame.len(),
        };
        header.msg_name = (&raw mut source).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        // SAFETY: the header points to a frame and an address with their right lengths, which live
        // until the call returns.
        let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
        let len = usize::try_from(len)
            .map_err(|_| io::Error::last_os_error())?
            .min(self.frame.len());
        // SAFETY: any initialised structure may be read as bytes, and it was zeroed when it was
        // created.
        let source = unsafe {
            std::slice::from_raw_parts((&raw const source).cast(), size_of::<libc::sockaddr_in6>())
        };
        let source = if header.msg_namelen == 0 {
            None
        } else {
            ip_in(source)
        };
        let bytes = &mut self.frame[..len];
        if cfg!(target_os = "macos") && matches!(source, Some(IpAddr::V4(_))) {
            restore_total_length(bytes);
        }
        let is_cut = header.msg_flags & libc::MSG_TRUNC != 0;
        Ok(Message {
            bytes,
            is_cut,
            source,
            timestamp_ns: None,
            error: None::<ExtendedError>,
        })
    }
}

/// macOS delivers the total length of a packet without its header and in host byte order: ip(4),
/// BUGS. Restores the original field.
fn restore_total_length(packet: &mut [u8]) {
    let len = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    if let Some(total_length) = packet.get_mut(2..4) {
        total_length.copy_from_slice(&len.to_be_bytes());
    }
}

/// The IP address in the bytes of a sockaddr_in or sockaddr_in6, which begin with their length
/// here.
fn ip_in(bytes: &[u8]) -> Option<IpAddr> {
    match c_int::from(*bytes.get(1)?) {
        libc::AF_INET => bytes
            .get(4..8)
            .and_then(|b| <[u8; 4]>::try_from(b).ok())
            .map(|b| Ipv4Addr::from(b).into()),
        libc::AF_INET6 => bytes
            .get(8..24)
            .and_then(|b| <[u8; 16]>::try_from(b).ok())
            .map(|b| Ipv6Addr::from(b).into()),
        _ => None,
    }
}

/// The routing table, sysctl(3) NET_RT_DUMP, in which routes are found.
#[derive(Debug)]
pub struct Routes {
    entries: Vec<Entry>,
}

impl Routes {
    pub fn open() -> io::Result<Routes> {
        let inet6 = libc::AF_INET6 as u8;
        let layout = if cfg!(target_os = "macos") {
            Layout {
                header_len: 92,
                alignment: 4,
                inet6,
            }
        } else {
            Layout {
                header_len: 14 * size_of::<libc::c_ulong>() + 40,
                alignment: size_of::<libc::c_ulong>(),
                inet6,
            }
        };
        let mut entries = Vec::new();
        for version in IpVersion::ALL {
            entries.extend(route_messages::parse(&routing_table(version)?, layout));
        }
        Ok(Routes { entries })
    }

    /// The route of a packet.
    pub fn find(&mut self, packet: &Packet) -> io::Result<Route> {
        route_messages::route_of(packet, &self.entries)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENETUNREACH))
    }

    /// The entry of the routing table from which the route is made.
    pub fn entry(&mut self, packet: &Packet) -> io::Result<Option<Route>> {
        self.find(packet).map(Some)
    }

    pub fn interface_name(&self, index: u32) -> Option<String> {
        interface_name(index)
    }
}

fn routing_table(version: IpVersion) -> io::Result<Vec<u8>> {
    let family = if version == IpVersion::V6 {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    let mut name = [
        libc::CTL_NET,
        libc::PF_ROUTE,
        0,
        family,
        libc::NET_RT_DUMP,
        0,
    ];
    let mut query = |into: *mut u8, len: &mut usize| {
        // SAFETY: the name has the given length, and the call writes at most `len` bytes to the
        // buffer. With a null pointer it only returns the length.
        check(unsafe {
            libc::sysctl(
                name.as_mut_ptr(),
                name.len() as c_uint,
                into.cast(),
                std::ptr::from_mut(len),
                std::ptr::null_mut(),
                0,
            )
        })
    };
    loop {
        let mut len = 0;
        query(std::ptr::null_mut(), &mut len)?;
        // The table may grow between the two calls.
        len += len / 4 + 1024;
        let mut table = vec![0; len];
        match query(table.as_mut_ptr(), &mut len) {
            Ok(_) => {
                table.truncate(len);
                return Ok(table);
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Err(error) => return Err(error),
        }
    }
}

fn interface_name(index: u32) -> Option<String> {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: `name` has the size that the call requires.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: after success the name ends with a zero byte, in our live buffer.
    unsafe { CStr::from_ptr(found) }
        .to_str()
        .ok()
        .map(String::from)
}

/// `struct ifreq` with its flags: net/if.h.
#[repr(C)]
struct FlagsRequest {
    name: [u8; libc::IF_NAMESIZE],
    flags: u16,
    rest: [u8; 14],
}

/// `struct ifmediareq`: net/if.h. macOS packs it.
#[cfg_attr(target_os = "macos", repr(C, packed(4)))]
#[cfg_attr(not(target_os = "macos"), repr(C))]
struct MediaRequest {
    name: [u8; libc::IF_NAMESIZE],
    current: c_int,
    mask: c_int,
    status: c_int,
    active: c_int,
    count: c_int,
    list: *mut c_int,
}

/// An ioctl request that passes a `T` in and out: _IOWR in sys/ioccom.h.
const fn in_and_out<T>(number: u8) -> libc::c_ulong {
    0xc000_0000
        | (size_of::<T>() as libc::c_ulong) << 16
        | (b'i' as libc::c_ulong) << 8
        | number as libc::c_ulong
}
const SIOCGIFFLAGS: libc::c_ulong = in_and_out::<FlagsRequest>(17);
const SIOCGIFMEDIA: libc::c_ulong = in_and_out::<MediaRequest>(56);
/// Bits of `ifm_status`, net/if_media.h: whether the status is known, and whether there is a
/// carrier.
const STATUS_IS_VALID: c_int = 1;
const STATUS_IS_ACTIVE: c_int = 2;

/// The state of an interface: netintro(4), ifmedia(4). `None` when it does not exist.
pub fn interface_state(name: &str) -> Option<InterfaceState> {
    let mut padded = [0; libc::IF_NAMESIZE];
    // The last byte remains zero.
    if name.len() >= padded.len() {
        return None;
    }
    padded[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: system calls without pointers; a machine has one version of IP at least.
    let fd = unsafe {
        match libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0) {
            -1 => libc::socket(libc::AF_INET6, libc::SOCK_DGRAM, 0),
            fd => fd,
        }
    };
    let fd = check(fd).ok()?;
    // SAFETY: a new descriptor without another owner.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: a system call without pointers. A program started between the two calls inherits an
    // idle socket.
    unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    let mut flags = FlagsRequest {
        name: padded,
        flags: 0,
        rest: [0; 14],
    };
    // SAFETY: the pointer is to a whole request, which the call fills in.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGIFFLAGS, &raw mut flags) }).ok()?;
    let mut media = MediaRequest {
        name: padded,
        current: 0,
        mask: 0,
        status: 0,
        active: 0,
        count: 0,
        list: std::ptr::null_mut(),
    };
    // SAFETY: the pointer is to a whole request, which the call fills in; with a count of 0 it
    // writes no list.
    let answered = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGIFMEDIA, &raw mut media) } == 0;
    let flags = c_int::from(flags.flags);
    let status = media.status;
    // Tunnels have no media: whether they run is all that is known.
    let has_carrier = if answered && status & STATUS_IS_VALID != 0 {
        status & STATUS_IS_ACTIVE != 0
    } else {
        flags & libc::IFF_RUNNING != 0
    };
    Some(InterfaceState {
        is_up: flags & libc::IFF_UP != 0,
        has_carrier,
        has_neighbours: flags & (libc::IFF_NOARP | libc::IFF_POINTOPOINT) == 0,
    })
}

/// Always an error: there is no abstract namespace, nor a service manager that uses it.
pub fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

// Programs.

/// Does nothing: no privileges are inherited by the programs that this one starts.
pub fn drop_ambient_capabilities(_: &mut Command) {}

/// An unnamed file. Reading it neither waits nor fails.
pub fn memory_file() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("ace-connection-logger-{:016x}", random_u64()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

/// Does nothing on these systems.
pub fn share_memory() {}

/// Does nothing on these systems.
pub fn release_memory() {}

// Remedies that doctor names.

/// The commands that permit a program to ping.
#[cfg(target_os = "macos")]
pub fn permission_cure(program: &str) -> String {
    format!(
        "macOS lets every program ping, unless a sandbox or a profile forbids it; as root:  sudo {program} monitor"
    )
}

/// The commands that permit a program to ping.
#[cfg(target_os = "freebsd")]
pub fn permission_cure(program: &str) -> String {
    format!(
        "only root may ping:  run {program} as root\n\
         in a jail, on its host:  jail -m name=NAME allow.raw_sockets=1"
    )
}

pub const LOOPBACK_CURE: &str = "ifconfig lo0 up, and let the firewall pass ICMP";
pub const ROUTE_CURE: &str = "route add default ADDRESS";
/// For a clock that is wrong or not synchronised.
#[cfg(target_os = "macos")]
pub const CLOCK_CURE: &str = "sudo systemsetup -setusingnetworktime on";
/// For a clock that is wrong or not synchronised.
#[cfg(target_os = "freebsd")]
pub const CLOCK_CURE: &str = "sysrc ntpd_enable=YES ntpd_sync_on_start=YES && service ntpd restart";
