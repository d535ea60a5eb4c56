//! The socket of one check: a datagram ICMP socket (Linux's ping sockets), or else a raw one,
//! connected and filtered. icmp(7), raw(7), ip(7), ipv6(7). Where the kernel does not sort what it
//! shows to a socket (sys::SEES_ALL_MESSAGES), it is not connected, since the errors of routers
//! would be kept from it too, and picks its own messages from all.

use crate::pure::address::IpVersion;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::{Target, route};
use crate::pure::check::{CheckRun, ReceiveTime};
use crate::pure::icmp;
use crate::pure::model::{IcmpError, LocalFault, Source};
use crate::sys::{self, Batch, Queue};

/// Which kind of socket an [`EchoSocket`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketType {
    /// A datagram socket: the kernel sets the identifier and delivers only echo replies with it.
    /// Needs the process's group in `net.ipv4.ping_group_range`.
    Datagram,
    /// A raw socket: needs CAP_NET_RAW, or root. Connected and filtered, so that it does not see
    /// every ICMP message there is.
    Raw,
}

/// What a host's pings are sent with.
#[derive(Clone, Debug, Default)]
pub struct SocketOptions {
    /// Time to live, hop limit.
    pub time_to_live: Option<u8>,
    /// What to send from.
    pub source: Option<Source>,
}

/// Why a check could not be made: all of them are this machine's own fault.
#[derive(Debug)]
pub enum SocketError {
    /// Neither kind of socket is allowed to this process.
    Permission,
    /// This machine has no such version of IP.
    NoVersion(IpVersion),
    /// No route, address or interface to reach the target by.
    NoWay {
        /// The address that was to be pinged.
        target: IpAddr,
        /// What connect(2) said.
        cause: io::Error,
    },
    /// The address or the interface to send from is not there.
    NoSource {
        /// As the configuration has it.
        source: String,
        /// What bind(2) or setsockopt(2) said.
        cause: io::Error,
    },
    /// Anything else: no descriptors, no memory.
    Socket {
        /// The call that failed.
        operation: &'static str,
        /// What it said.
        cause: io::Error,
    },
}

impl SocketError {
    /// What it keeps this machine from.
    pub fn local_fault(&self) -> LocalFault {
        match self {
            SocketError::NoVersion(_)
            | SocketError::NoWay { .. }
            | SocketError::NoSource { .. } => LocalFault::Link,
            SocketError::Permission | SocketError::Socket { .. } => LocalFault::Other,
        }
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketError::Permission => write!(f, "no permission to send ICMP"),
            SocketError::NoVersion(IpVersion::V4) => write!(f, "this machine has no IPv4"),
            SocketError::NoVersion(IpVersion::V6) => write!(f, "this machine has no IPv6"),
            SocketError::NoWay { target, cause } => write!(f, "no way to {target}: {cause}"),
            SocketError::NoSource { source, cause } => write!(f, "source {source}: {cause}"),
            SocketError::Socket { operation, cause } => write!(f, "{operation}: {cause}"),
        }
    }
}

/// A socket that pings one address.
#[derive(Debug)]
pub struct EchoSocket {
    socket: Socket,
    kind: SocketType,
    version: IpVersion,
    identifier: u16,
    target: Target,
    peer: IpAddr,
    /// Stamps are numbered by what the kernel took; after a failed send the number of a stamp is
    /// not known for sure.
    stamps_are_numbered: bool,
}

