//! Instants and their text, the schedule of checks, and what two samples of the clocks show about
//! the time between them. Only arithmetic: the clocks are read in sys/, and the time zone is an
//! argument.

use std::ops::Range;
use std::time::Duration;

use ::time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};
use serde::{Serialize, Serializer};

/// The latest accepted instant, in the year 2248: `ping_results.id` holds 43 bits of milliseconds.
pub const LATEST_MS: i64 = (1 << 43) - 1;

pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// An instant: milliseconds since 1970-01-01 00:00 UTC, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMillis(pub i64);

/// 2020-01-01: a correct clock never shows an earlier time, and `doctor` says so.
pub const IMPLAUSIBLE_BEFORE: UtcMillis = UtcMillis(1_577_836_800_000);

/// The whole seconds between two instants, each rounded to a second: so that the parts of a span
/// that is cut at a whole second add up to the span.
pub fn whole_seconds(span: &Range<UtcMillis>) -> i64 {
    let rounded = |at: UtcMillis| at.0.saturating_add(500).div_euclid(1000);
    rounded(span.end).saturating_sub(rounded(span.start))
}

impl UtcMillis {
    /// Saturates, since a damaged database may contain any number.
    pub fn plus(self, ms: i64) -> UtcMillis {
        UtcMillis(self.0.saturating_add(ms))
    }

    /// The hour the instant is in.
    pub fn hour(self) -> Hour {
        Hour(self.0.div_euclid(HOUR_MS))
    }

    /// The first hour that begins at the instant or later.
    pub fn first_full_hour(self) -> Hour {
        Hour(-self.0.saturating_neg().div_euclid(HOUR_MS))
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

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, the date of HTTP: RFC 9110, section 5.6.7.
    pub fn http_date(self) -> String {
        let t = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (weekday, month) = (t.weekday().to_string(), t.month().to_string());
        format!(
            "{weekday:.3}, {:02} {month:.3} {:04} {:02}:{:02}:{:02} GMT",
            t.day(),
            t.year(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    /// Reads what [`UtcMillis::http_date`] writes; the other two forms are obsolete.
    pub fn from_http_date(text: &str) -> Option<UtcMillis> {
        let mut words = text.split_once(", ")?.1.split(' ');
        let (day, month, year) = (words.next()?, words.next()?, words.next()?);
        let (clock, zone) = (words.next()?, words.next()?);
        let (hour, rest) = clock.split_once(':')?;
        let (minute, second) = rest.split_once(':')?;
        const NAMES: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let number = (1..).zip(NAMES).find(|(_, name)| *name == month)?.0;
        let month = Month::try_from(number).ok()?;
        let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
        let time = Time::from_hms(
            hour.parse().ok()?,
            minute.parse().ok()?,
            second.parse().ok()?,
        );
        let at = PrimitiveDateTime::new(date, time.ok()?).assume_utc();
        let is_whole = zone == "GMT" && words.next().is_none();
        is_whole.then(|| UtcMillis(at.unix_timestamp().saturating_mul(1000)))
    }
}

/// An hour of UTC, counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i64);

impl Hour {
    const PER_DAY: i64 = 24;
    /// That of [`LATEST_MS`].
    pub const LATEST: Hour = Hour(LATEST_MS / HOUR_MS);

    /// Saturates, since a damaged database may contain any number.
    pub fn start(self) -> UtcMillis {
        UtcMillis(self.0.saturating_mul(HOUR_MS))
    }

    pub fn next(self) -> Hour {
        Hour(self.0.saturating_add(1))
    }

    pub fn day(self) -> Day {
        Day(self.0.div_euclid(Hour::PER_DAY))
    }
}

/// A day of UTC, counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// Saturates, since a damaged database may contain any number.
    pub fn first_hour(self) -> Hour {
        Hour(self.0.saturating_mul(Hour::PER_DAY))
    }

    pub fn hours(self) -> Range<Hour> {
        self.first_hour()..Day(self.0.saturating_add(1)).first_hour()
    }
}

impl Serialize for UtcMillis {
    /// As in [`UtcMillis::rfc3339`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
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
        // Beyond the year 9999: only a damaged database holds such an instant.
        Err(_) => format!("{ms} ms"),
    }
}

/// Parses a date and time as the original writes it, `YYYY-MM-DD HH:MM:SS[.ffffff]` with a space or
/// a `T` between, and returns milliseconds since 1970 as if it were UTC. `None` for anything else,
/// such as a text with an offset or a `Z` at its end.
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
    let date =
        Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let [hour, minute, second] = [hour, minute, second].map(|n| u8::try_from(n).unwrap_or(u8::MAX));
    let time = Time::from_hms_nano(hour, minute, second, nanoseconds).ok()?;
    i64::try_from(
        PrimitiveDateTime::new(date, time)
            .assume_utc()
            .unix_timestamp_nanos()
            .div_euclid(1_000_000),
    )
    .ok()
}

/// Parses RFC 3339 with a `Z` or an offset, or Unix seconds. `None` for anything else and for
/// instants outside 1970 to 2248.
pub fn parse_instant(text: &str) -> Option<UtcMillis> {
    let text = text.trim();
    let ms = if let Ok(seconds) = text.parse::<f64>() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast from a float saturates, and the range is checked below"
        )]
        Some((seconds * 1000.0).round() as i64).filter(|_| seconds.is_finite())
    } else if let Some(naive) = text.strip_suffix(['Z', 'z']) {
        parse_naive_ms(naive)
    } else {
        // A `+` that a client did not encode in a query arrives as a blank.
        let at = text.get(19..)?.find(['+', '-', ' '])? + 19;
        let (hours, minutes) = text[at + 1..].split_once(':')?;
        // Two digits each: RFC 3339, section 5.6.
        let part = |text: &str, max: i64| {
            let is_written = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<i64>()
                .ok()
                .filter(|number| is_written && *number <= max)
        };
        let offset = part(hours, 23)? * 60 + part(minutes, 59)?;
        let offset = if text[at..].starts_with('-') {
            -offset
        } else {
            offset
        };
        Some(parse_naive_ms(&text[..at])? - offset * 60_000)
    };
    ms.filter(|ms| (0..=LATEST_MS).contains(ms)).map(UtcMillis)
}

