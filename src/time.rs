//! UTC instants and their text, the tick schedule, and what two looks at the clocks say about the time between. All
//! arithmetic: the clocks themselves are read in sys.rs, and the machine's zone is an argument.

use std::fmt;
use std::time::Duration;

use ::time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// The latest instant that is accepted: the year 2248, 43 bits of milliseconds, which `ping_results.id` has room for.
pub const LATEST_MS: i64 = (1 << 43) - 1;

/// An instant: milliseconds since 1970-01-01 00:00 UTC, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMillis(pub i64);

impl UtcMillis {
    /// The hour the instant is in, counted from 1970.
    pub fn hour(self) -> i64 {
        self.0.div_euclid(3_600_000)
    }

    /// `YYYY-MM-DDTHH:MM:SS.sssZ` (RFC 3339).
    pub fn rfc3339(self) -> String {
        format!("{}Z", civil(self.0, 'T'))
    }

    /// `YYYY-MM-DD HH:MM:SS.sss`, as `ping_results.timestamp` has it.
    pub fn sql_text(self) -> String {
        civil(self.0, ' ')
    }

    /// `YYYY-MM-DD HH:MM:SS` on a clock that is `offset_seconds` east of UTC.
    pub fn local_text(self, offset_seconds: i64) -> String {
        let mut text = civil(self.0.saturating_add(offset_seconds * 1000), ' ');
        text.truncate(19);
        text
    }
}

fn civil(ms: i64, separator: char) -> String {
    match OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000) {
        Ok(t) => format!(
            "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}.{:03}",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.millisecond()
        ),
        // Beyond the year 9999, which only a damaged database can say.
        Err(_) => format!("{ms} ms"),
    }
}

/// Milliseconds since 1970 of a date and time as the original writes it, `YYYY-MM-DD HH:MM:SS[.ffffff]` with a space or
/// a `T` between, read as if it were UTC. `None` when it is anything else; an offset or a `Z` at the end is something else.
pub fn parse_naive_ms(text: &str) -> Option<i64> {
    let (date, clock) = text.trim().split_once([' ', 'T'])?;
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(whole, ':')?;
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: u32 = format!("{fraction:0<9}").parse().ok()?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let [hour, minute, second] = [hour, minute, second].map(|n| u8::try_from(n).unwrap_or(u8::MAX));
    let time = Time::from_hms_nano(hour, minute, second, nanoseconds).ok()?;
    i64::try_from(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

fn numbers(text: &str, separator: char) -> Option<[u32; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let is_digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if is_digits { part.parse().ok() } else { None }
    });
    let all = [parts.next()??, parts.next()??, parts.next()??];
    if parts.next().is_some() { None } else { Some(all) }
}

/// How far back a row may lie behind the one before it and still belong to the same pass through a repeated hour. Two
/// originals that share a file interleave their rows by less.
const SAME_PASS_MS: i64 = 30 * 60 * 1000;

/// The instant that a naive local time means, given the zone as a function from an instant (Unix seconds) to its offset
/// east of UTC (seconds). In the hour that autumn repeats both readings exist: the earlier is taken unless it lies
/// behind `previous`, the instant of the row written before. A time that spring skips is read with the offset before it.
pub fn local_to_utc(naive_ms: i64, previous: Option<UtcMillis>, offset_at: impl Fn(i64) -> i64) -> UtcMillis {
    // No zone changes its offset twice within two days, so a day to either side shows both candidates.
    let naive_seconds = naive_ms.div_euclid(1000);
    let before = offset_at(naive_seconds - 86_400);
    let after = offset_at(naive_seconds + 86_400);
    let candidate = |offset: i64| {
        let ms = naive_ms - offset * 1000;
        (offset_at(ms.div_euclid(1000)) == offset).then_some(UtcMillis(ms))
    };
    let (first, second) = match (candidate(before), candidate(after)) {
        (Some(a), Some(b)) => (a.min(b), a.max(b)),
        (Some(only), None) | (None, Some(only)) => (only, only),
        (None, None) => (UtcMillis(naive_ms - before * 1000), UtcMillis(naive_ms - before * 1000)),
    };
    match previous {
        Some(previous) if first.0 < previous.0 - SAME_PASS_MS => second,
        _ => first,
    }
}

/// An instant of the monotonic clock, which nobody can set and which stands still while the machine sleeps: nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub i64);

impl Monotonic {
    /// The instant `duration` later.
    pub fn after(self, duration: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(nanoseconds(duration)))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Monotonic) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A duration in nanoseconds, as clocks count.
