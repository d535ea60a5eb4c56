//! What macOS and FreeBSD have instead of what only Linux has. Neither stamps what is sent, nor
//! keeps ICMP errors in a queue: round-trip times are taken by our own clock, and errors are read
//! as the messages they came as. Whoever says `target_os` in this file names where the two differ
//! from each other. Written by their headers and manuals, and compiled; not run.

use crate::pure::address::IpVersion;
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

use super::route_messages::{self, Layout};
use super::{
    ExtendedError, InterfaceState, Message, Queue, Route, WaitResult, check, interface_index,
    monotonic, random_u64, read_without_waiting, set_option,
};
use crate::pure::time::Monotonic;

// -- clocks and chance
// ----------------------------------------------------------------------------------------------

/// What the C library calls the clock that stands still while the machine sleeps.
#[cfg(target_os = "macos")]
pub(super) const CLOCK_AWAKE: libc::clockid_t = libc::CLOCK_UPTIME_RAW;
/// And the one that runs on: clock_gettime(3). CLOCK_MONOTONIC does too, but is sped up and slowed
/// down by the time service.
#[cfg(target_os = "macos")]
pub(super) const CLOCK_RUNNING_ON: libc::clockid_t = libc::CLOCK_MONOTONIC_RAW;

/// What the C library calls the clock that stands still while the machine sleeps.
#[cfg(target_os = "freebsd")]
pub(super) const CLOCK_AWAKE: libc::clockid_t = libc::CLOCK_UPTIME;
/// And the one that is to run on, as sys/_clock_id.h would have it. No kernel that is known to
/// count sleep in it: only the wall clock has gone on then, and a sleep is told as a clock that was
/// set forward.
#[cfg(target_os = "freebsd")]
pub(super) const CLOCK_RUNNING_ON: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Whether a time service keeps the wall clock right, as far as the kernel knows: ntp_adjtime(2).
pub fn is_clock_synchronised() -> bool {
    // SAFETY: a timex of zeroes asks for nothing to be changed, and is valid for the call to write
    // to.
    let state = unsafe {
        let mut answer: libc::timex = mem::zeroed();
        libc::ntp_adjtime(&raw mut answer)
    };
    state >= 0 && state != libc::TIME_ERROR
}

/// Fills the bytes, at most 256, with chance from the kernel; says whether it could.
pub(super) fn fill_random(bytes: &mut [u8]) -> bool {
    // SAFETY: the pointer and the length describe `bytes`.
    unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) == 0 }
}

// -- waiting
// --------------------------------------------------------------------------------------------------------

/// A switch that is thrown once and stays so, and that can be waited for together with a socket: a
/// pipe that nobody reads.
#[derive(Debug)]
pub struct Event {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Event {
    /// An event that has not happened.
    pub fn new() -> io::Result<Event> {
        let (reader, writer) = io::pipe()?;
        read_without_waiting(writer.as_fd())?;
        Ok(Event { reader, writer })
    }

