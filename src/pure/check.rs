//! The state of one running check: what to do next, what a message means, and in the end the
//! outcome of every ping. No socket, no clock, no thread: pinger.rs drives it and hands in what the
//! socket and the clocks say.

use crate::pure::address::IpVersion;
use std::time::Duration;

use crate::pure::icmp::{self, Echo};
use crate::pure::model::{IcmpError, Outcome};
use crate::pure::phrase;
use crate::pure::time::{ClockSample, Monotonic, nanoseconds};

/// How a check goes about its pings.
#[derive(Clone, Copy, Debug)]
pub struct CheckSettings {
    /// Pings a check, at least 1.
    pub ping_count: u16,
    /// From one ping to the next.
    pub spacing: Duration,
    /// How long a ping waits for its reply.
    pub timeout: Duration,
    /// Payload bytes a ping.
    pub payload_len: usize,
    /// How long the check stays open behind its last answer for duplicates that are still on the
    /// way. A check that has seen something odd stays open at least [`UNEXPECTED_MESSAGE_LINGER`].
    pub linger: Duration,
    /// Whether replies are waited for between the pings.
    pub read_mode: ReadMode,
}

/// What a check does between two of its pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// It sleeps: the kernel stamps what comes meanwhile. One wake-up a ping, and one for the last
    /// reply.
    Deferred,
    /// It reads replies as they come: for somebody who looks on, and where the kernel does not
    /// stamp.
    Immediate,
}

/// How long a check that met duplicates or foreign messages waits for more of them.
pub const UNEXPECTED_MESSAGE_LINGER: Duration = Duration::from_millis(100);

/// What the driver of a check has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the ping with this sequence number now.
    Send(u16),
    /// Nothing is due before this instant. A reply that comes meanwhile keeps in the socket.
    SleepUntil(Monotonic),
    /// Nothing is due before this instant but to read what comes.
    ListenUntil(Monotonic),
    /// Every ping is answered or out of time.
    Done,
}

/// When a message was received.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveTime {
    /// The kernel's stamp on the wall clock, nanoseconds since 1970, where it gave one.
    pub kernel_ns: Option<i64>,
    /// The clocks when the message was read from the socket: it came no later.
    pub read: ClockSample,
}

/// One running check.
#[derive(Debug)]
pub struct CheckRun {
    plan: CheckSettings,
    version: IpVersion,
    identifier: u16,
    cookie: u64,
    pings: Vec<Ping>,
    duplicates: u32,
    foreign: u32,
    last_message_at: Option<Monotonic>,
}

#[derive(Debug)]
struct Ping {
    /// Just before the send.
    clock: ClockSample,
    transmit_ns: Option<i64>,
    receipt: Option<ReceiveTime>,
    error: Option<IcmpError>,
    send_errno: Option<i32>,
}

/// What a check found, without the host and the time.
#[derive(Debug, PartialEq)]
pub struct JudgedPings {
    /// One outcome a ping.
    pub pings: Vec<Outcome>,
    /// Right replies after their timeout.
    pub late: u32,
    /// Right replies, again.
    pub duplicates: u32,
    /// Everything else.
    pub foreign: u32,
    /// Why pings were lost or not sent.
    pub reason: Option<String>,
}

impl CheckRun {
    /// A check that has sent nothing yet. `cookie` is random; the payloads come from it.
    /// `identifier` is what the socket sends with.
    pub fn new(plan: CheckSettings, version: IpVersion, identifier: u16, cookie: u64) -> CheckRun {
        let pings = Vec::with_capacity(usize::from(plan.ping_count));
        CheckRun {
            plan,
            version,
            identifier,
            cookie,
            pings,
            duplicates: 0,
            foreign: 0,
            last_message_at: None,
        }
    }

    /// What is to be done at `now`. What the socket holds is to be handed in first: a reply that
    /// came in time counts however late it is read.
    pub fn next_action(&self, now: Monotonic) -> Action {
        let attempted = self.pings.len();
        if attempted < usize::from(self.plan.ping_count) {
            // From the send before, not from the first: after a standstill there is no burst.
            let due = self
                .pings
                .last()
                .map_or(now, |ping| ping.clock.monotonic.after(self.plan.spacing));
            let sequence = u16::try_from(attempted + 1).expect("fewer than ping_count");
            return match self.plan.read_mode {
                _ if due <= now => Action::Send(sequence),
                ReadMode::Deferred => Action::SleepUntil(due),
                ReadMode::Immediate => Action::ListenUntil(due),
            };
        }
        let open = |ping: &&Ping| ping.receipt.is_none() && ping.send_errno.is_none();
        let last_deadline = self
            .pings
            .iter()
            .filter(open)
            .map(|ping| ping.clock.monotonic.after(self.plan.timeout))
            .max();
        let is_odd = self.duplicates > 0 || self.foreign > 0;
        let linger = if is_odd {
            self.plan.linger.max(UNEXPECTED_MESSAGE_LINGER)
        } else {
            self.plan.linger
        };
        // Never beyond the last deadline there was: a stranger who keeps sending does not keep a
        // check open.
        let last_sent = self
            .pings
            .last()
            .map(|ping| ping.clock.monotonic.after(self.plan.timeout));
        let lingers_until = self
            .last_message_at
            .map(|at| at.after(linger))
            .min(last_sent);
        match last_deadline.max(lingers_until) {
            Some(until) if until > now => Action::ListenUntil(until),
            _ => Action::Done,
        }
    }

