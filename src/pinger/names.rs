//! What a pinger does for a host with a name besides pinging it: it tries again soon while the name
//! does not resolve, and tries the other addresses of a name when the one in use is silent.

use std::time::Duration;

use super::Pinger;
use crate::net::{Exchange, Machine, Target};
use crate::pure::check::{CheckSettings, ReadMode};
use crate::pure::model::CheckResult;
use crate::pure::time::Monotonic;
use crate::stop::Stop;

/// Waits between two lookups of a name that has no address yet: doubled from the first.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(32);
/// Other addresses that are tried after a silent check, one after another, and for how long each.
const MAX_TRIED: usize = 3;
const TRY_TIMEOUT: Duration = Duration::from_secs(1);

impl<M: Machine> Pinger<M> {
    /// Until `tick`, or until a name without an address resolves: the check is due then. Returns
    /// when it is due, or `None` when `stop` was raised.
    pub(super) fn wait_for_name(&mut self, tick: Monotonic, stop: &Stop) -> Option<Monotonic> {
        let mut wait = FIRST_RETRY;
        while self.target.is_none() && self.resolver.is_name() && !self.resolver.has_no_address() {
            let next = self.machine.monotonic().after(wait);
            if next >= tick {
                break;
            }
            if self.machine.wait_until(stop, next) {
                return None;
            }
            let is_resolved = self.resolver.resolve_until(tick, stop).is_ok();
            if stop.is_raised() {
                return None;
            }
            if is_resolved {
                return Some(self.machine.monotonic());
            }
            wait = (wait * 2).min(MAX_RETRY);
        }
        Some(tick)
    }

    /// After a check without any reply: says which of several addresses of the name is silent, and
    /// whether another one answers, which is pinged from now on if the configuration wants that.
    // Size: inlined, its stack frame would be held by every check.
    #[inline(never)]
    pub(super) fn try_other_addresses(
        &mut self,
        silent: &Target,
        result: &mut CheckResult,
        stop: &Stop,
    ) {
        let others = self.resolver.other_targets();
        if result.sent() == 0 || result.received() > 0 || others.is_empty() {
            return;
        }
        let tried = others.iter().take(MAX_TRIED);
        let found = tried.copied().find(|other| self.answers(other, stop));
        let (host, name) = (&self.config.host, &self.config.host.address);
        let said = match found {
            None => format!(
                "{} does not answer, nor another address of {name}",
                silent.ip
            ),
            Some(other) if self.config.uses_other_addresses => {
                self.resolver.switch_to(&other);
                let (silent, other) = (silent.ip, other.ip);
                let said =
                    format!("{silent} does not answer; {other}, another address of {name}, does");
                log::warn!("{host}: {said}, and is pinged from now on");
                said
            }
            Some(other) => format!(
                "{} does not answer; {}, another address of {name}, does",
                silent.ip, other.ip
            ),
        };
        result.reason = Some(match result.reason.take() {
            Some(reason) => format!("{reason}; {said}"),
            None => said,
        });
    }

    /// Whether a single ping to another address is answered.
    fn answers(&mut self, other: &Target, stop: &Stop) -> bool {
        let settings = CheckSettings {
            ping_count: 1,
            timeout: self.config.timeout.min(TRY_TIMEOUT),
            linger: Duration::ZERO,
            read_mode: ReadMode::Immediate,
            ..self.check_settings()
        };
        let exchange = Exchange::open(&self.machine, other, &self.socket_options(), settings);
        exchange
            .ok()
            .and_then(|exchange| self.run_exchange(exchange, stop, &mut |_| ()))
            .is_some_and(|result| result.received() > 0)
    }
}
