//! The section `monitoring`. Every host may override its keys. Also decides
//! whether a check fits its interval.

use std::time::Duration;

use super::key::{Key, SectionKeys, Without};
use super::kind::{Choice, Range, Time, Whole};
use super::problem::Problems;
use super::section::Section;
use crate::pure::model::Thresholds;

const INTERVAL: Key<Time, Duration> = Key {
    name: "interval_seconds",
    kind: Range::new(0.1, 86_400.0).seconds(),
    default: Duration::from_secs(60),
};
const PING_COUNT: Key<Whole, u16> = Key {
    name: "ping_count",
    kind: Whole::new(1, 100),
    default: 5,
};
const TIMEOUT: Key<Time, Duration> = Key {
    name: "timeout_seconds",
    kind: Range::new(0.01, 60.0).seconds(),
    default: Duration::from_secs(2),
};
const SPACING: Key<Whole, u16> = Key {
    name: "ping_spacing_ms",
    kind: Whole::new(MIN_SPACING_MS, 60_000).of("milliseconds"),
    default: 1000,
};
const PAYLOAD: Key<Whole, u16> = Key {
    name: "payload_bytes",
    kind: Whole::new(16, 1472).of("bytes"),
    default: 56,
};
const TIME_TO_LIVE: Key<Whole, Without> = Key {
    name: "time_to_live",
    kind: Whole::new(1, 255),
    default: Without("the system's default used"),
};
const UP_PERCENT: Key<Range, f64> = Key {
    name: "up_percent",
    kind: Range::new(0.0, 100.0).of("percent"),
    default: 95.0,
};
const DEGRADED_PERCENT: Key<Range, f64> = Key {
    name: "degraded_percent",
    kind: Range::new(0.0, 100.0).of("percent"),
    default: 80.0,
};
const LATENCY_LIMIT: Key<Range, Without> = Key {
    name: "latency_limit_ms",
    kind: Range::above(0.0, 60_000.0).of("milliseconds"),
    default: Without("none used"),
};

const OTHER_ADDRESSES: Key<Choice<bool>, bool> = Key {
    name: "other_addresses",
    kind: Choice(&[("use", true), ("report", false)]),
    default: true,
};

/// The keys that a host may have too.
pub(super) const SHARED: &[&str] = &[
    INTERVAL.name,
    PING_COUNT.name,
    TIMEOUT.name,
    SPACING.name,
    PAYLOAD.name,
    TIME_TO_LIVE.name,
    UP_PERCENT.name,
    DEGRADED_PERCENT.name,
    LATENCY_LIMIT.name,
    OTHER_ADDRESSES.name,
];

pub(super) const KEYS: SectionKeys = SectionKeys {
    path: "monitoring",
    keys: SHARED,
};

const MIN_SPACING_MS: u16 = 10;

/// The values of the shared keys, for all hosts or for one.
#[derive(Clone, Debug)]
pub(super) struct SharedSettings {
    pub interval: Duration,
    pub ping_count: u16,
    pub timeout: Duration,
    /// As configured; `None` for the default, which is shortened until a check fits its interval.
    configured_spacing: Option<Duration>,
    pub payload_bytes: u16,
    pub time_to_live: Option<u8>,
    pub thresholds: Thresholds,
    pub uses_other_addresses: bool,
}

/// The spacing of the pings that lets a check fit its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FittedSpacing {
    pub spacing: Duration,
    /// Whether a check is too long even with the minimum spacing.
    overruns: bool,
    /// Whether the spacing is less than the configured one or the default.
    is_shortened: bool,
}

impl SharedSettings {
    fn defaults() -> Self {
        SharedSettings {
            interval: INTERVAL.default,
            ping_count: PING_COUNT.default,
            timeout: TIMEOUT.default,
            configured_spacing: None,
            payload_bytes: PAYLOAD.default,
            time_to_live: None,
            thresholds: Thresholds {
                up_rate: thousandths(UP_PERCENT.default),
                degraded_rate: thousandths(DEGRADED_PERCENT.default),
                latency_limit_us: None,
            },
            uses_other_addresses: OTHER_ADDRESSES.default,
        }
    }