    /// Lets it happen.
    pub fn throw(&self) {
        // A pipe that is full of throws has been thrown.
        let _ = (&self.writer).write(&[1]);
    }
}

/// Waits until `until` on the monotonic clock, for the event and the socket. A signal does not end
/// the wait. poll(2) counts in milliseconds: a wait may last one longer than it should, and is
/// never shorter.
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

// -- sockets
// --------------------------------------------------------------------------------------------------------

/// There are no transmit stamps here, and receive stamps alone say less than our own clock.
pub fn request_stamps(_: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There is no queue for errors: they come as messages, unasked.
pub fn request_errors(_: BorrowedFd<'_>, _version: IpVersion) -> io::Result<()> {
    Ok(())
}

/// Whether the kernel gives a datagram socket for ICMP an identifier of its own, and shows it only
/// replies with that, from behind the IP header. macOS has such sockets for programs without
/// rights, but they are raw ones in all other respects; FreeBSD has none.
pub const PING_SOCKETS_DEMULTIPLEX: bool = false;

/// Whether an echo socket is shown every ICMP message of the machine, errors among them, and has to
/// pick its own.
pub const SEES_ALL_MESSAGES: bool = true;

/// Lets only replies and errors through a raw ICMPv6 socket: RFC 3542 section 3.2, where a set bit
/// lets a type pass. Neither system filters by identifier, nor ICMP for IPv4, so there is room for
/// what other programs receive meanwhile.
pub fn admit_only_replies(
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
    // The types of all errors are below 128, and those there are below 32: RFC 4443 section 2.1.
    let mut passing = [u32::MAX, 0, 0, 0, 0, 0, 0, 0];
    passing[usize::from(kind >> 5)] |= 1 << (kind & 31);
    set_option(socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, passing)
}

/// Some thousand messages. Both systems allow four times as much and more.
const RECEIVE_BUFFER_BYTES: c_int = 512 * 1024;

/// Has a socket send by one interface: IP_BOUND_IF in ip(4).
#[cfg(target_os = "macos")]
pub fn bind_to_interface(socket: BorrowedFd<'_>, name: &str, version: IpVersion) -> io::Result<()> {
    let index = interface_index(name).ok_or_else(|| io::Error::from_raw_os_error(libc::ENXIO))?;
    if version == IpVersion::V6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_BOUND_IF, index)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_BOUND_IF, index)
    }
}

/// Has a socket send from an address of one interface, which is as near as FreeBSD gets: the routes
/// decide by which.
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
    // SAFETY: after a success the list is one of whole entries, ended by a null pointer, with names
    // that end with a zero byte and addresses that are null or whole; nothing of it is used once it
    // is freed.
    unsafe {
        while let Some(one) = entry.as_ref() {
            entry = one.ifa_next;
            let is_meant = CStr::from_ptr(one.ifa_name).to_bytes() == name.as_bytes();
            let Some(address) = one
                .ifa_addr
                .as_ref()
                .filter(|address| is_meant && c_int::from(address.sa_family) == family)
            else {
                continue;
            };
            let len = libc::socklen_t::from(address.sa_len);
            result = check(libc::bind(socket.as_raw_fd(), one.ifa_addr, len)).map(|_| ());
            let bytes =
                std::slice::from_raw_parts(one.ifa_addr.cast::<u8>(), usize::from(address.sa_len));
            // A link-local address reaches neighbours only, so any other is better.
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

/// A send fails for itself here, and never for the one before.
pub fn is_pending_error(_: &io::Error) -> bool {
    false
}

/// Whether a send failed because a neighbour does not say where it is, the target itself or the
/// router towards it: arp(4). It is what Linux sends an ICMP error about.
pub fn is_silent_neighbour(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EHOSTDOWN | libc::EHOSTUNREACH)
    )
}

/// Room for one message.
pub struct Batch {
    frame: Vec<u8>,
}

/// How many messages a drain reads before it lets its caller look at the time: more than any socket
/// buffer holds, so that only a flood that does not end is cut off.
const DRAIN_ROUNDS: usize = 8000;

impl Batch {
    /// Room for messages of up to `frame_len` bytes.
    pub fn new(frame_len: usize) -> Batch {
        Batch {
            frame: vec![0; frame_len],
        }
    }

    /// Reads what lies in the socket without waiting, and hands each message to `take`. The queue
    /// of errors is always empty.
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
        // made.
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
            stamp_ns: None,
            error: None::<ExtendedError>,
        })
    }
}

/// macOS shows a packet's total length without its header and in the machine's byte order: ip(4),
/// BUGS. Makes it again what it was on its way.
fn restore_total_length(packet: &mut [u8]) {
    let len = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    if let Some(total_length) = packet.get_mut(2..4) {
        total_length.copy_from_slice(&len.to_be_bytes());
    }
}

/// The IP address in the bytes of a sockaddr_in or sockaddr_in6, which begin with a length here.
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