fn numbers(text: &str, separator: char) -> Option<[u32; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let is_digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if is_digits { part.parse().ok() } else { None }
    });
    let all = [parts.next()??, parts.next()??, parts.next()??];
    if parts.next().is_some() {
        None
    } else {
        Some(all)
    }
}

/// Whether a value of `TZ` describes its zone itself, as `CET-1CEST` does (POSIX.1, section 8.3): a
/// name of three letters or more, or one in angle brackets, and an offset. UTC needs none.
pub fn is_zone_rule(text: &str) -> bool {
    let rest = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>').map(|(_, rest)| rest),
        None => {
            let rest = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            (text.len() - rest.len() >= 3).then_some(rest)
        }
    };
    let offset = rest.map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
    matches!(text, "UTC" | "GMT")
        || offset.is_some_and(|offset| offset.starts_with(|c: char| c.is_ascii_digit()))
}

/// Converts a local time without offset, given the zone as a function from an instant (Unix
/// seconds) to its offset east of UTC (seconds). In the hour that occurs twice in autumn two
/// instants are possible: the earlier one is used, unless it precedes `previous`, the instant of the
/// previous row, by more than half of the repeated time. Two originals that share a file interleave
/// their rows by less. A time that is skipped in spring is read with the offset before the change.
pub fn local_to_utc(
    naive_ms: i64,
    previous: Option<UtcMillis>,
    offset_at: impl Fn(i64) -> i64,
) -> UtcMillis {
    // No zone changes its offset twice within two days, so the offsets a day before and after are
    // the two candidates.
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
        (None, None) => {
            let skipped = UtcMillis(naive_ms - before * 1000);
            (skipped, skipped)
        }
    };
    match previous {
        Some(previous) if first.0 < previous.0 - (second.0 - first.0) / 2 => second,
        _ => first,
    }
}

/// An instant of the monotonic clock in nanoseconds. It cannot be set, and it stops while the
/// machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub i64);

impl Monotonic {
    pub fn after(self, duration: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(nanoseconds(duration)))
    }

    /// Time since `earlier`; zero when that is later.
    pub fn since(self, earlier: Monotonic) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A duration in nanoseconds; saturates.