    /// The largest spacing, up to the wanted one, with which `(ping_count - 1) * spacing + timeout`
    /// is within the interval.
    pub fn fitted_spacing(&self) -> FittedSpacing {
        let default = Duration::from_millis(SPACING.default.into());
        let wanted = self.configured_spacing.unwrap_or(default);
        let available = self.interval.checked_sub(self.timeout);
        let gaps = u32::from(self.ping_count) - 1;
        let max = match (available, gaps) {
            (Some(_), 0) => wanted,
            (Some(available), gaps) => Duration::from_millis(
                u64::try_from((available / gaps).as_millis())
                    .expect("an interval is at most a day"),
            ),
            (None, 0) => {
                return FittedSpacing {
                    spacing: wanted,
                    overruns: true,
                    is_shortened: false,
                };
            }
            (None, _) => Duration::ZERO,
        };
        let min = Duration::from_millis(MIN_SPACING_MS.into());
        FittedSpacing {
            spacing: wanted.min(max).max(min),
            overruns: max < min,
            is_shortened: max < wanted,
        }
    }

    /// The settings of a section, and whether it sets the spacing. What it does not have is
    /// taken from `self`; `origin` says in a message whose settings these are.
    fn read(&self, problems: &mut Problems, section: &Section<'_>, origin: &str) -> (Self, bool) {
        let interval = section.value_or(problems, &INTERVAL, origin, self.interval);
        let ping_count = section.value_or(problems, &PING_COUNT, origin, self.ping_count);
        let timeout = section.value_or(problems, &TIMEOUT, origin, self.timeout);
        let other_spacing = match self.configured_spacing {
            Some(spacing) => format!("{origin} {} used", spacing.as_millis()),
            None => format!(
                "default used, {} or less so that a check fits its interval",
                SPACING.default
            ),
        };
        let own_spacing = section
            .own_value(problems, &SPACING, &other_spacing)
            .map(|ms| Duration::from_millis(ms.into()));
        let payload_bytes = section.value_or(problems, &PAYLOAD, origin, self.payload_bytes);
        let other_hops = self.time_to_live.map(u16::from);
        let hops = section.optional_or(problems, &TIME_TO_LIVE, origin, other_hops);
        let settings = SharedSettings {
            interval,
            ping_count,
            timeout,
            configured_spacing: own_spacing.or(self.configured_spacing),
            payload_bytes,
            time_to_live: hops.and_then(|hops| u8::try_from(hops).ok()),
            thresholds: read_thresholds(problems, section, origin, self.thresholds),
            uses_other_addresses: section.value_or(
                problems,
                &OTHER_ADDRESSES,
                origin,
                self.uses_other_addresses,
            ),
        };
        (settings, own_spacing.is_some())
    }
}

fn thousandths(number: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the ranges of the keys bound it"
    )]
    let thousandths = (number * 1000.0).round() as u32;
    thousandths
}

/// The thresholds of a section; what it does not have is taken from `other`.
fn read_thresholds(
    problems: &mut Problems,
    section: &Section<'_>,
    origin: &str,
    other: Thresholds,
) -> Thresholds {
    let number = |thousandths: u32| f64::from(thousandths) / 1000.0;
    let (other_up, other_degraded) = (number(other.up_rate), number(other.degraded_rate));
    let up = section.value_or(problems, &UP_PERCENT, origin, other_up);
    let otherwise = format!("{origin} {other_degraded} used");
    let own_degraded = section.own_value(problems, &DEGRADED_PERCENT, &otherwise);
    let other_limit = other.latency_limit_us.map(number);
    let limit = section.optional_or(problems, &LATENCY_LIMIT, origin, other_limit);
    let thresholds = Thresholds {
        up_rate: thousandths(up),
        degraded_rate: own_degraded.map_or(other.degraded_rate, thousandths),
        latency_limit_us: limit.map(|ms| thousandths(ms).max(1)),
    };
    if thresholds.degraded_rate <= thresholds.up_rate {
        return thresholds;
    }
    let key = match own_degraded {
        Some(_) => DEGRADED_PERCENT.name,
        None => UP_PERCENT.name,
    };
    let wrong = format!(
        "degraded_percent {} is above up_percent {}",
        number(thresholds.degraded_rate),
        number(thresholds.up_rate)
    );
    let otherwise = format!("{origin} {other_degraded} and {other_up} used");
    section.report(problems, key, &wrong, &otherwise);
    Thresholds {
        latency_limit_us: thresholds.latency_limit_us,
        ..other
    }
}

