//! Resolves the address of a host anew for every check: a literal address, a name, or this
//! machine's default gateway. A name that stops resolving keeps its last good address.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::{Target, route};
use crate::pure::address::{AddressKind, IpVersion};
use crate::pure::model::Host;
use crate::pure::phrase::count;
use crate::stop::Stop;
use crate::sys;

/// The addresses of a name, in the resolver's order.
type LookupResult = io::Result<Vec<SocketAddr>>;

/// Maximum wait for the resolver while no address is known yet.
const FIRST_LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum wait for the resolver when the last good address could be used instead.
const LATER_LOOKUP_TIMEOUT: Duration = Duration::from_secs(1);
/// A wait for the resolver checks the stop flag this often.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// The C library's resolver puts large buffers on the stack.
const LOOKUP_STACK_BYTES: usize = 512 * 1024;

/// Resolves the address of one host.
#[derive(Debug)]
pub struct Resolver {
    host: Arc<Host>,
    last_good: Option<Target>,
    /// A lookup in progress: the C library's resolver cannot be interrupted.
    pending: Option<Receiver<LookupResult>>,
    failures: u64,
    /// Why the name did not resolve, while its last good address is pinged.
    failure: Option<String>,
}

impl Resolver {
    pub fn new(host: Arc<Host>) -> Resolver {
        Resolver {
            host,
            last_good: None,
            pending: None,
            failures: 0,
            failure: None,
        }
    }

    /// The target of the next check; `Err` is the reason why there is none. A stop ends the wait
    /// for the resolver.
    pub fn resolve(&mut self, stop: &Stop) -> Result<Target, String> {
        let host = Arc::clone(&self.host);
        match host.address.kind() {
            AddressKind::Gateway => {
                return route::default_gateway_target(host.family, host.source.as_ref());
            }
            AddressKind::Ip(ip) => {
                return Ok(Target {
                    ip: *ip,
                    scope_id: 0,
                });
            }
            AddressKind::Scoped(ip, zone) => return scoped(*ip, zone),
            AddressKind::Name => {}
        }
        let looked_up = self.look_up(stop).and_then(|found| {
            let admitted = found
                .into_iter()
                .map(Target::from)
                .find(|target| IpVersion::admits(host.family, target.ip));
            admitted.ok_or_else(|| match host.family {
                Some(version) => format!("{} has no {version} address", host.address),
                None => format!("{} has no address", host.address),
            })
        });
        match looked_up {
            Ok(target) => {
                if self.failures > 0 {
                    log::info!(
                        "{host}: the name resolves again after {}, to {}",
                        count(self.failures, "check"),
                        target.ip
                    );
                }
                (self.failures, self.failure) = (0, None);
                self.last_good = Some(target);
                Ok(target)
            }
            Err(reason) => {
                self.failures += 1;
                let Some(target) = self.last_good else {
                    return Err(reason);
                };
                if self.failures == 1 {
                    log::warn!("{host}: {reason}; pinging its last address {}", target.ip);
                }
                self.failure = Some(reason);
                Ok(target)
            }
        }
    }

    /// Why the name did not resolve for the newest check, which pinged the last good address.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub fn is_name(&self) -> bool {
        self.host.address.is_name()
    }

    fn look_up(&mut self, stop: &Stop) -> Result<Vec<SocketAddr>, String> {
        let answers = match self.pending.take() {
            Some(answers) => answers,
            None => self
                .start_lookup()
                .map_err(|error| format!("starting a lookup: {error}"))?,
        };
        let mut time_left = if self.last_good.is_some() {
            LATER_LOOKUP_TIMEOUT
        } else {
            FIRST_LOOKUP_TIMEOUT
        };
        loop {
            match answers.recv_timeout(STOP_CHECK_INTERVAL) {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(error)) => {
                    return Err(format!(
                        "{} does not resolve: {}",
                        self.host.address,
                        resolver_message(&error)
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!(
                        "the lookup of {} ended without a result",
                        self.host.address
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {
                    time_left = time_left.saturating_sub(STOP_CHECK_INTERVAL);
                    if time_left.is_zero() || stop.is_raised() {
                        self.pending = Some(answers);
                        return Err(format!(
                            "{} does not resolve: the resolver does not answer",
                            self.host.address
                        ));
                    }
                }
            }
        }
    }

    fn start_lookup(&self) -> io::Result<Receiver<LookupResult>> {
        let (sender, answers) = sync_channel(1);
        let name = self.host.address.clone();
        thread::Builder::new()
            .name("lookup".into())
            .stack_size(LOOKUP_STACK_BYTES)
            .spawn(move || {
                // The receiver is gone when its host was removed or the program ends.
                let _ = sender.send((name.as_str(), 0).to_socket_addrs().map(Iterator::collect));
            })?;
        Ok(answers)
    }
}

/// The C library's message, without the words that the standard library puts before it.
fn resolver_message(error: &io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text)
        .to_string()
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

    fn resolver(address: &str, family: Option<IpVersion>) -> Resolver {
        Resolver::new(Arc::new(Host {
            name: "x".into(),
            address: address.into(),
            family,
            source: None,
        }))
    }

    #[test]
    fn literals_and_zones_need_no_resolver() {
        let stop = Stop::new().expect("a descriptor");
        let find = |address: &str| resolver(address, None).resolve(&stop);
        assert_eq!(
            find("192.0.2.1"),
            Ok(Target {
                ip: [192, 0, 2, 1].into(),
                scope_id: 0
            })
        );
        assert_eq!(find("fe80::1%7").map(|t| t.scope_id), Ok(7));
        assert_eq!(find("fe80::1%lo").map(|t| t.scope_id), Ok(1));
        assert_eq!(find("fe80::1%nosuch0"), Err("no interface nosuch0".into()));
    }

    #[test]
    fn a_name_that_never_resolved_is_a_reason_and_one_that_stops_resolving_keeps_its_address() {
        let stop = Stop::new().expect("a descriptor");
        let mut resolver = resolver("host.invalid", None);
        assert!(
            resolver
                .resolve(&stop)
                .is_err_and(|reason| reason.starts_with("host.invalid does not resolve: "))
        );
        let target = Target {
            ip: [127, 0, 0, 9].into(),
            scope_id: 0,
        };
        resolver.last_good = Some(target);
        assert_eq!(resolver.resolve(&stop), Ok(target));
    }

    #[test]
    fn a_name_resolves_to_an_address_of_the_configured_family() {
        let stop = Stop::new().expect("a descriptor");
        let target = resolver("localhost", Some(IpVersion::V4))
            .resolve(&stop)
            .expect("localhost resolves on every machine");
        assert_eq!(target.ip, IpAddr::from([127, 0, 0, 1]));
    }

    #[test]
    fn a_resolver_that_hangs_delays_a_check_with_a_last_address_only_a_little() {
        let stop = Stop::new().expect("a descriptor");
        let mut resolver = resolver("slow.example", None);
        let (sender, answers) = sync_channel(1);
        (resolver.pending, resolver.last_good) = (
            Some(answers),
            Some(Target {
                ip: [127, 0, 0, 1].into(),
                scope_id: 0,
            }),
        );
        let began = sys::monotonic();
        assert!(resolver.resolve(&stop).is_ok());
        assert!(sys::monotonic().since(began) < LATER_LOOKUP_TIMEOUT * 3);
        // A result that arrives later is used by the next check.
        sender
            .send(Ok(vec![([127, 0, 0, 2], 0).into()]))
            .expect("the lookup is pending");
        assert_eq!(
            resolver.resolve(&stop).map(|t| t.ip),
            Ok([127, 0, 0, 2].into())
        );
    }
}