impl EchoSocket {
    /// Opens a socket to `target`. `random` gives a raw socket its identifier; a datagram socket
    /// has one from the kernel.
    pub fn open(
        target: &Target,
        options: &SocketOptions,
        random: u64,
    ) -> Result<EchoSocket, SocketError> {
        let version = target.version();
        let (socket, kind) = create(version)?;
        // Stamps are a help, errors a reason: a kernel without them still pings.
        for request in [
            sys::request_stamps(socket.as_fd()),
            sys::request_errors(socket.as_fd(), version),
        ] {
            if let Err(error) = request {
                log::debug!("socket options for {}: {error}", target.ip);
            }
        }
        let identifier = random.to_be_bytes();
        let mut identifier = u16::from_be_bytes([identifier[0], identifier[1]]);
        let is_sorted = kind == SocketType::Datagram && sys::PING_SOCKETS_DEMULTIPLEX;
        if !is_sorted {
            sys::admit_only_replies(socket.as_fd(), version, version.reply_type(), identifier)
                .map_err(|cause| SocketError::Socket {
                    operation: "setting a socket filter",
                    cause,
                })?;
        }
        apply(&socket, target, options)?;
        let no_way = |cause| SocketError::NoWay {
            target: target.ip,
            cause,
        };
        let own = if sys::SEES_ALL_MESSAGES {
            route::address_towards(target).map_err(no_way)?
        } else {
            socket
                .connect(&target.socket_address().into())
                .map_err(no_way)?;
            let local = socket
                .local_addr()
                .ok()
                .and_then(|address| address.as_socket());
            if let (Some(local), true) = (local, is_sorted) {
                // Linux keeps the identifier of a datagram socket where other sockets have their
                // port.
                identifier = local.port();
            }
            local.map_or(target.ip, |local| local.ip())
        };
        if !is_sorted {
            // What came between the socket and its filter is nobody's answer.
            let _ = Batch::new(1).drain(socket.as_fd(), Queue::Messages, |_| ());
        }
        // 0.0.0.0 and :: stand for this machine, which answers from the address that it sends from.
        let peer = if target.ip.is_unspecified() {
            own
        } else {
            target.ip
        };
        Ok(EchoSocket {
            socket,
            kind,
            version,
            identifier,
            target: *target,
            peer,
            stamps_are_numbered: true,
        })
    }

    /// The identifier it sends with.
    pub fn identifier(&self) -> u16 {
        self.identifier
    }

    /// From now on its requests may pass so many routers.
    pub fn set_time_to_live(&self, hops: u8) -> io::Result<()> {
        set_time_to_live(&self.socket, self.version, hops)
    }

    /// Room for what this socket receives in answer to requests with `payload_len` bytes of
    /// payload.
    pub fn batch(&self, payload_len: usize) -> Batch {
        let ip_header = if self.has_ip_header() {
            icmp::IPV4_HEADER_MAX
        } else {
            0
        };
        // One more, so that a reply that is too long is seen to be.
        let reply = icmp::HEADER_LEN + payload_len + 1;
        Batch::new(
            ip_header
                + if sys::SEES_ALL_MESSAGES {
                    reply.max(icmp::ERROR_LEN_MAX)
                } else {
                    reply
                },
        )
    }

    /// Whether messages come with their IP header, whose checksum and ICMP's nobody may have looked
    /// at.
    fn has_ip_header(&self) -> bool {
        self.version == IpVersion::V4
            && !(self.kind == SocketType::Datagram && sys::PING_SOCKETS_DEMULTIPLEX)
    }

    /// Whether a send failed because a neighbour on the way to the target does not say where it is,
    /// and not for want of a route: the ping is lost, not unsent.
    pub fn is_unresolved_neighbour(&self, error: &io::Error) -> bool {
        sys::is_silent_neighbour(error) && route::address_towards(&self.target).is_ok()
    }

    fn put(&self, request: &[u8]) -> io::Result<usize> {
        if sys::SEES_ALL_MESSAGES {
            self.socket
                .send_to(request, &self.target.socket_address().into())
        } else {
            self.socket.send(request)
        }
    }

    /// Sends one request. An ICMP error about an earlier ping is reported by the next call on the
    /// socket, whatever it is (measured: a connected socket returns it from send, unsent), so the
    /// errors are read and the request is sent again.
    pub fn send(
        &mut self,
        request: &[u8],
        batch: &mut Batch,
        run: &mut CheckRun,
    ) -> io::Result<()> {
        let Err(first) = self.put(request) else {
            return Ok(());
        };
        if self.read_errors(batch, run) == 0
            && self.socket.take_error().ok().flatten().is_none()
            && !sys::is_pending_error(&first)
        {
            self.stamps_are_numbered = false;
            return Err(first);
        }
        self.put(request)
            .map(|_| ())
            .inspect_err(|_| self.stamps_are_numbered = false)
    }

