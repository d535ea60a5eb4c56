//! The socket of one check: a datagram ICMP socket (a ping socket, icmp(7)), or else a raw one,
//! connected and with a filter (raw(7), ip(7), ipv6(7)). On systems whose kernel shows every ICMP
//! message to every such socket ([`sys::SEES_ALL_MESSAGES`]) it is not connected, since a connected
//! socket would miss the errors that routers send, and it selects its own messages itself.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Type};

use super::{PingSocket, Route, SocketError, Target, route};
use crate::pure::address::IpVersion;
use crate::pure::address::Source;
use crate::pure::check::{CheckRun, ReceiveTime};
use crate::pure::icmp;
use crate::pure::model::IcmpError;
use crate::sys::{self, Batch, Queue};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketType {
    /// The kernel assigns the identifier and delivers only echo replies that carry it. Needs the
    /// process's group in `net.ipv4.ping_group_range`.
    Datagram,
    /// Needs CAP_NET_RAW, or root. Connected and filtered, since it would otherwise receive every
    /// ICMP message that reaches this machine.
    Raw,
}

#[derive(Clone, Debug, Default)]
pub struct SocketOptions {
    /// IPv4 time to live or IPv6 hop limit.
    pub time_to_live: Option<u8>,
    pub source: Option<Source>,
}

/// A socket that pings one address.
#[derive(Debug)]
pub struct EchoSocket {
    socket: socket2::Socket,
    kind: SocketType,
    version: IpVersion,
    identifier: u16,
    target: Target,
    /// This machine's address, from which requests are sent.
    own: IpAddr,
    /// The address that replies come from.
    peer: IpAddr,
    /// Whether the kernel's number of a transmit timestamp (SOF_TIMESTAMPING_OPT_ID) is the index
    /// of a ping. After a failed send it is not known which sends the kernel counted.
    stamp_ids_are_indexes: bool,
}

impl EchoSocket {
    /// Opens a socket to `target`. A raw socket takes its identifier from `random`; the kernel
    /// assigns that of a datagram socket.
    pub fn open(
        target: &Target,
        options: &SocketOptions,
        random: u64,
    ) -> Result<EchoSocket, SocketError> {
        let version = target.version();
        let (socket, kind) = create(version)?;
        // A kernel without timestamps or error queues can still ping.
        for request in [
            sys::request_timestamps(socket.as_fd()),
            sys::request_errors(socket.as_fd(), version),
        ] {
            if let Err(error) = request {
                log::debug!("socket options for {}: {error}", target.ip);
            }
        }
        let identifier = random.to_be_bytes();
        let mut identifier = u16::from_be_bytes([identifier[0], identifier[1]]);
        let is_demultiplexed = kind == SocketType::Datagram && sys::PING_SOCKETS_DEMULTIPLEX;
        if !is_demultiplexed {
            sys::filter_replies(socket.as_fd(), version, version.reply_type(), identifier)
                .map_err(|cause| SocketError::Socket {
                    operation: "setting a socket filter",
                    cause,
                })?;
        }
        apply_options(&socket, target, options)?;
        let cannot_connect = |cause| SocketError::CannotConnect {
            target: target.ip,
            cause,
        };
        let own = if sys::SEES_ALL_MESSAGES {
            route::source_address_for(target, options.source.as_ref()).map_err(cannot_connect)?
        } else {
            socket
                .connect(&target.socket_address().into())
                .map_err(cannot_connect)?;
            let local = socket
                .local_addr()
                .ok()
                .and_then(|address| address.as_socket());
            if let (Some(local), true) = (local, is_demultiplexed) {
                // Linux reports the identifier of a ping socket as its local port.
                identifier = local.port();
            }
            local.map_or(target.ip, |local| local.ip())
        };
        // The kernel would send packets that cannot arrive.
        let is_doubtful = match (&options.source, own, target.ip) {
            (Some(Source::Interface(_)), IpAddr::V4(_), _) => true,
            (_, IpAddr::V6(own), IpAddr::V6(to)) => {
                own.is_unicast_link_local() && !to.is_unicast_link_local()
            }
            _ => false,
        };
        if is_doubtful {
            let packet = route::packet_to(target, options.source.as_ref(), own, true);
            let errors = [libc::ENETUNREACH, libc::EADDRNOTAVAIL].map(Some);
            match route::route_of(&packet, target) {
                Err(error) if errors.contains(&error.raw_os_error()) => {
                    return Err(cannot_connect(error));
                }
                _ => {}
            }
        }
        if !is_demultiplexed {
            // Drops what the socket received before it had its filter.
            let _ = Batch::new(1).drain(socket.as_fd(), Queue::Messages, |_| ());
        }
        // Pings to 0.0.0.0 and :: are answered by this machine, from the address it sends from.
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
            own,
            peer,
            stamp_ids_are_indexes: true,
        })
    }

    /// Whether received messages begin with their IP header. The kernel has then not verified their
    /// ICMP checksum.
    fn has_ip_header(&self) -> bool {
        self.version == IpVersion::V4
            && !(self.kind == SocketType::Datagram && sys::PING_SOCKETS_DEMULTIPLEX)
    }

    fn send_once(&self, request: &[u8]) -> io::Result<usize> {
        if sys::SEES_ALL_MESSAGES {
            self.socket
                .send_to(request, &self.target.socket_address().into())
        } else {
            self.socket.send(request)
        }
    }
}