pub fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSample {
    /// `CLOCK_MONOTONIC`.
    pub monotonic: Monotonic,
    /// `CLOCK_REALTIME`, nanoseconds since 1970: the wall clock, on which kernel timestamps are.
    pub realtime_ns: i64,
    /// `CLOCK_BOOTTIME`, nanoseconds: like the monotonic clock, but it counts sleep.
    pub boottime_ns: i64,
}

impl ClockSample {
    pub fn utc(&self) -> UtcMillis {
        UtcMillis(self.realtime_ns.div_euclid(1_000_000))
    }

    /// How long the machine slept since an earlier sample.
    pub fn slept_since(&self, earlier: &ClockSample) -> Duration {
        let slept =
            (self.boottime_ns - earlier.boottime_ns) - (self.monotonic.0 - earlier.monotonic.0);
        // Clocks that are read one after the other differ by the time between the reads.
        if slept < SLEEP_NOISE_NS {
            Duration::ZERO
        } else {
            Duration::from_nanos(u64::try_from(slept).unwrap_or(0))
        }
    }

    /// By how many nanoseconds the wall clock was set since an earlier sample. The rate that a time
    /// service gives it (at most 500 ppm, adjtimex(2)) is no step.
    pub fn step_since(&self, earlier: &ClockSample) -> i64 {
        let elapsed = self.monotonic.0 - earlier.monotonic.0;
        let shown = self.realtime_ns.saturating_sub(earlier.realtime_ns);
        let step = shown.saturating_sub(elapsed);
        if step.saturating_abs() <= elapsed / 2000 + READ_NOISE_NS {
            0
        } else {
            step
        }
    }

    /// Like [`ClockSample::step_since`], less the time that the machine slept: after sleep the wall
    /// clock is right.
    pub fn set_since(&self, earlier: &ClockSample) -> i64 {
        self.step_since(earlier)
            .saturating_sub(nanoseconds(self.slept_since(earlier)))
    }
}

/// A smaller lead of the boot time is the time between two reads, including a preempted thread.
const SLEEP_NOISE_NS: i64 = 100_000_000;
/// A smaller difference between two clocks is the time between two reads.
const READ_NOISE_NS: i64 = 100_000;

/// When the checks of a host are due: at `first + k * interval` on the monotonic clock, without
/// drift. Missed ticks are skipped.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    first: Monotonic,
    interval: Duration,
}

impl Schedule {
    /// The schedule of host `index` of `hosts`. The hosts are spread evenly over the interval, so
    /// that they do not send at the same time.
    pub fn phased(start: Monotonic, interval: Duration, index: usize, hosts: usize) -> Schedule {
        Schedule {
            first: start.after(share(interval, index, hosts)),
            interval,
        }
    }

    /// When host `index` of `hosts` is checked first: immediately, but spread over a second, or
    /// over the interval where that is shorter.
    pub fn first_check(
        start: Monotonic,
        interval: Duration,
        index: usize,
        hosts: usize,
    ) -> Monotonic {
        start.after(share(interval.min(Duration::from_secs(1)), index, hosts))
    }

    /// The tick after a check that began at `began` and ended at `now`: the next one, but at least
    /// half an interval after `began`, so that neither a first nor a delayed check is followed too
    /// closely.
    pub fn next_check(&self, began: Monotonic, now: Monotonic) -> Monotonic {
        let half = Monotonic(began.0 + nanoseconds(self.interval) / 2 - 1);
        self.next_after(half.max(now))
    }

    /// The next tick after `now`.
    fn next_after(&self, now: Monotonic) -> Monotonic {
        let interval = nanoseconds(self.interval).max(1);
        let passed = (now.0 - self.first.0).div_euclid(interval) + 1;
        Monotonic(self.first.0 + passed.max(0) * interval)
    }

    /// The number of ticks strictly between two ticks of the schedule.
    pub fn ticks_between(&self, earlier: Monotonic, later: Monotonic) -> u64 {
        let interval = nanoseconds(self.interval).max(1);
        u64::try_from((later.0 - earlier.0 + interval / 2) / interval - 1).unwrap_or(0)
    }
}