    /// Hands every message that lies in the socket to the check, its errors too where the kernel
    /// reports one.
    pub fn read(&mut self, batch: &mut Batch, run: &mut CheckRun) {
        // Each round has read at least one error; a flood of them is read on in the next turn.
        for _ in 0..ERROR_ROUNDS {
            let fd = self.socket.as_fd();
            let mut read = None;
            let (has_ip_header, version, identifier, peer) = (
                self.has_ip_header(),
                self.version,
                self.identifier,
                self.peer,
            );
            let result = batch.drain(fd, Queue::Messages, |message| {
                // A raw IPv4 socket gets the packet as it came.
                let bytes = if has_ip_header {
                    icmp::strip_ipv4_header(message.bytes)
                } else {
                    Some(message.bytes)
                };
                if sys::SEES_ALL_MESSAGES
                    && !take_own(bytes, version, identifier, message.source, peer, run)
                {
                    return;
                }
                let read = *read.get_or_insert_with(sys::clocks);
                let receipt = ReceiveTime {
                    kernel_ns: message.stamp_ns,
                    read,
                };
                if message.source != Some(peer) {
                    run.received_foreign(receipt);
                    return;
                }
                let is_whole =
                    |icmp: &&[u8]| !message.is_cut && (!has_ip_header || icmp::checksum(icmp) == 0);
                run.received(bytes.filter(is_whole).and_then(icmp::parse_echo), receipt);
            });
            // A pending ICMP error is returned once, before the messages behind it.
            if result.is_ok() || self.read_errors(batch, run) == 0 {
                return;
            }
        }
    }

    /// Hands every ICMP error and transmit stamp to the check; says how many ICMP errors there
    /// were.
    pub fn read_errors(&self, batch: &mut Batch, run: &mut CheckRun) -> usize {
        const ORIGIN_ICMP: u8 = 2;
        const ORIGIN_ICMP6: u8 = 3;
        const ORIGIN_STAMP: u8 = 4;
        let mut errors = 0;
        let result = batch.drain(self.socket.as_fd(), Queue::Errors, |message| {
            let Some(error) = message.error else { return };
            match error.origin {
                ORIGIN_STAMP => {
                    if let (true, Some(stamp)) = (self.stamps_are_numbered, message.stamp_ns) {
                        run.transmitted(error.data as usize, stamp);
                    }
                }
                ORIGIN_ICMP | ORIGIN_ICMP6 => {
                    errors += 1;
                    let version = match error.origin {
                        ORIGIN_ICMP6 => IpVersion::V6,
                        _ => IpVersion::V4,
                    };
                    run.received_error(
                        message.bytes,
                        IcmpError {
                            kind: error.kind,
                            code: error.code,
                            version,
                            from: error.offender,
                        },
                    );
                }
                _ => errors += 1,
            }
        });
        if let Err(error) = result {
            log::debug!("error queue of a socket to {}: {error}", self.peer);
        }
        errors
    }
}

/// Does with one of all the messages of the machine what elsewhere the kernel does: hands an error
/// about this socket's pings to the check, and says whether it is a reply that came to this socket.
fn take_own(
    bytes: Option<&[u8]>,
    version: IpVersion,
    identifier: u16,
    source: Option<IpAddr>,
    peer: IpAddr,
    run: &mut CheckRun,
) -> bool {
    let Some(bytes) = bytes else { return false };
    // The kernel has looked at an error's checksum, and may have changed bytes of what it quotes
    // since.
    if let Some(error) = icmp::parse_error(bytes, version).filter(|error| error.destination == peer)
    {
        run.received_error(
            error.quote,
            IcmpError {
                kind: error.kind,
                code: error.code,
                version,
                from: source,
            },
        );
        return false;
    }
    icmp::parse_echo(bytes)
        .is_some_and(|echo| echo.kind == version.reply_type() && echo.identifier == identifier)
}

impl AsFd for EchoSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// How many pending errors are read before the caller looks at the time again.
const ERROR_ROUNDS: usize = 100;

/// Whether this process may ping over a version of IP, and with which kind of socket.
pub fn probe(version: IpVersion) -> Result<SocketType, SocketError> {
    create(version).map(|(_, kind)| kind)
}

/// Whether this process may open one kind of socket.
pub fn probe_kind(version: IpVersion, kind: SocketType) -> io::Result<()> {
    create_kind(version, kind).map(drop)
}