    /// The version of IP it pings over.
    pub fn version(&self) -> IpVersion {
        self.version
    }

    /// When the ping was sent, or was to be, that is number `index`, counted from 0; `None` for one
    /// that is to come.
    pub fn sent_at(&self, index: usize) -> Option<ClockSample> {
        self.pings.get(index).map(|ping| ping.clock)
    }

    /// The cookie that the payloads are made from.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// The next ping was sent, `clock` read just before.
    pub fn sent(&mut self, clock: ClockSample) {
        self.pings.push(Ping {
            clock,
            transmit_ns: None,
            receipt: None,
            error: None,
            send_errno: None,
        });
    }

    /// The next ping could not be sent.
    pub fn send_failed(&mut self, clock: ClockSample, errno: i32) {
        self.pings.push(Ping {
            clock,
            transmit_ns: None,
            receipt: None,
            error: None,
            send_errno: Some(errno),
        });
    }

    /// The kernel's stamp for the ping that left as number `index`, counted from 0: the wall clock
    /// in nanoseconds.
    pub fn transmitted(&mut self, index: usize, stamp_ns: i64) {
        if let Some(ping) = self.pings.get_mut(index) {
            ping.transmit_ns = Some(stamp_ns);
        }
    }

    /// Whether the kernel's stamp of every ping that left is known.
    pub fn is_fully_stamped(&self) -> bool {
        self.pings
            .iter()
            .all(|ping| ping.transmit_ns.is_some() || ping.send_errno.is_some())
    }

    /// A message came that was sent by the address we ping. `echo` is `None` when it was too short,
    /// cut or had a wrong checksum.
    pub fn received(&mut self, echo: Option<Echo<'_>>, receipt: ReceiveTime) {
        self.last_message_at = Some(receipt.read.monotonic);
        match echo.and_then(|echo| self.ping_answered_by(&echo)) {
            Some(index) => {
                let ping = &mut self.pings[index];
                if ping.receipt.is_none() {
                    ping.receipt = Some(receipt)
                } else {
                    self.duplicates += 1
                }
            }
            None => self.foreign += 1,
        }
    }

    /// A message came from somebody else.
    pub fn received_foreign(&mut self, receipt: ReceiveTime) {
        self.received(None, receipt);
    }

    /// An ICMP error came; `quote` is the beginning of the message it is about. An error about
    /// somebody else's ping is not ours to count: it never was an answer.
    pub fn received_error(&mut self, quote: &[u8], error: IcmpError) {
        let Some(echo) = icmp::parse_echo(quote) else {
            return;
        };
        let is_ours = icmp::explains_loss(error)
            && echo.kind == self.version.request_type()
            && echo.identifier == self.identifier
            && icmp::has_own_payload_start(echo.payload, self.cookie, echo.sequence);
        if let (true, Some(index)) = (is_ours, self.index_of(echo.sequence)) {
            self.pings[index].error.get_or_insert(error);
        }
    }

    fn ping_answered_by(&self, echo: &Echo<'_>) -> Option<usize> {
        let is_ours = echo.kind == self.version.reply_type()
            && echo.code == 0
            && echo.identifier == self.identifier
            && icmp::is_own_payload(
                echo.payload,
                self.plan.payload_len,
                self.cookie,
                echo.sequence,
            );
        if is_ours {
            self.index_of(echo.sequence)
        } else {
            None
        }
    }

    fn index_of(&self, sequence: u16) -> Option<usize> {
        let index = usize::from(sequence.checked_sub(1)?);
        self.pings
            .get(index)
            .filter(|ping| ping.send_errno.is_none())
            .map(|_| index)
    }

    /// The fate of ping number `index`, counted from 0, as far as it is known: `None` while it may
    /// still be answered.
    pub fn outcome_so_far(&self, index: usize, now: Monotonic) -> Option<Outcome> {
        let ping = self.pings.get(index)?;
        let is_open = ping.receipt.is_none() && ping.send_errno.is_none();
        if is_open && ping.clock.monotonic.after(self.plan.timeout) > now {
            None
        } else {
            Some(ping.outcome(&self.plan).0)
        }
    }