fn share(whole: Duration, index: usize, parts: usize) -> Duration {
    let share = whole.as_nanos() * index as u128 / parts.max(1) as u128;
    Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_span_that_is_cut_at_a_second_add_up() {
        let at = UtcMillis;
        for (from, to) in [(12_400, 57_900), (499, 500), (1500, 1499), (0, 60_000)] {
            let whole = whole_seconds(&(at(from)..at(to)));
            for cut in [0, 1000, 30_000] {
                let parts = [at(from)..at(cut), at(cut)..at(to)];
                assert_eq!(parts.iter().map(whole_seconds).sum::<i64>(), whole);
            }
        }
        assert_eq!(whole_seconds(&(at(12_400)..at(57_900))), 46);
    }

    #[test]
    fn an_http_date_is_written_as_in_the_rfc() {
        let date = |seconds: i64| UtcMillis(seconds * 1000 + 999).http_date();
        // The example of RFC 9110, section 5.6.7.
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(1_772_323_200), "Sun, 01 Mar 2026 00:00:00 GMT");
    }

    #[test]
    fn an_http_date_is_read_as_it_is_written() {
        for seconds in [784_111_777, 1_772_323_200, 0, 4_102_444_799] {
            let at = UtcMillis(seconds * 1000);
            assert_eq!(UtcMillis::from_http_date(&at.http_date()), Some(at));
        }
        for text in [
            "",
            "30",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
        ] {
            assert_eq!(UtcMillis::from_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn an_instant_has_one_text_for_sql_and_one_for_json() {
        let at = UtcMillis(1_762_086_896_007);
        assert_eq!(at.sql_text(), "2025-11-02 12:34:56.007");
        assert_eq!(at.rfc3339(), "2025-11-02T12:34:56.007Z");
        assert_eq!(at.local_text(-5 * 3600), "2025-11-02 07:34:56");
        assert_eq!(UtcMillis(0).sql_text(), "1970-01-01 00:00:00.000");
        assert_eq!(UtcMillis(LATEST_MS).sql_text(), "2248-09-26 15:10:22.207");
        assert_eq!(UtcMillis(i64::MAX).sql_text(), "9223372036854775807 ms");
    }

    #[test]
    fn only_the_time_texts_of_the_original_are_parsed() {
        let ms = parse_naive_ms("2025-11-02 12:34:56.007").expect("the text of an instant");
        assert_eq!(ms, 1_762_086_896_007);
        assert_eq!(parse_naive_ms("2025-11-02 12:34:56.007891"), Some(ms));
        assert_eq!(parse_naive_ms("2025-11-02T12:34:56"), Some(ms - 7));
        assert_eq!(parse_naive_ms("1969-12-31 23:59:59.9999"), Some(-1));
        for text in [
            "",
            "2025-11-02",
            "12:34:56",
            "2025-11-02 12:34",
            "2025-11-02 12:34:56Z",
            "2025-11-02 12:34:56+01:00",
            "2025-02-29 00:00:00",
            "2025-13-01 00:00:00",
            "2025-11-02 24:00:00",
            "2025-11-02 12:60:00",
            "2025-11-02 12:34:56.",
            "2025-11-02 12:34:5x",
            "-2025-11-02 12:34:56",
            "2025-11-02 +1:34:56",
            "99999999999-1-1 0:0:0",
            "2025-11-02 300:00:00",
        ] {
            assert_eq!(parse_naive_ms(text), None, "{text:?}");
        }
    }

    #[test]
    fn rfc_3339_and_unix_seconds_are_parsed() {
        let at = Some(UtcMillis(1_762_086_896_000));
        for text in [
            "2025-11-02T12:34:56Z",
            "2025-11-02 12:34:56z",
            "1762086896",
            "1762086896.0",
            "2025-11-02T13:34:56+01:00",
            "2025-11-02T13:34:56 01:00",
            "2025-11-02T07:04:56-05:30",
        ] {
            assert_eq!(parse_instant(text), at, "{text}");
        }
        for text in [
            "",
            "now",
            "2025-11-02",
            "2025-11-02T12:34:56",
            "-1",
            "NaN",
            "inf",
            "1e300",
            "2025-11-02T12:34:56+1",
            "2025-11-02T12:34:56+9223372036854775807:00",
            "2025-11-02T12:34:56+24:00",
            "2025-11-02T12:34:56+00:60",
            "2025-11-02T12:34:56+-5:00",
            "2025-11-02T12:34:56+00:-3",
            "2025-11-02T12:34:56+1:00",
            "ä025-11-02T12:34:56+01:00",
            "2025-11-02T12:34:5ä+01:00",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_zone_can_be_described_instead_of_named() {
        for text in [
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "<+0330>-3:30",
            "EST5",
            "UTC0",
            "UTC",
        ] {
            assert!(is_zone_rule(text), "{text}");
        }
        for text in ["Nonsense/Zone", "Europe/Berlin", "CET", "A1", "<x", "", "5"] {
            assert!(!is_zone_rule(text), "{text}");
        }
    }

    /// Central Europe in 2025, in seconds: summer time until 26 October, 01:00 UTC, and from 30
    /// March, 01:00 UTC.
    fn berlin(unix_seconds: i64) -> i64 {
        if (1_743_296_400..1_761_440_400).contains(&unix_seconds) {
            7200
        } else {
            3600
        }
    }

    fn to_utc(text: &str, previous: Option<UtcMillis>) -> UtcMillis {
        local_to_utc(parse_naive_ms(text).expect("a time"), previous, berlin)
    }

    #[test]
    fn local_times_become_utc_by_the_offset_of_their_day() {
        assert_eq!(
            to_utc("2025-07-01 12:00:00", None).sql_text(),
            "2025-07-01 10:00:00.000"
        );
        assert_eq!(
            to_utc("2025-12-01 12:00:00", None).sql_text(),
            "2025-12-01 11:00:00.000"
        );
    }

    #[test]
    fn the_order_of_rows_decides_between_the_two_hours_in_autumn() {
        let mut previous = None;
        let mut texts = Vec::new();
        // Every twenty minutes from 01:40 summer time on: the hour from two to three occurs twice.
        for local in [
            "01:40", "02:00", "02:20", "02:40", "02:00", "02:20", "02:40", "03:00",
        ] {
            let at = to_utc(&format!("2025-10-26 {local}:00.5"), previous);
            previous = Some(at);
            texts.push(at.sql_text()[11..16].to_string());
        }
        assert_eq!(
            texts,
            [
                "23:40", "00:00", "00:20", "00:40", "01:00", "01:20", "01:40", "02:00"
            ]
        );
    }

    #[test]
    fn the_order_of_rows_decides_where_half_an_hour_repeats() {
        // Lord Howe Island on 6 April 2025: at 02:00 of summer time (UTC+11) it is 01:30 again
        // (UTC+10:30).
        let offset = |at: i64| if at < 1_743_865_200 { 39_600 } else { 37_800 };
        let mut previous = None;
        let mut texts = Vec::new();
        for local in [
            "01:20", "01:30", "01:40", "01:50", "01:30", "01:40", "01:50", "02:00",
        ] {
            let naive = parse_naive_ms(&format!("2025-04-06 {local}:00")).expect("a time");
            let at = local_to_utc(naive, previous, offset);
            previous = Some(at);
            texts.push(at.sql_text()[11..16].to_string());
        }
        assert_eq!(
            texts,
            [
                "14:20", "14:30", "14:40", "14:50", "15:00", "15:10", "15:20", "15:30"
            ]
        );
    }

    #[test]
    fn interleaved_rows_of_two_writers_stay_in_the_same_hour() {
        let first = to_utc("2025-10-26 02:30:00", None);
        assert_eq!(
            to_utc("2025-10-26 02:29:30", Some(first)).0,
            first.0 - 30_000
        );
    }

    #[test]
    fn a_time_that_is_skipped_in_spring_is_read_with_the_offset_before_it() {
        assert_eq!(
            to_utc("2025-03-30 02:30:00", None).sql_text(),
            "2025-03-30 01:30:00.000"
        );
    }

    #[test]
    fn a_zone_is_applied_to_times_before_1970_and_far_ahead() {
        assert_eq!(local_to_utc(0, None, |_| -5 * 3600), UtcMillis(5 * HOUR_MS));
        assert_eq!(
            local_to_utc(0, None, |_| 14 * 3600),
            UtcMillis(-14 * HOUR_MS)
        );
    }

    fn seconds(s: f64) -> Monotonic {
        Monotonic(nanoseconds(Duration::from_secs_f64(s)))
    }

    #[test]
    fn ticks_do_not_drift_and_missed_ones_are_skipped() {
        let schedule = Schedule::phased(seconds(100.0), Duration::from_secs(60), 0, 3);
        assert_eq!(schedule.next_after(seconds(100.0)), seconds(160.0));
        assert_eq!(schedule.next_after(seconds(166.9)), seconds(220.0));
        // Delayed by ten seconds, and by fifty.
        assert_eq!(
            schedule.next_check(seconds(170.0), seconds(171.0)),
            seconds(220.0)
        );
        assert_eq!(
            schedule.next_check(seconds(210.0), seconds(211.0)),
            seconds(280.0)
        );
        // Stopped for ten minutes: one tick, not ten.
        assert_eq!(schedule.next_after(seconds(760.5)), seconds(820.0));
        assert_eq!(schedule.ticks_between(seconds(160.0), seconds(820.0)), 10);
        assert_eq!(schedule.ticks_between(seconds(160.0), seconds(220.0)), 0);
        assert_eq!(
            schedule.next_after(seconds(3.0)),
            seconds(100.0),
            "never before the first"
        );
    }

    #[test]
    fn hosts_are_checked_immediately_and_then_spread_over_the_interval() {
        let interval = Duration::from_secs(60);
        let first: Vec<_> = (0..4)
            .map(|index| Schedule::first_check(seconds(10.0), interval, index, 4))
            .collect();
        assert_eq!(first, [10.0, 10.25, 10.5, 10.75].map(seconds));
        let second: Vec<_> = (0..4)
            .map(|index| {
                Schedule::phased(seconds(10.0), interval, index, 4)
                    .next_check(first[index], first[index])
            })
            .collect();
        assert_eq!(second, [70.0, 85.0, 100.0, 55.0].map(seconds));
    }

    #[test]
    fn within_an_interval_of_a_second_the_first_check_is_the_first_tick() {
        let interval = Duration::from_millis(500);
        let first = Schedule::first_check(seconds(10.0), interval, 1, 2);
        assert_eq!(first, seconds(10.25));
        assert_eq!(
            Schedule::phased(seconds(10.0), interval, 1, 2).next_check(first, first),
            seconds(10.75)
        );
    }

    #[test]
    fn two_checks_are_at_least_half_an_interval_apart() {
        for interval in [0.1, 0.7, 1.0, 2.0, 7.0, 60.0, 3600.0] {
            for hosts in [1, 2, 3, 7, 1000] {
                for index in 0..hosts {
                    let interval = Duration::from_secs_f64(interval);
                    let first = Schedule::first_check(seconds(5.0), interval, index, hosts);
                    let gap = Schedule::phased(seconds(5.0), interval, index, hosts)
                        .next_check(first, first)
                        .since(first);
                    assert!(
                        gap * 2 + Duration::from_micros(1) >= interval && gap * 2 <= interval * 3,
                        "{interval:?} {index} of {hosts}: {gap:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_check_may_follow_after_exactly_half_an_interval() {
        let schedule = Schedule::phased(seconds(0.0), Duration::from_secs(10), 0, 1);
        assert_eq!(
            schedule.next_check(seconds(5.0), seconds(5.1)),
            seconds(10.0)
        );
        let late = Monotonic(seconds(5.0).0 + 1);
        assert_eq!(schedule.next_check(late, seconds(5.1)), seconds(20.0));
    }

    #[test]
    fn ticks_are_counted_between_instants_that_are_nearly_ticks() {
        let schedule = Schedule::phased(seconds(0.0), Duration::from_secs(10), 0, 1);
        for (later, between) in [(10.0, 0), (24.9, 1), (25.0, 2), (30.0, 2), (34.9, 2)] {
            assert_eq!(
                schedule.ticks_between(seconds(0.0), seconds(later)),
                between,
                "{later}"
            );
        }
    }

    #[test]
    fn hours_and_days_have_their_ends() {
        assert_eq!(DAY_MS, 86_400_000);
        assert_eq!(Hour::LATEST, UtcMillis(LATEST_MS).hour());
        for (ms, hour, full) in [
            (-1, -1, 0),
            (0, 0, 0),
            (1, 0, 1),
            (3_600_000, 1, 1),
            (3_600_001, 1, 2),
        ] {
            assert_eq!(UtcMillis(ms).hour(), Hour(hour), "{ms}");
            assert_eq!(UtcMillis(ms).first_full_hour(), Hour(full), "{ms}");
        }
    }

    #[test]
    fn a_fraction_of_a_second_has_one_to_nine_digits() {
        let ms = |fraction: &str| parse_naive_ms(&format!("1970-01-01 00:00:01.{fraction}"));
        assert_eq!(ms("5"), Some(1500));
        assert_eq!(ms("012345678"), Some(1012));
        for fraction in ["", "0123456789", "1234567890", "5x", "+5"] {
            assert_eq!(ms(fraction), None, "{fraction}");
        }
    }

    #[test]
    fn a_zone_is_asked_for_the_days_around_the_time() {
        // Summer time from this second on, for half a year.
        let begin = 1_743_296_400;
        let zone = |at: i64| {
            if (begin..begin + 180 * 86_400).contains(&at) {
                7200
            } else {
                3600
            }
        };
        let converted = |naive: i64| local_to_utc(naive * 1000, None, zone).0 / 1000;
        assert_eq!(converted(begin + 7200), begin);
        assert_eq!(converted(begin + 3599), begin - 1);
        assert_eq!(
            converted(begin + 3600),
            begin,
            "skipped: with the offset before"
        );
        assert_eq!(converted(begin + 7199), begin + 3599);
    }

    #[test]
    fn a_row_precedes_the_previous_one_by_at_most_half_of_the_repeated_hour() {
        let first = UtcMillis(1_761_436_800_000);
        for (later_ms, expected) in [(1_800_000, first), (1_800_001, first.plus(3_600_000))] {
            let at = to_utc("2025-10-26 02:00:00", Some(first.plus(later_ms)));
            assert_eq!(at, expected, "{later_ms}");
        }
    }

    #[test]
    fn clocks_are_compared_since_any_instant_and_up_to_the_noise_of_reading() {
        let (second, ms) = (1_000_000_000, 1_000_000);
        let earlier = sample(7 * second, 900 * second, 11 * second);
        let later = |realtime, boottime| {
            sample(9 * second, 902 * second + realtime, 13 * second + boottime)
        };
        for (boottime, slept) in [
            (0, 0),
            (100 * ms - 1, 0),
            (100 * ms, 100),
            (5000 * ms, 5000),
        ] {
            let found = later(0, boottime).slept_since(&earlier);
            assert_eq!(found, Duration::from_millis(slept), "{boottime}");
        }
        // 500 ppm of two seconds, and a tenth of a millisecond.
        for (realtime, step) in [(0, 0), (1_100_000, 0), (1_100_001, 1_100_001)] {
            assert_eq!(later(realtime, 0).step_since(&earlier), step, "{realtime}");
            assert_eq!(
                later(-realtime, 0).step_since(&earlier),
                -step,
                "{realtime}"
            );
        }
    }

    fn sample(monotonic: i64, realtime: i64, boottime: i64) -> ClockSample {
        ClockSample {
            monotonic: Monotonic(monotonic),
            realtime_ns: realtime,
            boottime_ns: boottime,
        }
    }

    #[test]
    fn sleep_and_steps_are_distinguished_from_the_time_between_two_reads() {
        let second = 1_000_000_000;
        let earlier = sample(0, 0, 0);
        assert_eq!(
            sample(second, second, second + 3600 * second).slept_since(&earlier),
            Duration::from_secs(3600)
        );
        assert_eq!(
            sample(second, second, second + 900_000).slept_since(&earlier),
            Duration::ZERO
        );
        assert_eq!(
            sample(second, second + 5 * second, second).step_since(&earlier),
            5 * second
        );
        assert_eq!(
            sample(second, -second, second).step_since(&earlier),
            -2 * second
        );
        assert_eq!(
            sample(second, second + 500_000, second).step_since(&earlier),
            0,
            "500 ppm is what a time service slews by"
        );
        // Asleep for an hour: the wall clock advances with the boot clock.
        assert_eq!(
            sample(second, 3601 * second, 3601 * second).step_since(&earlier),
            3600 * second
        );
        assert_eq!(
            sample(second, 3601 * second, 3601 * second).set_since(&earlier),
            0,
            "it slept"
        );
        assert_eq!(
            sample(second, 3605 * second, 3601 * second).set_since(&earlier),
            4 * second
        );
    }
}