impl PingSocket for EchoSocket {
    type Batch = Batch;

    fn identifier(&self) -> u16 {
        self.identifier
    }

    fn own_address(&self) -> IpAddr {
        self.own
    }

    /// The route that requests take now.
    fn route(&self, source: Option<&Source>) -> io::Result<Route> {
        // A raw socket finds its route for each packet.
        let keeps_route = self.kind == SocketType::Datagram;
        let packet = route::packet_to(&self.target, source, self.own, keeps_route);
        route::route_of(&packet, &self.target)
    }

    /// For requests that may exceed the MTU of a path.
    fn allow_fragments(&self) {
        if let Err(error) = sys::allow_fragments(self.socket.as_fd(), self.version) {
            log::debug!("socket options for {}: {error}", self.target.ip);
        }
    }

    fn set_time_to_live(&self, hops: u8) -> io::Result<()> {
        set_time_to_live(&self.socket, self.version, hops)
    }

    /// A receive buffer for the replies to requests with `payload_len` bytes of payload.
    fn batch(&self, payload_len: usize) -> Batch {
        let ip_header = if self.has_ip_header() {
            icmp::IPV4_HEADER_MAX
        } else {
            0
        };
        // One byte more, to notice a reply that is too long.
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

    /// Whether a send failed for lack of an answer from ARP or NDP although a route exists. Such a
    /// ping is lost, not unsent.
    fn is_unresolved_neighbour(&self, error: &io::Error) -> bool {
        sys::is_silent_neighbour(error) && route::source_address_for(&self.target, None).is_ok()
    }

    /// Sends one request. The kernel reports an ICMP error about an earlier ping by failing the
    /// next call on the socket (measured: send on a connected socket fails without sending), so the
    /// errors are read and the request is sent once more.
    fn send(&mut self, request: &[u8], batch: &mut Batch, run: &mut CheckRun) -> io::Result<()> {
        let Err(first) = self.send_once(request) else {
            return Ok(());
        };
        if self.read_errors(batch, run) == 0
            && self.socket.take_error().ok().flatten().is_none()
            && !sys::is_pending_error(&first)
        {
            self.stamp_ids_are_indexes = false;
            return Err(first);
        }
        self.send_once(request)
            .map(|_| ())
            .inspect_err(|_| self.stamp_ids_are_indexes = false)
    }

    /// Passes every queued message to the check, and the error queue too where the kernel reports
    /// an error.
    fn read(&mut self, batch: &mut Batch, run: &mut CheckRun) {
        // Each round reads at least one error; a flood of them continues at the next call.
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
                let bytes = if has_ip_header {
                    icmp::strip_ipv4_header(message.bytes)
                } else {
                    Some(message.bytes)
                };
                if sys::SEES_ALL_MESSAGES
                    && !is_own_reply(bytes, version, identifier, message.source, peer, run)
                {
                    return;
                }
                let read = *read.get_or_insert_with(sys::clocks);
                let arrival = ReceiveTime {
                    kernel_ns: message.timestamp_ns,
                    read,
                };
                if message.source != Some(peer) {
                    run.received_foreign(arrival);
                    return;
                }
                let is_whole =
                    |icmp: &&[u8]| !message.is_cut && (!has_ip_header || icmp::checksum(icmp) == 0);
                run.received(bytes.filter(is_whole).and_then(icmp::parse_echo), arrival);
            });
            // The kernel returns a pending ICMP error once, before the queued messages.
            if result.is_ok() || self.read_errors(batch, run) == 0 {
                return;
            }
        }
    }

    /// Passes every ICMP error and transmit timestamp to the check. Returns the number of errors.
    fn read_errors(&self, batch: &mut Batch, run: &mut CheckRun) -> usize {
        const ORIGIN_ICMP: u8 = 2;
        const ORIGIN_ICMP6: u8 = 3;
        const ORIGIN_STAMP: u8 = 4;
        let mut errors = 0;
        let result = batch.drain(self.socket.as_fd(), Queue::Errors, |message| {
            let Some(error) = message.error else { return };
            match error.origin {
                ORIGIN_STAMP => {
                    if let (true, Some(stamp)) = (self.stamp_ids_are_indexes, message.timestamp_ns)
                    {
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

/// Selects from all ICMP messages what a demultiplexing kernel would deliver: passes an error about
/// this socket's pings to the check, and returns whether the message is a reply to this socket.
fn is_own_reply(
    bytes: Option<&[u8]>,
    version: IpVersion,
    identifier: u16,
    source: Option<IpAddr>,
    peer: IpAddr,
    run: &mut CheckRun,
) -> bool {
    let Some(bytes) = bytes else { return false };
    // The checksum of an error is not verified here: the kernel did, and may have changed quoted
    // bytes since.
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

/// Reads of pending errors before the caller checks its deadline again.
const ERROR_ROUNDS: usize = 100;

/// The type of socket this process may ping with over a version of IP.
pub fn usable_socket_type(version: IpVersion) -> Result<SocketType, SocketError> {
    create(version).map(|(_, kind)| kind)
}

/// Whether this process may open a socket of that type.
pub fn may_open(version: IpVersion, kind: SocketType) -> io::Result<()> {
    create_type(version, kind).map(drop)
}

fn create_type(version: IpVersion, kind: SocketType) -> io::Result<socket2::Socket> {
    let (domain, protocol) = match version {
        IpVersion::V4 => (Domain::IPV4, Protocol::ICMPV4),
        IpVersion::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    let kind = match kind {
        SocketType::Datagram => Type::DGRAM,
        SocketType::Raw => Type::RAW,
    };
    socket2::Socket::new(domain, kind, Some(protocol))
}

fn create(version: IpVersion) -> Result<(socket2::Socket, SocketType), SocketError> {
    let first = match create_type(version, SocketType::Datagram) {
        Ok(socket) => return Ok((socket, SocketType::Datagram)),
        Err(error) => error,
    };
    match create_type(version, SocketType::Raw) {
        Ok(socket) => Ok((socket, SocketType::Raw)),
        Err(second) => Err(match (first.raw_os_error(), second.raw_os_error()) {
            (_, Some(libc::EAFNOSUPPORT)) => SocketError::NoVersion(version),
            (_, Some(libc::EPERM | libc::EACCES)) if !is_resource_limit(&first) => {
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

fn is_resource_limit(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

fn apply_options(
    socket: &socket2::Socket,
    target: &Target,
    options: &SocketOptions,
) -> Result<(), SocketError> {
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

fn set_time_to_live(socket: &socket2::Socket, version: IpVersion, hops: u8) -> io::Result<()> {
    match version {
        IpVersion::V4 => socket.set_ttl_v4(u32::from(hops)),
        IpVersion::V6 => socket.set_unicast_hops_v6(u32::from(hops)),
    }
}

/// Keeps receive timestamps switched on in the kernel. The kernel enables them some time after the
/// first socket requests them and disables them with the last, so without this the first replies of
/// a check would often have none.
#[derive(Debug)]
pub struct TimestampSwitch {
    socket: Option<UdpSocket>,
}

impl TimestampSwitch {
    /// Requests timestamps and waits until they arrive, or until 100 messages came without one.
    pub fn start() -> TimestampSwitch {
        let socket = Self::try_start();
        if let Err(error) = &socket {
            log::debug!("kernel receive timestamps: {error}");
        }
        TimestampSwitch {
            socket: socket.ok(),
        }
    }

    /// Whether received messages carry a timestamp.
    pub fn works(&self) -> bool {
        self.socket.is_some()
    }

    fn try_start() -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.connect(socket.local_addr()?)?;
        sys::request_timestamps(socket.as_fd())?;
        // The kernel enables timestamps in a work queue; a millisecond is usually enough.
        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
        let mut batch = Batch::new(1);
        for _ in 0..100 {
            socket.send(&[0])?;
            let mut is_stamped = false;
            batch.drain(socket.as_fd(), Queue::Messages, |message| {
                is_stamped |= message.timestamp_ns.is_some()
            })?;
            batch.drain(socket.as_fd(), Queue::Errors, |_| ())?;
            if is_stamped {
                return Ok(socket);
            }
            let _ = socket.recv(&mut [0]);
        }
        Err(io::Error::other("no timestamp within 100 messages"))
    }
}
