//! The state of one running check: the next action, the meaning of each received message, and
//! finally the outcome of every ping. pinger/ drives it and passes in what the socket and the
//! clocks return.

use crate::pure::address::IpVersion;
use std::time::Duration;

use crate::pure::icmp::{self, Echo};
use crate::pure::model::{IcmpError, Outcome};
use crate::pure::phrase;
use crate::pure::time::{ClockSample, Monotonic, nanoseconds};

#[derive(Clone, Copy, Debug)]
pub struct CheckSettings {
    /// At least 1.
    pub ping_count: u16,
    /// Time between two pings.
    pub spacing: Duration,
    /// How long a ping waits for its reply.
    pub timeout: Duration,
    /// Payload bytes per ping.
    pub payload_len: usize,
    /// How long the check stays open after its last message, to receive duplicates. At least
    /// [`UNEXPECTED_MESSAGE_LINGER`] once it has received a duplicate or foreign message.
    pub linger: Duration,
    pub read_mode: ReadMode,
}

/// When a check reads the replies that arrive between two of its pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// At the next ping: it sleeps until then, and the kernel's timestamps say when the replies
    /// arrived. One wake-up per ping, and one for the last reply. As they arrive once it has received
    /// more than [`MAX_UNEXPECTED_UNREAD`] other messages.
    Deferred,
    /// As they arrive: to show progress, and where the kernel gives no timestamps.
    Immediate,
}

/// A ping that is later than this by its spacing has its own time recorded.
const MAX_UNEVENNESS: Duration = Duration::from_millis(200);

/// How long a check that received a duplicate or foreign message waits for more of them.
pub const UNEXPECTED_MESSAGE_LINGER: Duration = Duration::from_millis(100);

/// Other messages than replies to its pings that do not make a check read at once. A socket buffers
/// a few hundred messages by default, and a true reply that finds it full is lost.
pub const MAX_UNEXPECTED_UNREAD: u32 = 8;

/// What the caller has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the ping with this sequence number now.
    Send(u16),
    /// Sleep until this instant; replies wait in the socket.
    SleepUntil(Monotonic),
    /// Read what arrives until this instant.
    ListenUntil(Monotonic),
    /// Every ping was answered or timed out.
    Done,
}

#[derive(Clone, Copy, Debug)]
pub struct ReceiveTime {
    /// The kernel's timestamp on the wall clock, nanoseconds since 1970, where it gave one.
    pub kernel_ns: Option<i64>,
    /// The clocks when the message was read from the socket, which is no earlier than its arrival.
    pub read: ClockSample,
}

#[derive(Debug)]
pub struct CheckRun {
    settings: CheckSettings,
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
    /// Read just before the send.
    clock: ClockSample,
    transmit_ns: Option<i64>,
    arrival: Option<ReceiveTime>,
    error: Option<IcmpError>,
    send_errno: Option<i32>,
    /// Why it is not measured although it was sent.
    excluded: Option<i32>,
}

#[derive(Debug, PartialEq)]
pub struct JudgedPings {
    /// One outcome per ping.
    pub pings: Vec<Outcome>,
    /// When each was sent, in milliseconds after the first; empty where they were sent a spacing
    /// apart.
    pub sent_after_ms: Vec<u32>,
    /// Valid replies after their timeout.
    pub late: u32,
    /// Further valid replies to an answered ping.
    pub duplicates: u32,
    /// Messages that answer none of the pings.
    pub foreign: u32,
    /// Why pings were lost or not sent, where that is known.
    pub reason: Option<String>,
}

impl CheckRun {
    /// A check that has sent nothing yet. `identifier` is the socket's ICMP identifier; `cookie` is
    /// a random number at the start of every payload, which proves that a reply is ours.
    pub fn new(
        settings: CheckSettings,
        version: IpVersion,
        identifier: u16,
        cookie: u64,
    ) -> CheckRun {
        let pings = Vec::with_capacity(usize::from(settings.ping_count));
        CheckRun {
            settings,
            version,
            identifier,
            cookie,
            pings,
            duplicates: 0,
            foreign: 0,
            last_message_at: None,
        }
    }

