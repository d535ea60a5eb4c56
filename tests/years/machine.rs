//! The simulated machine on which the workers run. Each worker has its own instant: what it does
//! depends on what is true then and on what it was told, and no result flows back to it, so the
//! workers run one after the other.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use ace_connection_logger::clock::Clock;
use ace_connection_logger::net::{
    Gateway, LookupResult, Machine, PingSocket, Route, SocketError, SocketOptions, Target,
};
use ace_connection_logger::pure::address::{IpVersion, Source};
use ace_connection_logger::pure::cause::NetworkPosition;
use ace_connection_logger::pure::check::{CheckRun, ReceiveTime};
use ace_connection_logger::pure::icmp;
use ace_connection_logger::pure::link::Link;
use ace_connection_logger::pure::link_history::{LinkChange, LinkHistory, LinkLoss};
use ace_connection_logger::pure::model::IcmpError;
use ace_connection_logger::pure::time::{ClockSample, Monotonic, nanoseconds};
use ace_connection_logger::stop::Stop;

use super::random::mix;
use super::scenario::Place;
use super::world::{CORE, GATEWAY, INTERFACE, MS, OWN, PROVIDER, V6, World, base_time};

/// How long after its instant a thread wakes.
const MAX_LATENCY: u64 = 200_000;

#[derive(Clone, Debug)]
pub struct SimulatedMachine {
    world: Arc<World>,
    now: Arc<AtomicI64>,
    /// The instant of whoever moved last: of this worker or of a thread of its own.
    moved: Arc<AtomicI64>,
    /// Raised once its time has come.
    stop: Stop,
    stops_at: i64,
    /// When the process began, and so the history of its links.
    began: i64,
    counter: Arc<AtomicU64>,
    /// For IPv4 and IPv6.
    links: [Arc<Link>; 2],
}

impl SimulatedMachine {
    /// For a worker that begins at `now` and is told to stop at `stops_at`. `number` tells the
    /// workers apart.
    pub fn new(world: &Arc<World>, now: i64, stops_at: i64, number: u64) -> SimulatedMachine {
        SimulatedMachine {
            world: Arc::clone(world),
            now: Arc::new(AtomicI64::new(now)),
            moved: Arc::new(AtomicI64::new(now)),
            stop: Stop::new().expect("a descriptor is free"),
            stops_at,
            began: now,
            counter: Arc::new(AtomicU64::new(mix(number ^ now.unsigned_abs()))),
            links: [(IpVersion::V4, GATEWAY), (IpVersion::V6, V6[1])].map(|(version, gateway)| {
                Arc::new(Link {
                    version,
                    interface: INTERFACE.into(),
                    gateway: Some(gateway),
                })
            }),
        }
    }

    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    pub fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    /// The instant at which a thread of this worker delivers something.
    pub fn moved(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.moved)
    }

    /// When its monotonic clock shows that.
    pub fn when(&self, at: Monotonic) -> i64 {
        self.world.clocks.when_monotonic(self.now(), at.0)
    }

    /// Goes on to an instant, or to when the process runs again.
    pub fn go_to(&self, at: i64) {
        let now = self.now().max(self.world.running_at(at));
        self.now.store(now, Ordering::Relaxed);
        self.moved.store(now, Ordering::Relaxed);
        if now >= self.stops_at {
            self.stop.raise();
        }
    }

    /// As [`SimulatedMachine::go_to`], but no further than to the stop: whether it was raised.
    fn wait(&self, stop: &Stop, at: i64) -> bool {
        let latency = self.next() % MAX_LATENCY;
        let at = at.saturating_add(i64::try_from(latency).expect("it is small"));
        self.go_to(at.min(self.stops_at.max(self.now())));
        stop.is_raised()
    }

    fn next(&self) -> u64 {
        mix(self.counter.fetch_add(1, Ordering::Relaxed))
    }

    fn route(&self, target: &Target) -> io::Result<Route> {
        let state = self.world.state_at(self.now());
        let version = usize::from(target.ip.is_ipv6());
        let position = match target.ip {
            ip if ip == GATEWAY || ip == V6[1] => NetworkPosition::Gateway,
            IpAddr::V4(ip) if ip.octets()[..3] == [192, 0, 2] => NetworkPosition::OnLink,
            _ if state.has_no_route[version] => return Err(error(libc::ENETUNREACH)),
            _ => NetworkPosition::BeyondGateway,
        };
        Ok(Route {
            position,
            link: Some(Arc::clone(&self.links[version])),
        })
    }
}

fn error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

