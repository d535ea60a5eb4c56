//! How often, how many, how long: the keys that `monitoring` and each host share, and whether a
//! check fits its interval.

use std::time::Duration;

use super::section::{Checker, Range, Section};
use crate::pure::model::Thresholds;

const INTERVAL: Range = Range {
    least: 0.1,
    most: 86_400.0,
    is_open: false,
    is_whole: false,
    unit: "seconds",
};
const PING_COUNT: Range = Range {
    least: 1.0,
    most: 100.0,
    is_open: false,
    is_whole: true,
    unit: "",
};
const TIMEOUT: Range = Range {
    least: 0.01,
    most: 60.0,
    is_open: false,
    is_whole: false,
    unit: "seconds",
};
const SPACING: Range = Range {
    least: 10.0,
    most: 60_000.0,
    is_open: false,
    is_whole: true,
    unit: "milliseconds",
};
const PAYLOAD: Range = Range {
    least: 16.0,
    most: 1472.0,
    is_open: false,
    is_whole: true,
    unit: "bytes",
};
const TIME_TO_LIVE: Range = Range {
    least: 1.0,
    most: 255.0,
    is_open: false,
    is_whole: true,
    unit: "",
};

const PERCENT: Range = Range {
    least: 0.0,
    most: 100.0,
    is_open: false,
    is_whole: false,
    unit: "percent",
};
const LATENCY_LIMIT: Range = Range {
    least: 0.0,
    most: 60_000.0,
    is_open: true,
    is_whole: false,
    unit: "milliseconds",
};

const MIN_SPACING: Duration = Duration::from_millis(10);
const DEFAULT_SPACING: Duration = Duration::from_millis(1000);

/// The keys that `monitoring` and each host share.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    pub interval: Duration,
    pub ping_count: u16,
    pub timeout: Duration,
    /// As written; `None` asks for the default.
    pub wanted_spacing: Option<Duration>,
    pub payload_bytes: u16,
    pub time_to_live: Option<u8>,
    pub thresholds: Thresholds,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            interval: Duration::from_secs(60),
            ping_count: 5,
            timeout: Duration::from_secs(2),
            wanted_spacing: None,
            payload_bytes: 56,
            time_to_live: None,
            thresholds: Thresholds::default(),
        }
    }
}

/// `monitoring` as the hosts inherit it.
pub(super) struct Monitoring {
    pub pace: Pace,
    pub fit: Fit,
}

/// How a check fits its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// From one ping to the next.
    pub spacing: Duration,
    /// Even the least spacing does not fit.
    pub overruns: bool,
    /// The spacing is less than was asked for.
    pub shortened: bool,
}

impl Pace {
    /// The spacing that lets `(ping_count - 1) * spacing + timeout` fit the interval, if there is
    /// one.
    pub fn fit(&self) -> Fit {
        let wanted = self.wanted_spacing.unwrap_or(DEFAULT_SPACING);
        let room = self.interval.checked_sub(self.timeout);
        let gaps = u32::from(self.ping_count) - 1;
        let most = match (room, gaps) {
            (Some(_), 0) => wanted,
            (Some(room), gaps) => Duration::from_millis(
                u64::try_from((room / gaps).as_millis()).expect("an interval is at most a day"),
            ),
            (None, 0) => {
                return Fit {
                    spacing: wanted,
                    overruns: true,
                    shortened: false,
                };
            }
            (None, _) => Duration::ZERO,
        };
        Fit {
            spacing: wanted.min(most).max(MIN_SPACING),
            overruns: most < MIN_SPACING,
            shortened: most < wanted,
        }
    }

    /// These values with those of the section over them, and whether the spacing is the section's.
    /// `origin` says whose values stand when one is wrong.
    fn read(&self, checker: &mut Checker, section: &Section<'_>, origin: &str) -> (Pace, bool) {
        let seconds = |duration: Duration| duration.as_secs_f64();
        let used = |value: f64| format!("{origin} {value} used");
        let interval = checker.number(
            section,
            "interval_seconds",
            &INTERVAL,
            &used(seconds(self.interval)),
        );
        let ping_count = checker.whole(
            section,
            "ping_count",
            &PING_COUNT,
            &used(f64::from(self.ping_count)),
        );
        let timeout = checker.number(
            section,
            "timeout_seconds",
            &TIMEOUT,
            &used(seconds(self.timeout)),
        );
        let spacing_used = match self.wanted_spacing {
            Some(spacing) => used(seconds(spacing) * 1000.0),
            None => "default used, 1000 or less so that a check fits its interval".into(),
        };
        let spacing = checker.whole(section, "ping_spacing_ms", &SPACING, &spacing_used);
        let payload_bytes = checker.whole(
            section,
            "payload_bytes",
            &PAYLOAD,
            &used(f64::from(self.payload_bytes)),
        );
        let hops_used = self
            .time_to_live
            .map_or("the system's own used".into(), |hops| used(f64::from(hops)));
        let time_to_live = checker.whole(section, "time_to_live", &TIME_TO_LIVE, &hops_used);
        let pace = Pace {
            interval: interval.map_or(self.interval, Duration::from_secs_f64),
            ping_count: ping_count.unwrap_or(self.ping_count),
            timeout: timeout.map_or(self.timeout, Duration::from_secs_f64),
            wanted_spacing: spacing
                .map(|spacing| Duration::from_millis(spacing.into()))
                .or(self.wanted_spacing),
            payload_bytes: payload_bytes.unwrap_or(self.payload_bytes),
            time_to_live: time_to_live
                .and_then(|hops| u8::try_from(hops).ok())
                .or(self.time_to_live),
            thresholds: self.thresholds.read(checker, section, origin),
        };
        (pace, spacing.is_some())
    }
}