    /// What to do at `now`. The caller passes in everything that the socket holds first: a reply
    /// that arrived in time counts however late it is read.
    pub fn next_action(&self, now: Monotonic) -> Action {
        let attempted = self.pings.len();
        if attempted < usize::from(self.settings.ping_count) {
            // Counted from the previous send, not from the first: after the process was stopped, the
            // remaining pings are not sent all at once.
            let due = self.pings.last().map_or(now, |ping| {
                ping.clock.monotonic.after(self.settings.spacing)
            });
            let sequence = u16::try_from(attempted + 1).expect("fewer than ping_count");
            return match self.settings.read_mode {
                _ if due <= now => Action::Send(sequence),
                ReadMode::Deferred if !self.is_flooded() => Action::SleepUntil(due),
                _ => Action::ListenUntil(due),
            };
        }
        let last_deadline = self
            .pings
            .iter()
            .filter(|ping| ping.is_open())
            .map(|ping| ping.clock.monotonic.after(self.settings.timeout))
            .max();
        let has_unexpected = self.unexpected() > 0;
        let linger = if has_unexpected {
            self.settings.linger.max(UNEXPECTED_MESSAGE_LINGER)
        } else {
            self.settings.linger
        };
        // Never beyond the last deadline: foreign messages cannot keep a check open for ever.
        let last_sent = self
            .pings
            .last()
            .map(|ping| ping.clock.monotonic.after(self.settings.timeout));
        let lingers_until = self
            .last_message_at
            .map(|at| at.after(linger))
            .min(last_sent);
        match last_deadline.max(lingers_until) {
            Some(until) if until > now => Action::ListenUntil(until),
            _ => Action::Done,
        }
    }

    fn unexpected(&self) -> u32 {
        self.duplicates.saturating_add(self.foreign)
    }

    /// Whether so many other messages come that they might fill the socket.
    pub fn is_flooded(&self) -> bool {
        self.unexpected() > MAX_UNEXPECTED_UNREAD
    }

    pub fn version(&self) -> IpVersion {
        self.version
    }

    /// When ping number `index` (from 0) was sent or its send failed; `None` for a later one.
    pub fn sent_at(&self, index: usize) -> Option<ClockSample> {
        self.pings.get(index).map(|ping| ping.clock)
    }

    /// Random number at the start of every payload.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// Records that the next ping was sent; `clock` was read just before.
    pub fn sent(&mut self, clock: ClockSample) {
        self.pings.push(Ping {
            clock,
            transmit_ns: None,
            arrival: None,
            error: None,
            send_errno: None,
            excluded: None,
        });
    }

    /// Records that the next ping could not be sent.
    pub fn send_failed(&mut self, clock: ClockSample, errno: i32) {
        self.pings.push(Ping {
            clock,
            transmit_ns: None,
            arrival: None,
            error: None,
            send_errno: Some(errno),
            excluded: None,
        });
    }

    /// Records the kernel's transmit timestamp of ping number `index` (from 0), nanoseconds since
    /// 1970 on the wall clock.
    pub fn transmitted(&mut self, index: usize, stamp_ns: i64) {
        if let Some(ping) = self.pings.get_mut(index) {
            ping.transmit_ns = Some(stamp_ns);
        }
    }

    /// Excludes the unanswered pings that waited for their reply during a span, with `errno` as the
    /// reason: they or their replies had no link. Returns whether there were any, or any unsent ones.
    pub fn exclude(&mut self, from: Monotonic, until: Monotonic, errno: i32) -> bool {
        let timeout = self.settings.timeout;
        let mut is_any = false;
        for ping in self.pings.iter_mut().filter(|ping| ping.arrival.is_none()) {
            let at = ping.clock.monotonic;
            if at <= until && at.after(timeout) >= from {
                is_any = true;
                ping.excluded.get_or_insert(errno);
            }
        }
        is_any
    }

