//! Pings of a check that this machine is to blame for: they are not measured, and the reason is
//! the machine's link or what keeps it from this host alone.

use std::io;
use std::time::Duration;

use super::Pinger;
use crate::net::{self, Exchange, Machine, SocketError, Target};
use crate::pure::model::{CheckResult, LocalFault, Outcome};
use crate::pure::phrase;
use crate::pure::time::Monotonic;
use crate::stop::Stop;

/// Waits between two tests of a link that was lost: doubled from the first.
pub(super) const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(2);

/// How a check ended as to this machine's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkEnd {
    Good,
    /// Some pings were sent, but not the last.
    LostWithin,
    NothingSent,
}

/// Why pings are not measured.
pub(super) struct Unmeasured {
    pub fault: LocalFault,
    pub reason: String,
}

impl<M: Machine> Pinger<M> {
    /// Notes whether a check ended without a link.
    pub(super) fn note_link(&mut self, result: &CheckResult) {
        self.link_end = if result.local_fault == Some(LocalFault::Link) {
            LinkEnd::NothingSent
        } else if unsent_fault(result.pings.last()) == Some(LocalFault::Link) {
            LinkEnd::LostWithin
        } else {
            self.link_wait = FIRST_WAIT;
            LinkEnd::Good
        };
    }

    /// Until `tick`, or after a check that ended without a link until another one shows more: at
    /// once if the link was lost within it, else when the link is back. Returns when it is due, or
    /// `None` when `stop` was raised.
    pub(super) fn wait_for_link(&mut self, tick: Monotonic, stop: &Stop) -> Option<Monotonic> {
        let source = self.config.host.source.clone();
        while self.link_end != LinkEnd::Good {
            let next = self.machine.monotonic().after(self.link_wait);
            if next >= tick {
                break;
            }
            self.link_wait = (self.link_wait * 2).min(MAX_WAIT);
            if self.machine.wait_until(stop, next) {
                return None;
            }
            let target = self.resolver.follow();
            if self.link_end == LinkEnd::LostWithin
                || target.is_ok_and(|target| self.machine.can_send(&target, source.as_ref()))
            {
                return Some(self.machine.monotonic());
            }
        }
        Some(tick)
    }

    /// Excludes the lost pings that waited for their reply while the link was gone or had just come
    /// back, and those at the end of the check if nothing can be sent any more.
    // Size: inlined, its stack frame would be held by every check.
    #[inline(never)]
    pub(super) fn exclude_unlinked(
        &self,
        exchange: &mut Exchange<M>,
        begin: Monotonic,
    ) -> Option<Unmeasured> {
        if !exchange.run.has_unanswered() {
            return None;
        }
        exchange.run.exclude_too_big(libc::EMSGSIZE);
        let target = self.target?;
        let link = self.link();
        let interface = link.as_ref().map(|link| link.interface.as_str());
        let lost = exchange.exclude_link_losses(interface, begin);
        let mut found = lost.map(|reason| Unmeasured {
            fault: LocalFault::Link,
            reason,
        });
        if exchange.run.ends_unanswered()
            && let Some((errno, unmeasured)) = self.cannot_send(&target)
        {
            exchange.run.exclude_since_last_reply(errno);
            found = Some(unmeasured);
        } else if let (None, Some(errno)) = (&found, exchange.run.last_send_error()) {
            let fault = LocalFault::Link;
            found = self
                .takes_no_packets(errno)
                .map(|reason| Unmeasured { fault, reason });
        }
        found
    }

    /// Why a ping could not be sent.
    pub(super) fn send_failure(&self, errno: i32) -> String {
        self.takes_no_packets(errno).unwrap_or_else(|| {
            let error = io::Error::from_raw_os_error(errno);
            format!("cannot send: {}", phrase::send_error(&error))
        })
    }

    /// Without a carrier a send fails with ENOBUFS at first (noop_qdisc in
    /// net/sched/sch_generic.c), also before the interface is known to have lost it.
    fn takes_no_packets(&self, errno: i32) -> Option<String> {
        let link = self.route.as_ref()?.link.as_ref()?;
        self.interface_fault().or_else(|| {
            (errno == libc::ENOBUFS).then(|| format!("{} takes no packets", link.interface))
        })
    }

    /// Why nothing could be sent to the host now, with the error of a send.
    fn cannot_send(&self, target: &Target) -> Option<(i32, Unmeasured)> {
        if let Some(reason) = self.interface_fault() {
            let fault = LocalFault::Link;
            return Some((libc::ENETDOWN, Unmeasured { fault, reason }));
        }
        let error = self.machine.open(target, &self.socket_options(), 0).err()?;
        let (SocketError::CannotConnect { cause, .. } | SocketError::NoSource { cause, .. }) =
            &error
        else {
            return None;
        };
        let errno = cause.raw_os_error().unwrap_or(libc::ENETUNREACH);
        let fault = self.fault_of(&error, target);
        let reason = error.to_string();
        Some((errno, Unmeasured { fault, reason }))
    }

    /// A source that is absent is this machine's link if the host cannot be sent to without it
    /// either.
    pub(super) fn fault_of(&self, error: &SocketError, target: &Target) -> LocalFault {
        match error.local_fault() {
            LocalFault::Host
                if matches!(error, SocketError::NoSource { .. })
                    && !self.machine.can_send(target, None) =>
            {
                LocalFault::Link
            }
            fault => fault,
        }
    }
}

/// What prevented a check's pings from being sent, where none was sent: by the last of them.
pub(super) fn unsent_fault<'p>(pings: impl IntoIterator<Item = &'p Outcome>) -> Option<LocalFault> {
    let fault = |ping: &Outcome| match ping {
        Outcome::SendFailed { errno } => {
            Some(net::send_fault(&io::Error::from_raw_os_error(*errno)))
        }
        _ => None,
    };
    pings
        .into_iter()
        .try_fold(None, |_, ping| fault(ping).map(Some))?
}