/// The settings of `monitoring`.
pub(super) fn read(problems: &mut Problems, section: &Section<'_>) -> SharedSettings {
    let (settings, has_own_spacing) = SharedSettings::defaults().read(problems, section, "default");
    let fitted = settings.fitted_spacing();
    if has_own_spacing && fitted.is_shortened {
        report_spacing(problems, section, &settings, fitted);
    } else if fitted.overruns {
        note_overrun(problems, section, &settings);
    }
    settings
}

/// The settings of a host. Reports what is not already reported for `monitoring`.
pub(super) fn read_of_host(
    problems: &mut Problems,
    section: &Section<'_>,
    monitoring: &SharedSettings,
) -> SharedSettings {
    let (settings, has_own_spacing) = monitoring.read(problems, section, "monitoring's");
    let (fitted, inherited) = (settings.fitted_spacing(), monitoring.fitted_spacing());
    let has_own_time =
        settings.interval != monitoring.interval || settings.timeout != monitoring.timeout;
    if has_own_spacing && fitted.is_shortened {
        report_spacing(problems, section, &settings, fitted);
    } else if fitted.overruns {
        if has_own_time || !inherited.overruns {
            note_overrun(problems, section, &settings);
        }
    } else if settings.configured_spacing.is_some() && fitted.is_shortened && fitted != inherited {
        let text = format!(
            "{}; {} ms of spacing used instead of monitoring's",
            describe_misfit(&settings),
            fitted.spacing.as_millis()
        );
        section.note(problems, long_check_key(section), text);
    }
    settings
}

fn report_spacing(
    problems: &mut Problems,
    section: &Section<'_>,
    settings: &SharedSettings,
    fitted: FittedSpacing,
) {
    let mut otherwise = format!("{} used", fitted.spacing.as_millis());
    if fitted.overruns {
        otherwise.push_str(", and each check overruns: the ticks it covers are skipped");
    }
    let wrong = describe_misfit(settings);
    section.report(problems, SPACING.name, &wrong, &otherwise);
}

/// Only for settings with a configured spacing.
fn describe_misfit(settings: &SharedSettings) -> String {
    let spacing = settings.configured_spacing.unwrap_or_default().as_millis();
    let (count, timeout, interval) = (
        settings.ping_count,
        settings.timeout.as_secs_f64(),
        settings.interval.as_secs_f64(),
    );
    format!(
        "{spacing} does not fit: {count} pings {spacing} ms apart with a timeout of {timeout} s \
         can take longer than the interval of {interval} s"
    )
}

fn note_overrun(problems: &mut Problems, section: &Section<'_>, settings: &SharedSettings) {
    let (timeout, interval) = (
        settings.timeout.as_secs_f64(),
        settings.interval.as_secs_f64(),
    );
    let pings = match settings.ping_count {
        1 => "one ping".to_owned(),
        count => format!("{count} pings {MIN_SPACING_MS} ms apart"),
    };
    let text = format!(
        "{pings} with a timeout of {timeout} s can take longer than the interval of {interval} s; \
         a check that overruns skips the ticks it covers"
    );
    section.note(problems, long_check_key(section), text);
}

/// The key of the section that makes a check too long for its interval.
fn long_check_key(section: &Section<'_>) -> &'static str {
    [INTERVAL.name, TIMEOUT.name, PING_COUNT.name]
        .into_iter()
        .find(|name| section.get(name).is_some())
        .unwrap_or(INTERVAL.name)
}