    /// Excludes the pings that were sent after the last one that was answered.
    pub fn exclude_since_last_reply(&mut self, errno: i32) {
        let is_unanswered = |ping: &&mut Ping| ping.arrival.is_none();
        for ping in self.pings.iter_mut().rev().take_while(is_unanswered) {
            ping.excluded = Some(errno);
        }
    }

    /// Excludes the pings that exceeded the MTU of the path, with `errno` as the reason: later ones
    /// are fragmented.
    pub fn exclude_too_big(&mut self, errno: i32) {
        let payload_len = self.settings.payload_len;
        for ping in self.pings.iter_mut().filter(|ping| ping.is_open()) {
            if ping
                .error
                .is_some_and(|error| icmp::is_too_big(error, payload_len))
            {
                ping.excluded = Some(errno);
            }
        }
    }

    /// Whether the last ping was sent and is not answered.
    pub fn ends_unanswered(&self) -> bool {
        self.pings.last().is_some_and(Ping::is_open)
    }

    /// The error number of the last ping, if it could not be sent.
    pub fn last_send_error(&self) -> Option<i32> {
        self.pings.last()?.send_errno
    }

    /// Whether a ping has no reply.
    pub fn has_unanswered(&self) -> bool {
        self.pings.iter().any(|ping| ping.arrival.is_none())
    }

    /// Excludes the unanswered pings around those that could not be sent: the link was lost between
    /// the previous ping and the first of these, and came back before the next.
    fn exclude_around_failed_sends(&mut self) {
        let failed: Vec<(Monotonic, i32)> = self
            .pings
            .iter()
            .filter_map(|ping| Some((ping.clock.monotonic, ping.send_errno?)))
            .collect();
        let before = nanoseconds(self.settings.spacing);
        let after = self.settings.spacing.max(link_settles(self.version));
        for (at, errno) in failed {
            self.exclude(Monotonic(at.0 - before), at.after(after), errno);
        }
    }

    /// Whether the transmit timestamp of every sent ping is known.
    pub fn has_all_transmit_times(&self) -> bool {
        self.pings
            .iter()
            .all(|ping| ping.transmit_ns.is_some() || ping.send_errno.is_some())
    }

    /// Judges a message from the pinged address. `echo` is `None` when it was too short, truncated
    /// or had a wrong checksum.
    pub fn received(&mut self, echo: Option<Echo<'_>>, arrival: ReceiveTime) {
        self.last_message_at = Some(arrival.read.monotonic);
        match echo.and_then(|echo| self.ping_answered_by(&echo)) {
            Some(index) => {
                let ping = &mut self.pings[index];
                if ping.arrival.is_none() {
                    ping.arrival = Some(arrival)
                } else {
                    self.duplicates += 1
                }
            }
            None => self.foreign += 1,
        }
    }

    /// Counts a message from another address.
    pub fn received_foreign(&mut self, arrival: ReceiveTime) {
        self.received(None, arrival);
    }

    /// Records an ICMP error; `quote` is the start of the message that it reports. Errors about
    /// other programs' pings are ignored and not counted as foreign.
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
                self.settings.payload_len,
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

    /// The outcome of ping number `index` (from 0); `None` while a reply may still arrive in time.
    pub fn outcome_so_far(&self, index: usize, now: Monotonic) -> Option<Outcome> {
        let ping = self.pings.get(index)?;
        if ping.is_open() && ping.clock.monotonic.after(self.settings.timeout) > now {
            None
        } else {
            Some(ping.outcome(&self.settings).0)
        }
    }

    /// When each ping was sent, in milliseconds after the first, if the process was held up between
    /// two of them.
    fn irregular_times_ms(&self) -> Vec<u32> {
        let Some(first) = self.pings.first() else {
            return Vec::new();
        };
        let sent_after = |ping: &Ping| ping.clock.monotonic.since(first.clock.monotonic);
        let is_irregular = |(index, ping): (u32, &Ping)| {
            sent_after(ping) > self.settings.spacing * index + MAX_UNEVENNESS
        };
        if !(0..).zip(&self.pings).any(is_irregular) {
            return Vec::new();
        }
        let ms = |ping| u32::try_from(sent_after(ping).as_millis()).unwrap_or(u32::MAX);
        self.pings.iter().map(ms).collect()
    }