impl Clock for SimulatedMachine {
    fn clocks(&self) -> ClockSample {
        let now = self.now();
        ClockSample {
            monotonic: Monotonic(self.world.clocks.monotonic(now)),
            realtime_ns: self.world.clocks.wall(now),
            boottime_ns: self.world.clocks.boottime(now),
        }
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.world.clocks.monotonic(self.now()))
    }

    fn is_synchronised(&self) -> bool {
        self.world.clocks.is_synchronised(self.now())
    }

    fn boot_id(&self) -> Option<String> {
        Some(format!("boot {}", self.world.clocks.boot(self.now())))
    }
}

/// A thread, which has run to its end already.
#[derive(Debug)]
pub struct Task<T> {
    result: T,
    ended: i64,
}

/// The answer of a lookup and when it arrives.
#[derive(Debug)]
pub struct Answers {
    at: i64,
    result: RefCell<Option<LookupResult>>,
}

impl Machine for SimulatedMachine {
    type Socket = SimulatedSocket;
    type Answers = Answers;
    type Task<T: Send + 'static> = Task<T>;

    fn wait_until(&self, stop: &Stop, until: Monotonic) -> bool {
        stop.is_raised() || self.wait(stop, self.when(until))
    }

    fn wait_readable(&self, stop: &Stop, socket: &SimulatedSocket, until: Monotonic) -> bool {
        let until = self.when(until);
        let first = socket.first_arrival().unwrap_or(i64::MAX);
        stop.is_raised() || self.wait(stop, until.min(first))
    }

    fn random(&self) -> u64 {
        self.next()
    }

    fn open(
        &self,
        target: &Target,
        options: &SocketOptions,
        random: u64,
    ) -> Result<SimulatedSocket, SocketError> {
        self.route(target)
            .map_err(|cause| SocketError::CannotConnect {
                target: target.ip,
                cause,
            })?;
        Ok(SimulatedSocket {
            machine: self.clone(),
            target: *target,
            place: self.world.place_of(target.ip),
            identifier: (random >> 48) as u16,
            time_to_live: Cell::new(options.time_to_live.unwrap_or(64)),
            inbox: RefCell::default(),
            stamps: RefCell::default(),
        })
    }

    fn route_to(&self, target: &Target, _: Option<&Source>) -> io::Result<Route> {
        self.route(target)
    }

    fn default_gateway(&self, version: IpVersion, _: Option<&Source>) -> io::Result<Gateway> {
        let number = usize::from(version == IpVersion::V6);
        if self.world.state_at(self.now()).has_no_route[number] {
            return Err(error(libc::ENETUNREACH));
        }
        Ok(Gateway {
            ip: self.links[number].gateway,
            interface: INTERFACE.into(),
            scope_id: 2,
        })
    }

    fn is_broadcast(&self, _: &Target) -> bool {
        false
    }

    fn interface_fault(&self, interface: &str) -> Option<String> {
        let state = self.world.state_at(self.now());
        (state.has_no_carrier).then(|| format!("{interface} has no carrier"))
    }

    fn link_losses(&self, interface: Option<&str>, own: IpAddr, since: Monotonic) -> Vec<LinkLoss> {
        let carrier = &self.world.carrier;
        let now = self.now();
        let known = carrier.partition_point(|(at, _)| *at <= now);
        // More than happen within a check.
        let first = known.saturating_sub(20);
        let began = carrier.partition_point(|(at, _)| *at <= self.began);
        let first = first.max(began);
        let mut history = LinkHistory::new();
        let mut add = |at: i64, has_carrier: bool, changes: usize| {
            let change = LinkChange::Interface {
                index: 2,
                name: INTERFACE.into(),
                has_carrier,
                carrier_changes: u32::try_from(changes).expect("they are few"),
            };
            history.add(change, Monotonic(self.world.clocks.monotonic(at)));
        };
        let before = first.checked_sub(1).is_none_or(|index| carrier[index].1);
        add(self.began.max(now - 3600 * 1000 * MS), before, first);
        for (index, (at, has_carrier)) in carrier.iter().enumerate().take(known).skip(first) {
            add(*at, *has_carrier, index + 1);
        }
        history.losses(interface, own, since).collect()
    }

    fn look_up(&self, _: &str) -> io::Result<Answers> {
        let now = self.now();
        let state = self.world.state_at(now);
        let is_reached = state.reaches(Place::Far, 31);
        let quick = now + i64::try_from(self.next() % 40_000_000).expect("it is small");
        let failed = |why: &str| {
            let text = format!("failed to lookup address information: {why}");
            Err(io::Error::other(text))
        };
        let temporary = "Temporary failure in name resolution";
        let (at, result) = if state.has_no_carrier || state.has_no_route[0] {
            (quick, failed(temporary))
        } else if state.are_names_dead || !is_reached {
            // Two servers are asked for 5 s each, twice.
            (now + 20_000 * MS, failed(temporary))
        } else if state.has_no_name {
            (quick, failed("Name or service not known"))
        } else {
            let named = |place: &Place| *place == Place::Named;
            let index = self.world.hosts.iter().position(named);
            let index = index.expect("a host with a name");
            let ip = self.world.address_of_name(index, now);
            (quick, Ok(vec![SocketAddr::new(ip, 0)]))
        };
        Ok(Answers {
            at,
            result: RefCell::new(Some(result)),
        })
    }

