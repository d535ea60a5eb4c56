//! Resolves the address of a host anew for every check: a literal address, a name, or this
//! machine's default gateway. A name that stops resolving keeps its last good address.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Machine, Target};
use crate::pure::address::{AddressKind, IpVersion, Source};
use crate::pure::cause::NetworkPosition;
use crate::pure::model::Host;
use crate::pure::names::{NameAddresses, NameFault};
use crate::pure::phrase::count;
use crate::pure::time::{Monotonic, nanoseconds};
use crate::stop::Stop;
use crate::sys;

/// Limits of the wait for the resolver while no address is known yet; between them it is the
/// interval. The C library asks a second server after 5 s, and a third after 10 s.
const MIN_FIRST_WAIT: Duration = Duration::from_secs(6);
const MAX_FIRST_WAIT: Duration = Duration::from_secs(12);
/// Maximum wait for the resolver when the last good address can be pinged, and a tenth of the
/// interval at most.
const MAX_LATER_WAIT: Duration = Duration::from_secs(1);
/// A lookup that takes longer, and longer than the interval, has failed.
const MAX_PENDING: Duration = Duration::from_secs(15);
/// Minimum time between the starts of two lookups by [`Resolver::poll`]. Probes follow the name to
/// the second, so it is less than their interval.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(400);
/// How long [`Resolver::follow`] waits for an answer.
const FOLLOW_WAIT: Duration = Duration::from_millis(50);
/// A wait for the resolver checks the stop flag this often.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Resolves the address of one host.
#[derive(Debug)]
pub struct Resolver<M: Machine> {
    machine: M,
    host: Arc<Host>,
    /// Time between two checks.
    interval: Duration,
    addresses: NameAddresses,
    /// The only lookup in progress: the C library's resolver cannot be interrupted.
    pending: Option<Lookup<M::Answers>>,
    /// When the newest lookup was started.
    started_at: Option<Monotonic>,
    failures: u64,
    beyond: Option<Arc<RepliesBeyond>>,
    /// Whether the gateway's address may be this host's: by its role or its local name.
    may_be_gateway: bool,
    /// Since when the name has led to the gateway's address, which is not believed.
    gateway_since: Option<Monotonic>,
    /// The newest target of `address: gateway`.
    gateway: Option<IpAddr>,
}

/// When hosts beyond the gateway were pinged and answered. All resolvers share it: a router that has
/// lost its line may answer every name with its own address, which then answers for the host.
#[derive(Debug, Default)]
pub struct RepliesBeyond(Mutex<Beyond>);

#[derive(Clone, Copy, Debug, Default)]
struct Beyond {
    pinged_at: Option<Monotonic>,
    answered_at: Option<Monotonic>,
}

impl RepliesBeyond {
    /// Adds a check of a host beyond the gateway, by its beginning.
    pub fn note(&self, began: Monotonic, is_answered: bool) {
        let mut beyond = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        beyond.pinged_at = beyond.pinged_at.max(Some(began));
        if is_answered {
            beyond.answered_at = beyond.answered_at.max(Some(began));
        }
    }