    /// Judges every ping. `end` is when the check ended. If the machine slept since the first ping,
    /// none can be judged, and the error says so.
    pub fn finish(&mut self, end: &ClockSample) -> Result<JudgedPings, String> {
        if let Some(first) = self.pings.first() {
            let slept = end.slept_since(&first.clock);
            if !slept.is_zero() {
                return Err(format!(
                    "this machine slept for {} during the check",
                    phrase::duration(slept)
                ));
            }
        }
        self.exclude_around_failed_sends();
        let mut late = 0;
        let pings: Vec<Outcome> = self
            .pings
            .iter()
            .map(|ping| {
                let (outcome, came_late) = ping.outcome(&self.settings);
                late += u32::from(came_late);
                outcome
            })
            .collect();
        let reason = reason(&pings);
        Ok(JudgedPings {
            pings,
            sent_after_ms: self.irregular_times_ms(),
            late,
            duplicates: self.duplicates,
            foreign: self.foreign,
            reason,
        })
    }
}

/// How long after a link is back packets may still be lost on this side: the neighbours are asked
/// for anew, and an IPv6 address is usable up to two seconds later (RFC 4862 section 5.4).
pub fn link_settles(version: IpVersion) -> Duration {
    Duration::from_millis(if version == IpVersion::V6 { 3000 } else { 1000 })
}

impl Ping {
    /// It was sent and is not answered.
    fn is_open(&self) -> bool {
        self.arrival.is_none() && self.send_errno.is_none() && self.excluded.is_none()
    }

    /// The outcome, and whether a valid reply arrived after the timeout.
    fn outcome(&self, settings: &CheckSettings) -> (Outcome, bool) {
        if let Some(errno) = self.send_errno.or(self.excluded) {
            return (Outcome::SendFailed { errno }, false);
        }
        let lost = self.error.map_or(Outcome::TimedOut, Outcome::Unreachable);
        match self
            .arrival
            .as_ref()
            .map(|arrival| self.rtt_ns(arrival, settings.read_mode))
        {
            None => (lost, false),
            Some(None) => (Outcome::Untimed, false),
            Some(Some(rtt_ns)) if rtt_ns > nanoseconds(settings.timeout) => (lost, true),
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

    /// The round-trip time in nanoseconds. Kernel timestamps are on the wall clock: when it was set
    /// between send and read they may lie on either side of the step, and only a difference that
    /// fits the elapsed monotonic time can be right. `None` when both candidates fit or neither
    /// does, or without a timestamp when the reply may have waited in the socket.
    fn rtt_ns(&self, arrival: &ReceiveTime, read_mode: ReadMode) -> Option<i64> {
        let elapsed = arrival.read.monotonic.0 - self.clock.monotonic.0;
        let Some(received_ns) = arrival.kernel_ns else {
            return Some(elapsed).filter(|_| read_mode == ReadMode::Immediate);
        };
        // A time service may run the wall clock faster than the monotonic one by up to 500 ppm:
        // see ClockSample::step_since.
        let max = elapsed + elapsed / 2000 + 100_000;
        let fits = |rtt: &i64| (0..=max).contains(rtt);
        let step = arrival.read.step_since(&self.clock);
        let judge = |sent_ns: i64| {
            let apart = received_ns.saturating_sub(sent_ns);
            let same_side = Some(apart).filter(fits);
            let across = Some(apart.saturating_sub(step)).filter(|rtt| step != 0 && fits(rtt));
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
                match errors.iter_mut().find(|(known, _)| known == error) {
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
    let most_frequent = errors
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map(|(error, _)| icmp::describe(error));
    let unsent = unsent.map(|(errno, count)| {
        let what = phrase::send_error(&std::io::Error::from_raw_os_error(errno));
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
    let texts: Vec<String> = [most_frequent, unsent, untimed]
        .into_iter()
        .flatten()
        .collect();
    if texts.is_empty() {
        None
    } else {
        Some(texts.join("; "))
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