    fn answer(&self, answers: &Answers, wait: Duration) -> Result<LookupResult, RecvTimeoutError> {
        let until = self.when(Monotonic(self.monotonic().0 + nanoseconds(wait)));
        if answers.at > until {
            self.go_to(until);
            return Err(RecvTimeoutError::Timeout);
        }
        self.go_to(answers.at);
        let result = answers.result.borrow_mut().take();
        result.ok_or(RecvTimeoutError::Disconnected)
    }

    fn start<T: Send + 'static>(
        &self,
        _: &str,
        _: usize,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> io::Result<Task<T>> {
        let thread = SimulatedMachine {
            now: Arc::new(AtomicI64::new(self.now())),
            ..self.clone()
        };
        let result = work(&thread);
        self.moved.store(self.now(), Ordering::Relaxed);
        let ended = thread.now();
        Ok(Task { result, ended })
    }

    fn is_finished<T: Send + 'static>(&self, task: &Task<T>) -> bool {
        task.ended <= self.now()
    }

    fn join<T: Send + 'static>(&self, task: Task<T>) -> Option<T> {
        self.go_to(task.ended);
        Some(task.result)
    }
}

/// What waits in a socket.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: i64,
    sequence: u16,
    /// An error in place of a reply, and from whom.
    error: Option<IcmpError>,
    is_wrong: bool,
}

#[derive(Debug)]
pub struct SimulatedSocket {
    machine: SimulatedMachine,
    target: Target,
    /// `None` for an address at which nothing answers.
    place: Option<(Place, usize)>,
    identifier: u16,
    time_to_live: Cell<u8>,
    inbox: RefCell<Vec<Arrival>>,
    /// When pings were sent, by the wall clock, that the check does not know of yet.
    stamps: RefCell<Vec<(u16, i64)>>,
}

impl SimulatedSocket {
    fn first_arrival(&self) -> Option<i64> {
        self.inbox.borrow().iter().map(|arrival| arrival.at).min()
    }

    /// What comes back for a ping that is sent now.
    fn arrival(&self, sequence: u16) -> Option<Arrival> {
        let world = &self.machine.world;
        let now = self.machine.now();
        let (place, index) = self.place?;
        let is_v6 = place.version() == 1 || self.target.ip.is_ipv6();
        let routers = if is_v6 {
            [V6[1], V6[2], V6[3]]
        } else {
            [GATEWAY, PROVIDER, CORE]
        };
        let distance = if place.is_beyond() { routers.len() } else { 0 };
        let number = u64::from(self.identifier) << 16 | u64::from(sequence);
        let version = if is_v6 { IpVersion::V6 } else { IpVersion::V4 };
        let error = |(kind, code), from| {
            Some(IcmpError {
                kind,
                code,
                version,
                from: Some(from),
            })
        };
        let reply = |round_trip: i64| Arrival {
            at: now + round_trip,
            sequence,
            error: None,
            is_wrong: false,
        };
        let hop = usize::from(self.time_to_live.get());
        if hop <= distance {
            let beyond = if is_v6 { Place::Far6 } else { Place::Far };
            let (router, index) = [(Place::Gateway, 31), (beyond, 30), (beyond, 29)][hop - 1];
            let exceeded = if is_v6 { (3, 0) } else { (11, 0) };
            return Some(Arrival {
                error: error(exceeded, routers[hop - 1]),
                ..reply(world.round_trip(router, index, now, number)?)
            });
        }
        let state = world.state_at(now);
        let is = |hosts: u32| hosts & (1 << index) != 0;
        if !is(state.late | state.wrong | state.unreachable) {
            return world.round_trip(place, index, now, number).map(reply);
        }
        let round_trip = base_time(place, index);
        if !state.delivers(place, index) {
            return None;
        }
        if is(state.unreachable) {
            let unreachable = if is_v6 { (1, 3) } else { (3, 1) };
            return place.is_beyond().then(|| Arrival {
                error: error(unreachable, routers[2]),
                ..reply(round_trip)
            });
        }
        let late = if is(state.late) {
            state.late_by * MS
        } else {
            0
        };
        Some(Arrival {
            is_wrong: is(state.wrong),
            ..reply(round_trip + late)
        })
    }