fn create_kind(version: IpVersion, kind: SocketType) -> io::Result<Socket> {
    let (domain, protocol) = match version {
        IpVersion::V4 => (Domain::IPV4, Protocol::ICMPV4),
        IpVersion::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    let kind = match kind {
        SocketType::Datagram => Type::DGRAM,
        SocketType::Raw => Type::RAW,
    };
    Socket::new(domain, kind, Some(protocol))
}

fn create(version: IpVersion) -> Result<(Socket, SocketType), SocketError> {
    let first = match create_kind(version, SocketType::Datagram) {
        Ok(socket) => return Ok((socket, SocketType::Datagram)),
        Err(error) => error,
    };
    match create_kind(version, SocketType::Raw) {
        Ok(socket) => Ok((socket, SocketType::Raw)),
        Err(second) => Err(match (first.raw_os_error(), second.raw_os_error()) {
            (_, Some(libc::EAFNOSUPPORT)) => SocketError::NoVersion(version),
            (_, Some(libc::EPERM | libc::EACCES)) if !is_shortage(&first) => {
                SocketError::Permission
            }
            (_, Some(libc::EPERM | libc::EACCES)) => SocketError::Socket {
                operation: "opening a socket",
                cause: first,
            },
            _ => SocketError::Socket {
                operation: "opening a socket",
                cause: second,
            },
        }),
    }
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

fn apply(socket: &Socket, target: &Target, options: &SocketOptions) -> Result<(), SocketError> {
    if let Some(hops) = options.time_to_live {
        let failed = |cause| SocketError::Socket {
            operation: "setting the time to live",
            cause,
        };
        set_time_to_live(socket, target.version(), hops).map_err(failed)?;
    }
    match &options.source {
        None => Ok(()),
        Some(Source::Address(ip)) => {
            let address = match ip {
                IpAddr::V4(_) => SocketAddr::new(*ip, 0),
                IpAddr::V6(ip) => SocketAddrV6::new(*ip, 0, 0, target.scope_id).into(),
            };
            socket
                .bind(&address.into())
                .map_err(|cause| SocketError::NoSource {
                    source: ip.to_string(),
                    cause,
                })
        }
        Some(Source::Interface(name)) => {
            sys::bind_to_interface(socket.as_fd(), name, target.version()).map_err(|cause| {
                SocketError::NoSource {
                    source: name.clone(),
                    cause,
                }
            })
        }
    }
}

fn set_time_to_live(socket: &Socket, version: IpVersion, hops: u8) -> io::Result<()> {
    match version {
        IpVersion::V4 => socket.set_ttl_v4(u32::from(hops)),
        IpVersion::V6 => socket.set_unicast_hops_v6(u32::from(hops)),
    }
}

/// Keeps the kernel stamping what is received. It begins to stamp some time after the first socket
/// asks for it and ends with the last one, so that without this the first replies of a check would
/// often have no stamp.
#[derive(Debug)]
pub struct TimestampSwitch {
    socket: Option<UdpSocket>,
}

impl TimestampSwitch {
    /// Starts the stamping and waits until it works. `works` is false where the kernel does not
    /// stamp.
    pub fn start() -> TimestampSwitch {
        let keeper = Self::try_start();
        if let Err(error) = &keeper {
            log::debug!("kernel receive stamps: {error}");
        }
        TimestampSwitch {
            socket: keeper.ok(),
        }
    }

    /// Whether received messages carry a stamp.
    pub fn works(&self) -> bool {
        self.socket.is_some()
    }

    fn try_start() -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.connect(socket.local_addr()?)?;
        sys::request_stamps(socket.as_fd())?;
        // The kernel starts stamping in a work queue: a try is a millisecond apart, and the first
        // mostly succeeds.
        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
        let mut batch = Batch::new(1);
        for _ in 0..100 {
            socket.send(&[0])?;
            let mut is_stamped = false;
            batch.drain(socket.as_fd(), Queue::Messages, |message| {
                is_stamped |= message.stamp_ns.is_some()
            })?;
            batch.drain(socket.as_fd(), Queue::Errors, |_| ())?;
            if is_stamped {
                return Ok(socket);
            }
            let _ = socket.recv(&mut [0]);
        }
        Err(io::Error::other("no stamp within 100 messages"))
    }
}