    fn newest(&self) -> Beyond {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Lookup<A> {
    answers: A,
    began: Monotonic,
}

impl<M: Machine> Resolver<M> {
    /// `beyond` is shared with the other hosts of a monitor; without it, in a single check, the
    /// gateway's address is believed.
    pub fn new(
        machine: M,
        host: Arc<Host>,
        interval: Duration,
        has_gateway_role: bool,
        beyond: Option<Arc<RepliesBeyond>>,
    ) -> Resolver<M> {
        let addresses = NameAddresses::new(host.address.clone(), host.family);
        let may_be_gateway = has_gateway_role || is_local_name(host.address.as_str());
        Resolver {
            machine,
            host,
            interval,
            addresses,
            pending: None,
            started_at: None,
            failures: 0,
            beyond,
            may_be_gateway,
            gateway_since: None,
            gateway: None,
        }
    }

    /// For the answers to this and all other names: a check of this host, which is beyond the gateway.
    pub fn note_check_beyond(&self, began: Monotonic, is_answered: bool) {
        if let Some(beyond) = &self.beyond {
            beyond.note(began, is_answered);
        }
    }

    /// The target of the next check; `Err` is the reason why there is none. Looks the name up, and
    /// waits a moment for the answer; one that comes later is for the next call. A stop ends the
    /// wait.
    pub fn resolve(&mut self, stop: &Stop) -> Result<Target, String> {
        self.resolve_until(Monotonic(i64::MAX), stop)
    }

    /// The same, without a wait beyond `until`.
    pub fn resolve_until(&mut self, until: Monotonic, stop: &Stop) -> Result<Target, String> {
        if self.is_name() {
            self.receive(Duration::ZERO, || false);
            self.start_lookup();
            let wait = if self.addresses.in_use().is_some() {
                MAX_LATER_WAIT.min(self.interval / 10)
            } else {
                self.first_wait()
            };
            let wait = wait.min(until.since(self.machine.monotonic()));
            self.receive(wait, || stop.is_raised());
        }
        self.target()
    }

    /// How long to wait while no address is known. Where further checks follow, the next tick must not
    /// be missed: an answer that comes later is used at once.
    fn first_wait(&self) -> Duration {
        match self.beyond {
            Some(_) => MAX_FIRST_WAIT.min(self.interval / 2),
            None => self.interval.clamp(MIN_FIRST_WAIT, MAX_FIRST_WAIT),
        }
    }

    /// As [`Resolver::resolve`], without any wait, and with a lookup every few seconds at most.
    pub fn poll(&mut self) -> Result<Target, String> {
        if self.is_name() {
            self.receive(Duration::ZERO, || false);
            let is_recent =
                |began: Monotonic| self.machine.monotonic().since(began) < MIN_POLL_INTERVAL;
            if !self.started_at.is_some_and(is_recent) {
                self.start_lookup();
            }
        }
        self.target()
    }

    /// As [`Resolver::poll`], with a wait for the answer of a resolver nearby.
    pub fn follow(&mut self) -> Result<Target, String> {
        let before = self.started_at;
        let found = self.poll();
        if self.started_at == before {
            return found;
        }
        self.receive(FOLLOW_WAIT, || false);
        self.target()
    }

    /// The target by what is known now.
    fn target(&mut self) -> Result<Target, String> {
        match self.host.address.kind() {
            AddressKind::Gateway => {
                let source = self.host.source.as_ref();
                let gateway = default_gateway_target(&self.machine, self.host.family, source)?;
                if let Some(before) = self
                    .gateway
                    .replace(gateway.ip)
                    .filter(|ip| *ip != gateway.ip)
                {
                    let host = &self.host;
                    log::info!("{host}: the gateway is {} now, before {before}", gateway.ip);
                }
                Ok(gateway)
            }
            AddressKind::Ip(ip) => Ok(Target {
                ip: *ip,
                scope_id: 0,
            }),
            AddressKind::Scoped(ip, zone) => scoped(*ip, zone),
            AddressKind::Name => match (self.addresses.in_use(), self.addresses.fault()) {
                (Some(address), _) => Ok(address.into()),
                (None, Some(fault)) => Err(fault.reason().to_owned()),
                (None, None) => Err(self.no_answer()),
            },
        }
    }

    /// Why the name did not resolve, while its last good address is pinged.
    pub fn failure(&self) -> Option<&str> {
        let fault = self.addresses.fault();
        let is_kept = self.addresses.in_use().is_some();
        fault.filter(|_| is_kept).map(NameFault::reason)
    }

    pub fn is_name(&self) -> bool {
        self.host.address.is_name()
    }

    /// Whether the name is known to have no address of the host's family.
    pub fn has_no_address(&self) -> bool {
        matches!(self.addresses.fault(), Some(NameFault::NoAddress(_)))
    }

    /// The addresses of the name besides the one in use.
    pub fn other_targets(&self) -> Vec<Target> {
        let others = self.addresses.others().iter();
        others.map(|address| Target::from(*address)).collect()
    }

    /// Uses another address of the name from now on.
    pub fn switch_to(&mut self, target: &Target) {
        self.addresses.switch_to(target.socket_address());
    }

    fn no_answer(&self) -> String {
        format!(
            "{} does not resolve: the resolver does not answer",
            self.host.address
        )
    }

    /// Waits for the answer of the pending lookup, if there is one.
    fn receive(&mut self, wait: Duration, is_stopped: impl Fn() -> bool) {
        let Some(lookup) = self.pending.take() else {
            return;
        };
        let until = self.machine.monotonic().after(wait);
        loop {
            let now = self.machine.monotonic();
            let left = until.since(now).min(STOP_CHECK_INTERVAL);
            match self.machine.answer(&lookup.answers, left) {
                Ok(answer) => return self.take(answer.map_err(|error| self.failed(&error))),
                Err(RecvTimeoutError::Disconnected) => {
                    let name = &self.host.address;
                    return self.take(Err(format!("the lookup of {name} ended without a result")));
                }
                Err(RecvTimeoutError::Timeout) if now >= until || is_stopped() => {
                    if now.since(lookup.began) > MAX_PENDING.max(self.interval) {
                        self.take(Err(self.no_answer()));
                    }
                    self.pending = Some(lookup);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Whether the gateway's address in an answer is the host's. Where another address was good, only
    /// after a host beyond the gateway has answered since; at the start, if one has answered lately,
    /// or if there seems to be none.
    fn believes_gateway(&self) -> bool {
        let Some(beyond) = &self.beyond else {
            return true;
        };
        let beyond = beyond.newest();
        let now = self.machine.monotonic();
        let since = self.gateway_since.unwrap_or(now);
        let has_answered_since =
            |at: i64| beyond.answered_at.is_some_and(|answered| answered.0 > at);
        self.may_be_gateway
            || if self.addresses.in_use().is_some() {
                has_answered_since(since.0)
            } else {
                has_answered_since(since.0 - nanoseconds(self.interval))
                    || (beyond.pinged_at.is_none() && now.since(since) > MAX_FIRST_WAIT)
            }
    }

    fn failed(&self, error: &io::Error) -> String {
        let message = resolver_message(error);
        format!("{} does not resolve: {message}", self.host.address)
    }

    fn take(&mut self, answer: Result<Vec<SocketAddr>, String>) {
        let in_use = self.addresses.in_use();
        let before = in_use.map(|address| address.ip());
        let source = self.host.source.as_ref();
        let machine = &self.machine;
        let (is_gateway_believed, is_gateway) = (self.believes_gateway(), Cell::new(false));
        self.addresses.answer(answer, |address| {
            let unfit = unfit(machine, &address.into(), source)?;
            if unfit != GATEWAY {
                return Some(unfit);
            }
            is_gateway.set(true);
            (!is_gateway_believed && in_use != Some(address)).then_some(unfit)
        });
        self.gateway_since = is_gateway.get().then(|| {
            self.gateway_since
                .unwrap_or_else(|| self.machine.monotonic())
        });
        let host = &self.host;
        let now = self.addresses.in_use().map(|address| address.ip());
        match (self.addresses.fault(), now) {
            (None, Some(now)) => {
                if self.failures > 0 {
                    let lookups = count(self.failures, "lookup");
                    log::info!("{host}: the name resolves again after {lookups}, to {now}");
                } else if let Some(before) = before.filter(|before| *before != now) {
                    log::info!("{host}: the name leads to {now} now, before to {before}");
                }
                self.failures = 0;
            }
            (Some(fault), Some(now)) => {
                if self.failures == 0 {
                    let reason = fault.reason();
                    log::warn!("{host}: {reason}; pinging its last address {now}");
                }
                self.failures += 1;
            }
            // The check that is not measured is logged with its reason.
            (_, None) => self.failures += 1,
        }
    }

    /// Starts a lookup unless one is pending.
    fn start_lookup(&mut self) {
        if self.pending.is_some() {
            return;
        }
        let began = self.machine.monotonic();
        self.started_at = Some(began);
        match self.machine.look_up(self.host.address.as_str()) {
            Ok(answers) => self.pending = Some(Lookup { answers, began }),
            Err(error) => self.take(Err(format!("starting a lookup: {error}"))),
        }
    }
}

/// What is said of the gateway's address.
const GATEWAY: &str = ", the gateway's address, while no host beyond the gateway answers";

/// What is said of an address that is this machine's own, its network's broadcast address, or the
/// gateway's.
fn unfit(machine: &impl Machine, target: &Target, source: Option<&Source>) -> Option<&'static str> {
    // A name of loopback may lead to it.
    if target.ip.is_loopback() {
        return None;
    }
    match machine.route_to(target, source) {
        Ok(route) if route.position == NetworkPosition::ThisMachine => {
            Some(", an address of this machine")
        }
        Ok(route) if route.position == NetworkPosition::Gateway => Some(GATEWAY),
        _ if machine.is_broadcast(target) => Some(", a broadcast address"),
        _ => None,
    }
}

/// Whether a name is one that a local network gives its machines.
fn is_local_name(name: &str) -> bool {
    const SUFFIXES: [&str; 8] = [
        "lan",
        "local",
        "home",
        "box",
        "internal",
        "localdomain",
        "home.arpa",
        "intranet",
    ];
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let has_suffix = |suffix: &&str| {
        name.strip_suffix(*suffix)
            .is_some_and(|rest| rest.ends_with('.'))
    };
    !name.contains('.') || SUFFIXES.iter().any(has_suffix)
}

/// The C library's message, without the words that the standard library puts before it.
fn resolver_message(error: &io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text)
        .to_string()
}

/// The target of `address: gateway`; `Err` is the reason why there is none.
pub fn default_gateway_target(
    machine: &impl Machine,
    family: Option<IpVersion>,
    source: Option<&Source>,
) -> Result<Target, String> {
    let mut reasons = Vec::new();
    for version in IpVersion::ALL {
        if family.is_some_and(|family| family != version) {
            continue;
        }
        let gateway = match machine.default_gateway(version, source) {
            Ok(gateway) => gateway,
            Err(error) if error.raw_os_error() == Some(libc::ENETUNREACH) => continue,
            Err(error) => {
                reasons.push(format!("no default gateway: {error}"));
                continue;
            }
        };
        let by = &gateway.interface;
        reasons.push(match gateway.target() {
            Some(target) if IpVersion::admits(family, target.ip) => return Ok(target),
            Some(target) => format!(
                "the gateway of {version} by {by} is {}, which family: {} excludes",
                target.ip,
                version.number()
            ),
            None => format!("the {version} default route by {by} has no gateway address"),
        });
    }
    Err(reasons
        .into_iter()
        .next()
        .unwrap_or_else(|| "no default gateway".into()))
}

/// The target of an IPv6 address with a zone: the name or index of an interface.
fn scoped(ip: Ipv6Addr, zone: &str) -> Result<Target, String> {
    let scope_id = zone.parse().ok().or_else(|| sys::interface_index(zone));
    let ip = IpAddr::V6(ip);
    scope_id
        .map(|scope_id| Target { ip, scope_id })
        .ok_or_else(|| format!("no interface {zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{LookupResult, ThisMachine};
    use std::sync::mpsc::sync_channel;

    fn resolver(address: &str, family: Option<IpVersion>) -> Resolver<ThisMachine> {
        let host = Host {
            family,
            ..Host::unlisted(address)
        };
        Resolver::new(
            ThisMachine,
            Arc::new(host),
            Duration::from_secs(1),
            false,
            Some(Arc::default()),
        )
    }

    fn target(ip: [u8; 4]) -> Target {
        Target {
            ip: ip.into(),
            scope_id: 0,
        }
    }

    /// A pending lookup that began some time ago, and where to send its answer.
    fn pending(
        resolver: &mut Resolver<ThisMachine>,
        ago: Duration,
    ) -> std::sync::mpsc::SyncSender<LookupResult> {
        let (sender, answers) = sync_channel(1);
        let now = sys::monotonic();
        let began = Monotonic(now.0 - nanoseconds(ago));
        resolver.pending = Some(Lookup { answers, began });
        sender
    }

    #[test]
    fn literals_and_zones_need_no_resolver() {
        let stop = Stop::new().expect("a descriptor");
        let find = |address: &str| resolver(address, None).resolve(&stop);
        assert_eq!(find("198.51.100.1"), Ok(target([198, 51, 100, 1])));
        assert_eq!(find("fe80::1%7").map(|t| t.scope_id), Ok(7));
        assert_eq!(find("fe80::1%lo").map(|t| t.scope_id), Ok(1));
        assert_eq!(find("fe80::1%nosuch0"), Err("no interface nosuch0".into()));
        assert_eq!(
            resolver("198.51.100.1", None).poll(),
            Ok(target([198, 51, 100, 1]))
        );
    }

    #[test]
    fn a_name_that_never_resolved_is_a_reason_and_one_that_stops_resolving_keeps_its_address() {
        let stop = Stop::new().expect("a descriptor");
        let mut resolver = resolver("host.invalid", None);
        let reason = resolver.resolve(&stop).expect_err("no address");
        assert!(
            reason.starts_with("host.invalid does not resolve: "),
            "{reason}"
        );
        assert_eq!(resolver.failure(), None, "nothing is pinged");
        resolver.take(Ok(vec![([198, 51, 100, 9], 0).into()]));
        assert_eq!(resolver.failure(), None);
        assert_eq!(resolver.resolve(&stop), Ok(target([198, 51, 100, 9])));
        assert_eq!(resolver.failure(), Some(reason.as_str()));
    }

    #[test]
    fn a_name_resolves_to_an_address_of_the_configured_family() {
        let stop = Stop::new().expect("a descriptor");
        let found = resolver("localhost", Some(IpVersion::V4)).resolve(&stop);
        assert_eq!(found, Ok(target([127, 0, 0, 1])));
    }

    #[test]
    fn an_address_of_this_machine_is_not_another_hosts() {
        let mut resolver = resolver("a.test", None);
        let Ok(own) = super::super::route::source_address_for(&target([198, 51, 100, 1]), None)
        else {
            eprintln!("SKIP: this machine has no default route");
            return;
        };
        resolver.take(Ok(vec![SocketAddr::new(own, 0)]));
        let reason = format!("a.test resolves to {own}, an address of this machine");
        assert_eq!(resolver.target(), Err(reason));
    }

    #[test]
    fn the_gateways_address_is_believed_when_a_host_beyond_it_answers() {
        let Ok(gateway) = default_gateway_target(&ThisMachine, Some(IpVersion::V4), None) else {
            eprintln!("SKIP: this machine has no gateway");
            return;
        };
        let answer = || Ok(vec![gateway.socket_address()]);
        let mut hijacked = resolver("a.test", None);
        hijacked.take(Ok(vec![([198, 51, 100, 1], 0).into()]));
        hijacked.note_check_beyond(sys::monotonic(), true);
        for _ in 0..2 {
            hijacked.take(answer());
            let reason = format!("a.test resolves to {}{GATEWAY}", gateway.ip);
            assert_eq!(hijacked.failure(), Some(reason.as_str()));
            assert_eq!(hijacked.target(), Ok(target([198, 51, 100, 1])));
        }
        hijacked.note_check_beyond(sys::monotonic(), false);
        hijacked.take(answer());
        assert_eq!(hijacked.target(), Ok(target([198, 51, 100, 1])));
        hijacked.note_check_beyond(sys::monotonic(), true);
        for _ in 0..2 {
            hijacked.take(answer());
            assert_eq!(hijacked.target(), Ok(gateway), "another host answers");
        }
        for (name, is_believed) in [
            ("a.test", false),
            ("router", true),
            ("fritz.box", true),
            ("nas.home.arpa.", true),
            ("notlan", true),
            ("a.notlan", false),
        ] {
            let mut fresh = resolver(name, None);
            fresh.note_check_beyond(sys::monotonic(), false);
            fresh.take(answer());
            assert_eq!(fresh.target().is_ok(), is_believed, "{name}");
        }
    }

    #[test]
    fn a_slow_answer_is_waited_for_and_no_failure_and_only_one_lookup_is_pending() {
        let stop = Stop::new().expect("a descriptor");
        let mut resolver = resolver("slow.example", None);
        resolver.take(Ok(vec![([198, 51, 100, 1], 0).into()]));
        let sender = pending(&mut resolver, Duration::from_secs(14));
        let began = sys::monotonic();
        for _ in 0..3 {
            assert_eq!(resolver.resolve(&stop), Ok(target([198, 51, 100, 1])));
            assert_eq!(resolver.poll(), Ok(target([198, 51, 100, 1])));
        }
        assert_eq!((resolver.failure(), resolver.started_at), (None, None));
        assert!(
            sys::monotonic().since(began) < MAX_LATER_WAIT,
            "a check is not delayed"
        );
        let answer = Ok(vec![([198, 51, 100, 2], 0).into()]);
        sender.send(answer).expect("the lookup is pending");
        assert_eq!(resolver.poll(), Ok(target([198, 51, 100, 2])));
        assert!(resolver.started_at.is_some() && resolver.pending.is_some());
    }

    #[test]
    fn a_lookup_that_takes_too_long_has_failed_until_its_answer_comes() {
        let stop = Stop::new().expect("a descriptor");
        let mut resolver = resolver("dead.example", None);
        resolver.take(Ok(vec![([198, 51, 100, 1], 0).into()]));
        let sender = pending(&mut resolver, MAX_PENDING + Duration::from_secs(1));
        assert_eq!(resolver.resolve(&stop), Ok(target([198, 51, 100, 1])));
        let reason = "dead.example does not resolve: the resolver does not answer";
        assert_eq!(resolver.failure(), Some(reason));
        let answer = Ok(vec![([198, 51, 100, 1], 0).into()]);
        sender.send(answer).expect("the lookup is pending");
        assert!(resolver.poll().is_ok());
        assert_eq!(resolver.failure(), None);
    }
}