/// The routes of this machine, of one version of IP: sysctl(3), NET_RT_DUMP.
pub fn routes(version: IpVersion) -> Vec<Route> {
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
    route_messages::parse(
        &routing_table(version).unwrap_or_default(),
        layout,
        interface_name,
    )
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
    let mut ask = |into: *mut u8, len: &mut usize| {
        // SAFETY: the name has the length given, and the call writes at most `len` bytes to where
        // it is told to, none to a null pointer, for which it says how many there are.
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
        ask(std::ptr::null_mut(), &mut len)?;
        // It may grow meanwhile.
        len += len / 4 + 1024;
        let mut table = vec![0; len];
        match ask(table.as_mut_ptr(), &mut len) {
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
    // SAFETY: `name` has the room that the call asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: after a success the name ends with a zero byte, and it is our buffer, which still
    // stands.
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

/// A request that hands a `T` in and out: sys/ioccom.h, _IOWR.
const fn in_and_out<T>(number: u8) -> libc::c_ulong {
    0xc000_0000
        | (size_of::<T>() as libc::c_ulong) << 16
        | (b'i' as libc::c_ulong) << 8
        | number as libc::c_ulong
}
const SIOCGIFFLAGS: libc::c_ulong = in_and_out::<FlagsRequest>(17);
const SIOCGIFMEDIA: libc::c_ulong = in_and_out::<MediaRequest>(56);
/// Bits of `ifm_status`: net/if_media.h. Whether it says anything, and whether the other end is
/// there.
const STATUS_IS_VALID: c_int = 1;
const STATUS_IS_ACTIVE: c_int = 2;

/// The state of an interface by its name: netintro(4) and ifmedia(4). `None` when there is none.
pub fn interface_state(name: &str) -> Option<InterfaceState> {
    let mut padded = [0; libc::IF_NAMESIZE];
    // The last byte stays zero.
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
    // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: a system call without pointers. A program that is started between the two calls
    // inherits an idle socket.
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
    // Tunnels have no media; for them that they run is all there is to know.
    let has_carrier = if answered && status & STATUS_IS_VALID != 0 {
        status & STATUS_IS_ACTIVE != 0
    } else {
        flags & libc::IFF_RUNNING != 0
    };
    Some(InterfaceState {
        is_up: flags & libc::IFF_UP != 0,
        has_carrier,
    })
}

/// There are no abstract names here, nor a service manager that uses them.
pub fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

// -- programs
// -------------------------------------------------------------------------------------------------------

/// Has a program start without the rights that this one was given for itself. There are none here
/// that go by themselves from one program to the next.
pub fn withhold_capabilities(_: &mut Command) {}

/// A file without a name. What is read from it neither waits nor fails.
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

/// Nothing is to be said to the allocators here.
pub fn share_memory() {}

/// Nothing is to be said to the allocators here.
pub fn release_memory() {}

// -- cures
// ----------------------------------------------------------------------------------------------------------

/// What allows a program to ping.
#[cfg(target_os = "macos")]
pub fn permission_cure(program: &str) -> String {
    format!(
        "macOS lets every program ping, unless a sandbox or a profile forbids it; as root:  sudo {program} monitor"
    )
}

/// What allows a program to ping.
#[cfg(target_os = "freebsd")]
pub fn permission_cure(program: &str) -> String {
    format!(
        "only root may ping:  run {program} as root\n\
         in a jail, on its host:  jail -m name=NAME allow.raw_sockets=1"
    )
}

/// When this machine does not answer itself.
pub const LOOPBACK_CURE: &str = "ifconfig lo0 up, and let the firewall pass ICMP";
/// When there is no default route.
pub const ROUTE_CURE: &str = "route add default ADDRESS";
/// When the clock is wrong, or nobody keeps it.
#[cfg(target_os = "macos")]
pub const CLOCK_CURE: &str = "sudo systemsetup -setusingnetworktime on";
/// When the clock is wrong, or nobody keeps it.
#[cfg(target_os = "freebsd")]
pub const CLOCK_CURE: &str = "sysrc ntpd_enable=YES ntpd_sync_on_start=YES && service ntpd restart";
