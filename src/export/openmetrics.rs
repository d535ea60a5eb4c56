//! OpenMetrics 1.0: a sample for each check at its time, with the names and labels of `/metrics`, so that
//! Prometheus continues what is exported with what it scrapes. Each metric family must be contiguous, so
//! the checks are read once for each family.

use std::fmt::Write as _;
use std::io::Write;
use std::ops::Range;

use super::{ExportError, Written};

use crate::pure::model::State;
use crate::pure::series::{
    CHECK_SERIES, CheckFigures, CheckSeries, buckets, host_labels, label, state_label,
};
use crate::pure::time::UtcMillis;
use crate::pure::totals::HostTotals;
use crate::store::{Checks, Reader, RecordedCheck, RecordedHost};

/// What distinguishes the series beside their hosts.
#[derive(Clone, Debug, Default)]
pub struct SeriesLabels {
    /// `job` and `instance`, as far as they are given.
    pub fixed: Vec<(&'static str, String)>,
}

struct Family {
    /// Without the suffix of its samples.
    name: &'static str,
    kind: &'static str,
    unit: &'static str,
    help: &'static str,
    samples: Of,
}

/// What makes the samples of a check.
enum Of {
    Check(fn(&CheckFigures) -> Option<f64>),
    /// From the counts up to the check.
    Totals(fn(&HostTotals, &mut Samples<'_>)),
}

const fn of_check(series: &CheckSeries) -> Family {
    Family {
        name: series.name,
        kind: "gauge",
        unit: series.unit,
        help: series.help,
        samples: Of::Check(series.value),
    }
}

const fn of_totals(
    name: &'static str,
    kind: &'static str,
    unit: &'static str,
    help: &'static str,
    samples: fn(&HostTotals, &mut Samples<'_>),
) -> Family {
    Family {
        name,
        kind,
        unit,
        help,
        samples: Of::Totals(samples),
    }
}

const FAMILIES: [Family; 11] = [
    of_check(&CHECK_SERIES[0]),
    of_check(&CHECK_SERIES[1]),
    of_check(&CHECK_SERIES[2]),
    of_check(&CHECK_SERIES[3]),
    of_check(&CHECK_SERIES[4]),
    of_check(&CHECK_SERIES[5]),
    of_check(&CheckSeries {
        name: "ace_host_up",
        unit: "",
        help: "1 when any ping of the check was answered, 0 when none was.",
        value: |check| Some(f64::from(u8::from(check.state != State::Down))),
    }),
    of_totals(
        "ace_pings_sent",
        "counter",
        "",
        "Pings of recorded checks that were sent; probes between checks are none.",
        |totals, out| out.add("_total", "", totals.sent),
    ),
    of_totals(
        "ace_pings_lost",
        "counter",
        "",
        "Sent pings of recorded checks without a reply in time.",
        |totals, out| out.add("_total", "", totals.lost),
    ),
    of_totals(
        "ace_checks",
        "counter",
        "",
        "Recorded checks by their result, without those that could not be made.",
        |totals, out| {
            let of_states = State::ALL.into_iter().zip(totals.checks);
            for (state, checks) in of_states.filter(|(state, _)| *state != State::NotMeasured) {
                out.add("_total", state_label(state), checks);
            }
        },
    ),
    of_totals(
        "ace_ping_rtt_seconds",
        "histogram",
        "seconds",
        "Round-trip times of answered pings.",
        |totals, out| {
            let mut count = 0;
            for (limit, up_to) in buckets(&totals.rtts) {
                out.add("_bucket", limit, up_to);
                count = up_to;
            }
            out.add("_sum", "", totals.rtt_sum_us as f64 / 1e6);
            out.add("_count", "", count);
        },
    ),
];

/// Takes the samples of one check.
struct Samples<'a> {
    name: &'a str,
    labels: &'a str,
    at: UtcMillis,
    lines: &'a mut String,
}

impl Samples<'_> {
    fn add(&mut self, suffix: &str, label: &str, value: impl std::fmt::Display) {
        let (name, labels) = (self.name, self.labels);
        let comma = if label.is_empty() { "" } else { "," };
        let (seconds, ms) = (self.at.0.div_euclid(1000), self.at.0.rem_euclid(1000));
        let _ = writeln!(
            self.lines,
            "{name}{suffix}{{{labels}{comma}{label}}} {value} {seconds}.{ms:03}"
        );
    }
}

/// Hosts with equal labels, which are one series.
struct Series {
    labels: String,
    hosts: Vec<RecordedHost>,
    /// What was counted before the first check that is exported.
    before: HostTotals,
}

impl SeriesLabels {
    fn of(&self, host: &RecordedHost) -> String {
        let mut labels = String::new();
        for (name, value) in &self.fixed {
            labels.push_str(&label(name, value));
            labels.push(',');
        }
        let source = host.source.as_ref();
        labels.push_str(&host_labels(&host.name, &host.address, host.family, source));
        labels
    }
}

pub fn write(
    reader: &Reader,
    hosts: &[RecordedHost],
    span: &Range<UtcMillis>,
    labels: &SeriesLabels,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, ExportError> {
    let all = all_series(reader, hosts, span, labels)?;
    let (mut done, mut read, mut unreadable) = (0, 0u64, Vec::new());
    let mut lines = String::new();
    for (number, family) in FAMILIES.iter().enumerate() {
        let Family {
            name,
            kind,
            unit,
            help,
            ..
        } = family;
        writeln!(out, "# TYPE {name} {kind}")?;
        if !unit.is_empty() {
            writeln!(out, "# UNIT {name} {unit}")?;
        }
        writeln!(out, "# HELP {name} {help}")?;
        for series in &all {
            let mut checks = Checks::oldest_first(series.hosts.clone(), span);
            let mut totals = series.before.clone();
            let mut newest = None;
            while let Some(check) = checks.next(reader)? {
                read += 1;
                if read % 4096 == 0 {
                    progress(read / FAMILIES.len() as u64);
                }
                done += u64::from(number == 0);
                if matches!(family.samples, Of::Totals(_)) {
                    check.add_to(&mut totals);
                }
                // Timestamps of a series must increase.
                if newest >= Some(check.checked_at) {
                    continue;
                }
                let mut samples = Samples {
                    name,
                    labels: &series.labels,
                    at: check.checked_at,
                    lines: &mut lines,
                };
                match &family.samples {
                    Of::Check(value) => {
                        let Some(value) = value(&figures_of(&check)) else {
                            continue;
                        };
                        samples.add("", "", value);
                    }
                    Of::Totals(add) => add(&totals, &mut samples),
                }
                newest = Some(check.checked_at);
                out.write_all(lines.as_bytes())?;
                lines.clear();
            }
            if number == 0 {
                unreadable.extend(checks.unreadable(reader, span)?);
            }
        }
    }
    out.write_all(b"# EOF\n")?;
    Ok(Written {
        checks: done,
        unreadable,
    })
}

fn figures_of(check: &RecordedCheck) -> CheckFigures {
    CheckFigures {
        state: check.state,
        sent: check.sent,
        received: check.received,
        latencies: [check.min_us, check.avg_us, check.max_us],
    }
}

fn all_series(
    reader: &Reader,
    hosts: &[RecordedHost],
    span: &Range<UtcMillis>,
    labels: &SeriesLabels,
) -> Result<Vec<Series>, ExportError> {
    let mut all: Vec<Series> = Vec::new();
    for host in hosts {
        let before = reader.totals_before(host.id, span.start)?;
        let own = labels.of(host);
        match all.iter_mut().find(|series| series.labels == own) {
            Some(series) => {
                series.before.merge_checks(&before);
                series.hosts.push(host.clone());
            }
            None => all.push(Series {
                labels: own,
                hosts: vec![host.clone()],
                before,
            }),
        }
    }
    Ok(all)
}
