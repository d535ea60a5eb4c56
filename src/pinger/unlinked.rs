//! Pings of a check that this machine is to blame for: they are not measured, and the reason is
//! the machine's link or what keeps it from this host alone.

use std::io;

use super::Pinger;
use crate::net::{self, EchoSocket, Exchange, SocketError, Target};
use crate::pure::check::link_settles;
use crate::pure::model::{LocalFault, Outcome};
use crate::pure::time::{Monotonic, nanoseconds};
use crate::sys;

/// Why pings are not measured.
pub(super) struct Unmeasured {
    pub fault: LocalFault,
    pub reason: String,
}

impl Pinger {
    /// Excludes the lost pings that waited for their reply while the link was gone or had just come
    /// back, and those at the end of the check if nothing can be sent any more.
    // Size: inlined, its stack frame would be held by every check.
    #[inline(never)]
    pub(super) fn exclude_unlinked(
        &self,
        exchange: &mut Exchange,
        begin: Monotonic,
    ) -> Option<Unmeasured> {
        if !exchange.run.has_unanswered() {
            return None;
        }
        exchange.run.exclude_too_big(libc::EMSGSIZE);
        let target = self.target?;
        let link = self.link();
        let interface = link.as_ref().map(|link| link.interface.as_str());
        let settles = link_settles(target.version());
        let since = Monotonic(begin.0 - nanoseconds(settles));
        let mut found = None;
        for loss in net::link_losses(interface, exchange.own_address(), since) {
            let until = loss
                .until
                .map_or(sys::monotonic(), |until| until.after(settles));
            if exchange.run.exclude(loss.from, until, libc::ENETDOWN) {
                found = Some(Unmeasured {
                    fault: LocalFault::Link,
                    reason: loss.reason,
                });
            }
        }
        if exchange.run.ends_unanswered()
            && let Some((errno, unmeasured)) = self.cannot_send(&target)
        {
            exchange.run.exclude_since_last_reply(errno);
            found = Some(unmeasured);
        } else if found.is_none() && exchange.run.ends_unsent() {
            // Without a carrier a send fails with ENOBUFS at first: noop_qdisc in
            // net/sched/sch_generic.c.
            let fault = LocalFault::Link;
            found = self
                .interface_fault()
                .map(|reason| Unmeasured { fault, reason });
        }
        found
    }

    /// Why nothing could be sent to the host now, with the error of a send.
    fn cannot_send(&self, target: &Target) -> Option<(i32, Unmeasured)> {
        if let Some(reason) = self.interface_fault() {
            let fault = LocalFault::Link;
            return Some((libc::ENETDOWN, Unmeasured { fault, reason }));
        }
        let error = EchoSocket::open(target, &self.socket_options(), 0).err()?;
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
                    && !net::can_send(target, None) =>
            {
                LocalFault::Link
            }
            fault => fault,
        }
    }
}

/// What prevented a check's pings from being sent, where none was sent: by the last of them.
pub(super) fn unsent_fault(pings: &[Outcome]) -> Option<LocalFault> {
    let fault = |ping: &Outcome| match ping {
        Outcome::SendFailed { errno } => {
            Some(net::send_fault(&io::Error::from_raw_os_error(*errno)))
        }
        _ => None,
    };
    pings
        .iter()
        .try_fold(None, |_, ping| fault(ping).map(Some))?
}