    /// Judges every ping. `end` is when the check ended: if the machine slept since its first ping
    /// nothing is known about any of them, and the text says so.
    pub fn finish(self, end: &ClockSample) -> Result<JudgedPings, String> {
        if let Some(first) = self.pings.first() {
            let slept = end.slept_since(&first.clock);
            if !slept.is_zero() {
                return Err(format!(
                    "this machine slept for {} during the check",
                    phrase::duration(slept)
                ));
            }
        }
        let mut late = 0;
        let pings: Vec<Outcome> = self
            .pings
            .iter()
            .map(|ping| {
                let (outcome, came_late) = ping.outcome(&self.plan);
                late += u32::from(came_late);
                outcome
            })
            .collect();
        let reason = reason(&pings);
        Ok(JudgedPings {
            pings,
            late,
            duplicates: self.duplicates,
            foreign: self.foreign,
            reason,
        })
    }
}

impl Ping {
    /// The outcome, and whether a right reply came after the timeout.
    fn outcome(&self, plan: &CheckSettings) -> (Outcome, bool) {
        if let Some(errno) = self.send_errno {
            return (Outcome::SendFailed { errno }, false);
        }
        let lost = self.error.map_or(Outcome::TimedOut, Outcome::Unreachable);
        match self
            .receipt
            .as_ref()
            .map(|receipt| self.rtt_ns(receipt, plan.read_mode))
        {
            None => (lost, false),
            Some(None) => (Outcome::Untimed, false),
            Some(Some(rtt_ns)) if rtt_ns > nanoseconds(plan.timeout) => (lost, true),
            Some(Some(rtt_ns)) => {
                let rtt_us =
                    u32::try_from((rtt_ns + 500) / 1000).expect("a timeout is at most a minute");
                (
                    Outcome::Reply {
                        rtt_us: rtt_us.max(1),
                    },
                    false,
                )
            }
        }
    }

    /// The round-trip time. Kernel stamps are wall-clock: when the clock was set between send and
    /// read, they may lie on either side of the step, and only a difference that fits into the time
    /// that really went by can be true. `None` when two fit, or none does, or when there is no
    /// stamp and the reply may have lain in the socket for long.
    fn rtt_ns(&self, receipt: &ReceiveTime, read_mode: ReadMode) -> Option<i64> {
        let elapsed = receipt.read.monotonic.0 - self.clock.monotonic.0;
        let Some(received_ns) = receipt.kernel_ns else {
            return Some(elapsed).filter(|_| read_mode == ReadMode::Immediate);
        };
        // The wall clock may go a little faster than the monotonic one: see
        // ClockSample::step_since.
        let longest = elapsed + elapsed / 2000 + 100_000;
        let fits = |rtt: &i64| (0..=longest).contains(rtt);
        let step = receipt.read.step_since(&self.clock);
        let judge = |sent_ns: i64| {
            let same_side = Some(received_ns - sent_ns).filter(fits);
            let across = Some(received_ns - sent_ns - step).filter(|rtt| step != 0 && fits(rtt));
            match (same_side, across) {
                (Some(_), Some(_)) | (None, None) => None,
                (one, other) => one.or(other),
            }
        };
        match self.transmit_ns {
            Some(stamp) => judge(stamp),
            None => judge(self.clock.realtime_ns),
        }
    }
}

/// The most frequent ICMP error, or why pings were not sent.
fn reason(pings: &[Outcome]) -> Option<String> {
    let mut errors: Vec<(IcmpError, usize)> = Vec::new();
    let mut unsent: Option<(i32, usize)> = None;
    let mut untimed = 0;
    for ping in pings {
        match ping {
            Outcome::Unreachable(error) => {
                match errors.iter_mut().find(|(seen, _)| seen == error) {
                    Some((_, count)) => *count += 1,
                    None => errors.push((*error, 1)),
                }
            }
            Outcome::SendFailed { errno } => {
                unsent = Some((*errno, unsent.map_or(1, |(_, count)| count + 1)))
            }
            Outcome::Untimed => untimed += 1,
            Outcome::Reply { .. } | Outcome::TimedOut => {}
        }
    }
    let worst = errors
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map(|(error, _)| icmp::describe(error));
    let unsent = unsent.map(|(errno, count)| {
        let what = std::io::Error::from_raw_os_error(errno);
        if count == pings.len() {
            format!("cannot send: {what}")
        } else {
            format!("{} not sent: {what}", phrase::count(count, "ping"))
        }
    });
    let untimed = (untimed > 0).then(|| match untimed {
        1 => "a reply could not be timed: the clock was set".to_string(),
        _ => format!("{untimed} replies could not be timed: the clock was set"),
    });
    let texts: Vec<String> = [worst, unsent, untimed].into_iter().flatten().collect();
    if texts.is_empty() {
        None
    } else {
        Some(texts.join("; "))
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