pub fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The three clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSample {
    /// `CLOCK_MONOTONIC`.
    pub monotonic: Monotonic,
    /// `CLOCK_REALTIME`, nanoseconds since 1970: the wall clock, which kernel time stamps are taken from.
    pub realtime_ns: i64,
    /// `CLOCK_BOOTTIME`, nanoseconds: monotonic, but running on while the machine sleeps.
    pub boottime_ns: i64,
}

impl ClockSample {
    /// The wall clock's time.
    pub fn utc(&self) -> UtcMillis {
        UtcMillis(self.realtime_ns.div_euclid(1_000_000))
    }

    /// How long the machine slept between an earlier sample and this one.
    pub fn slept_since(&self, earlier: &ClockSample) -> Duration {
        let slept = (self.boottime_ns - earlier.boottime_ns) - (self.monotonic.0 - earlier.monotonic.0);
        // Two clocks read one after the other differ by the time between the reads.
        if slept < SLEEP_NOISE_NS { Duration::ZERO } else { Duration::from_nanos(u64::try_from(slept).unwrap_or(0)) }
    }

    /// By how many nanoseconds the wall clock was set between an earlier sample and this one, beyond what it went by
    /// itself. The pace that a time service gives it (at most 500 ppm, adjtimex(2)) is not a step.
    pub fn step_since(&self, earlier: &ClockSample) -> i64 {
        let elapsed = self.monotonic.0 - earlier.monotonic.0;
        let step = (self.realtime_ns - earlier.realtime_ns) - elapsed;
        if step.abs() <= elapsed / 2000 + READ_NOISE_NS { 0 } else { step }
    }
}

/// Below this, boot time running ahead is the time between two reads, a thread switched away in between included.
const SLEEP_NOISE_NS: i64 = 100_000_000;
/// Below this, a difference between two clocks is the time between two reads.
const READ_NOISE_NS: i64 = 100_000;

/// When a host's checks are due: `first + k * interval` on the monotonic clock. No drift; ticks that were missed are
/// skipped.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    first: Monotonic,
    interval: Duration,
}

impl Schedule {
    /// A schedule for host `index` of `hosts`, for a program that starts at `start`: the hosts are spread evenly over
    /// the interval, so that they do not all send at once.
    pub fn phased(start: Monotonic, interval: Duration, index: usize, hosts: usize) -> Schedule {
        Schedule { first: start.after(share(interval, index, hosts)), interval }
    }

    /// The first check of host `index` of `hosts` after a start: at once, but spread over a second (or over the
    /// interval, where that is shorter).
    pub fn first_check(start: Monotonic, interval: Duration, index: usize, hosts: usize) -> Monotonic {
        start.after(share(interval.min(Duration::from_secs(1)), index, hosts))
    }

    /// The next tick after `now`, and how many ticks lie behind it that were not `previous`, the last tick taken.
    pub fn next_after(&self, now: Monotonic) -> Monotonic {
        let interval = nanoseconds(self.interval).max(1);
        let passed = (now.0 - self.first.0).div_euclid(interval) + 1;
        Monotonic(self.first.0 + passed.max(0) * interval)
    }

    /// The tick that follows a first check begun at `began`: at least half an interval later, so that the two do not
    /// crowd.
    pub fn second_check(&self, began: Monotonic) -> Monotonic {
        self.next_after(Monotonic(began.0 + nanoseconds(self.interval) / 2 - 1))
    }

    /// How many ticks of the schedule lie strictly between two of its ticks.
    pub fn ticks_between(&self, earlier: Monotonic, later: Monotonic) -> u64 {
        let interval = nanoseconds(self.interval).max(1);
        u64::try_from((later.0 - earlier.0 + interval / 2) / interval - 1).unwrap_or(0)
    }
}

fn share(whole: Duration, index: usize, parts: usize) -> Duration {
    let share = whole.as_nanos() * index as u128 / parts.max(1) as u128;
    Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

/// A length of time for people: `45 s`, `12 min`, `3 h 20 min`, `5 days`.
pub struct Spoken(pub Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..120 => write!(f, "{seconds} s"),
            120..7200 => write!(f, "{} min", seconds / 60),
            7200..172_800 => match seconds / 60 % 60 {
                0 => write!(f, "{} h", seconds / 3600),
                minutes => write!(f, "{} h {minutes} min", seconds / 3600),
            },
            _ => write!(f, "{} days", seconds / 86_400),
        }
    }
}