    /// The same reply again, up to three seconds later.
    fn second_reply(&self, first: Arrival) -> Option<Arrival> {
        let world = &self.machine.world;
        let (_, index) = self.place?;
        let is_twice = world.state_at(self.machine.now()).twice & (1 << index) != 0;
        let later = world.chance(first.at, 1) % 3_000_000_000;
        (is_twice && first.error.is_none()).then_some(Arrival {
            at: first.at + i64::try_from(later).expect("it is small"),
            ..first
        })
    }

    /// Takes what has arrived, in the order of its arrival.
    fn arrived(&self, is_error: bool) -> Vec<Arrival> {
        let mut inbox = self.inbox.borrow_mut();
        if inbox.is_empty() {
            return Vec::new();
        }
        let now = self.machine.now();
        let is_read =
            |arrival: &mut Arrival| arrival.at <= now && arrival.error.is_some() == is_error;
        let mut read: Vec<Arrival> = inbox.extract_if(.., is_read).collect();
        read.sort_by_key(|arrival| arrival.at);
        read
    }

    /// The request of a ping, of which its answer has the contents.
    fn write_request(&self, sequence: u16, batch: &mut [u8], run: &CheckRun) {
        icmp::write_request(
            batch,
            run.version(),
            self.identifier,
            sequence,
            run.cookie(),
        );
    }
}

/// Makes a reply one to no ping of its check.
fn spoil(reply: &mut [u8], chance: u64) {
    let last = reply.len() - 1;
    match chance % 4 {
        // Another sequence number, one that was not sent.
        0 => reply[6] ^= 0x40,
        // Another identifier.
        1 => reply[4] ^= 1,
        // Other contents.
        2 => reply[last] ^= 1,
        // A request.
        _ => reply[0] = 8,
    }
}

impl PingSocket for SimulatedSocket {
    type Batch = Vec<u8>;

    fn identifier(&self) -> u16 {
        self.identifier
    }

    fn own_address(&self) -> IpAddr {
        if self.target.ip.is_ipv6() { V6[0] } else { OWN }
    }

    fn route(&self, _: Option<&Source>) -> io::Result<Route> {
        self.machine.route(&self.target)
    }

    fn allow_fragments(&self) {}

    fn set_time_to_live(&self, hops: u8) -> io::Result<()> {
        self.time_to_live.set(hops);
        Ok(())
    }

    fn batch(&self, payload_len: usize) -> Vec<u8> {
        vec![0; icmp::HEADER_LEN + payload_len]
    }

    fn is_unresolved_neighbour(&self, _: &io::Error) -> bool {
        false
    }

    fn send(&mut self, request: &[u8], _: &mut Vec<u8>, _: &mut CheckRun) -> io::Result<()> {
        let sequence = icmp::parse_echo(request).expect("a request").sequence;
        let now = self.machine.now();
        let state = self.machine.world.state_at(now);
        // The neighbour is known for some time, and the packets to it are dropped at once.
        if state.has_no_carrier && mix(now.unsigned_abs()).is_multiple_of(2) {
            return Err(error(libc::ENOBUFS));
        }
        let needs_route = self.place.is_none_or(|(place, _)| place.is_beyond());
        if needs_route && state.has_no_route[usize::from(self.target.ip.is_ipv6())] {
            return Err(error(libc::ENETUNREACH));
        }
        let stamp = self.machine.world.clocks.wall(now);
        self.stamps.get_mut().push((sequence, stamp));
        let arrival = self.arrival(sequence);
        self.inbox.get_mut().extend(arrival);
        let second = arrival.and_then(|first| self.second_reply(first));
        self.inbox.get_mut().extend(second);
        Ok(())
    }

    fn read(&mut self, batch: &mut Vec<u8>, run: &mut CheckRun) {
        let clocks = self.machine.clocks();
        for arrival in self.arrived(false) {
            self.write_request(arrival.sequence, batch, run);
            batch[0] = run.version().reply_type();
            if arrival.is_wrong {
                spoil(batch, self.machine.world.chance(arrival.at, 0));
            }
            let time = ReceiveTime {
                kernel_ns: Some(self.machine.world.clocks.wall(arrival.at)),
                read: clocks,
            };
            run.received(icmp::parse_echo(batch), time);
        }
    }

    fn read_errors(&self, batch: &mut Vec<u8>, run: &mut CheckRun) -> usize {
        for (sequence, stamp) in self.stamps.borrow_mut().drain(..) {
            run.transmitted(usize::from(sequence) - 1, stamp);
        }
        let errors = self.arrived(true);
        for arrival in &errors {
            self.write_request(arrival.sequence, batch, run);
            let error = arrival.error.expect("an error");
            run.received_error(batch, error);
        }
        errors.len()
    }
}