impl Thresholds {
    /// These with those of the section over them. `origin` says whose stand when one is wrong.
    fn read(self, checker: &mut Checker, section: &Section<'_>, origin: &str) -> Thresholds {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "both are bounded by their ranges"
        )]
        let thousandths = |number: f64| (number * 1000.0).round() as u32;
        let used = |number: u32| format!("{origin} {} used", f64::from(number) / 1000.0);
        let up = checker.number(section, "up_percent", &PERCENT, &used(self.up_rate));
        let degraded = checker.number(
            section,
            "degraded_percent",
            &PERCENT,
            &used(self.degraded_rate),
        );
        let limit_used = self.latency_limit_us.map_or("none used".into(), used);
        let limit = checker.number(section, "latency_limit_ms", &LATENCY_LIMIT, &limit_used);
        let read = Thresholds {
            up_rate: up.map_or(self.up_rate, thousandths),
            degraded_rate: degraded.map_or(self.degraded_rate, thousandths),
            latency_limit_us: limit
                .map(|ms| thousandths(ms).max(1))
                .or(self.latency_limit_us),
        };
        if read.degraded_rate <= read.up_rate {
            return read;
        }
        let key = if degraded.is_some() {
            "degraded_percent"
        } else {
            "up_percent"
        };
        let percent = |rate: u32| f64::from(rate) / 1000.0;
        let wrong = format!(
            "degraded_percent {} is above up_percent {}",
            percent(read.degraded_rate),
            percent(read.up_rate)
        );
        let used = format!(
            "{origin} {} and {} used",
            percent(self.degraded_rate),
            percent(self.up_rate)
        );
        checker.wrong(section, key, &wrong, &used);
        Thresholds {
            latency_limit_us: read.latency_limit_us,
            ..self
        }
    }
}

/// The values of `monitoring:`, with what there is to say about them.
pub(super) fn read_monitoring(checker: &mut Checker, section: &Section<'_>) -> Monitoring {
    let (pace, has_own_spacing) = Pace::default().read(checker, section, "default");
    let fit = pace.fit();
    if has_own_spacing && fit.shortened {
        refuse_spacing(checker, section, &pace, fit);
    } else if fit.overruns {
        note_overrun(checker, section, &pace);
    }
    Monitoring { pace, fit }
}

/// The values of one host, with what is to be said of this host and not of `monitoring`.
pub(super) fn read_host_pace(
    checker: &mut Checker,
    section: &Section<'_>,
    monitoring: &Monitoring,
) -> (Pace, Fit) {
    let (pace, has_own_spacing) = monitoring.pace.read(checker, section, "monitoring's");
    let fit = pace.fit();
    let has_own_time =
        pace.interval != monitoring.pace.interval || pace.timeout != monitoring.pace.timeout;
    if has_own_spacing && fit.shortened {
        refuse_spacing(checker, section, &pace, fit);
    } else if fit.overruns {
        if has_own_time || !monitoring.fit.overruns {
            note_overrun(checker, section, &pace);
        }
    } else if pace.wanted_spacing.is_some() && fit.shortened && fit != monitoring.fit {
        let text = format!(
            "{}; {} ms of spacing used instead of monitoring's",
            misfit(&pace),
            fit.spacing.as_millis()
        );
        checker.note(section, culprit(section), text);
    }
    (pace, fit)
}

fn refuse_spacing(checker: &mut Checker, section: &Section<'_>, pace: &Pace, fit: Fit) {
    let mut used = format!("{} used", fit.spacing.as_millis());
    if fit.overruns {
        used.push_str(", and each check overruns: the ticks it covers are skipped");
    }
    checker.wrong(section, "ping_spacing_ms", &misfit(pace), &used);
}

fn misfit(pace: &Pace) -> String {
    let spacing = pace.wanted_spacing.unwrap_or(MIN_SPACING).as_millis();
    let (count, timeout, interval) = (
        pace.ping_count,
        pace.timeout.as_secs_f64(),
        pace.interval.as_secs_f64(),
    );
    format!(
        "{spacing} does not fit: {count} pings {spacing} ms apart with a timeout of {timeout} s can take longer than the interval of {interval} s"
    )
}

fn note_overrun(checker: &mut Checker, section: &Section<'_>, pace: &Pace) {
    let (count, timeout, interval) = (
        pace.ping_count,
        pace.timeout.as_secs_f64(),
        pace.interval.as_secs_f64(),
    );
    let pings = if count == 1 {
        "one ping".to_owned()
    } else {
        format!("{count} pings 10 ms apart")
    };
    let text = format!(
        "{pings} with a timeout of {timeout} s can take longer than the interval of {interval} s; \
         a check that overruns skips the ticks it covers"
    );
    checker.note(section, culprit(section), text);
}

/// The key of the section that makes a check too long for its interval.
fn culprit(section: &Section<'_>) -> &'static str {
    let keys = ["interval_seconds", "timeout_seconds", "ping_count"];
    keys.into_iter()
        .find(|key| section.get(key).is_some())
        .unwrap_or("interval_seconds")
}
