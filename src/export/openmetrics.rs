//! OpenMetrics 1.0: gauges with the names and labels of `/metrics`, and a sample for each check at
//! its time. Each metric family must be contiguous, so the checks are read once for each family.

use std::io::Write;
use std::ops::Range;

use super::{ExportError, Written};
use crate::pure::time::UtcMillis;
use crate::store::{Checks, Reader, RecordedCheck, RecordedHost};

/// Name, unit, help text, and the value of a check.
type Family = (
    &'static str,
    &'static str,
    &'static str,
    fn(&RecordedCheck) -> Option<f64>,
);

const FAMILIES: [Family; 6] = [
    (
        "success",
        "ratio",
        "Share of the check's pings that were answered.",
        |check| Some(check.success_rate() / 100.0),
    ),
    (
        "rtt_min",
        "seconds",
        "Minimum round-trip time of the check.",
        |check| seconds(check.min_us),
    ),
    (
        "rtt_avg",
        "seconds",
        "Mean round-trip time of the check.",
        |check| seconds(check.avg_us),
    ),
    (
        "rtt_max",
        "seconds",
        "Maximum round-trip time of the check.",
        |check| seconds(check.max_us),
    ),
    ("sent", "pings", "Pings that were sent.", |check| {
        Some(check.sent as f64)
    }),
    (
        "received",
        "pings",
        "Pings that were answered in time.",
        |check| Some(check.received as f64),
    ),
];

fn seconds(us: Option<u32>) -> Option<f64> {
    us.map(|us| f64::from(us) / 1e6)
}

pub fn write(
    reader: &Reader,
    hosts: &[RecordedHost],
    span: &Range<UtcMillis>,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, ExportError> {
    let (mut done, mut read, mut unreadable) = (0, 0u64, Vec::new());
    for (number, (name, unit, help, value)) in FAMILIES.iter().enumerate() {
        let name = format!("ace_check_{name}_{unit}");
        write!(
            out,
            "# TYPE {name} gauge\n# UNIT {name} {unit}\n# HELP {name} {help}\n"
        )?;
        // Hosts that differ only in their version of IP have the same labels: one series.
        for series in hosts.chunk_by(|a, b| (&a.name, &a.address) == (&b.name, &b.address)) {
            let labels = format!(
                "{{host=\"{}\",address=\"{}\"}}",
                escape(&series[0].name),
                escape(&series[0].address)
            );
            let mut checks = Checks::oldest_first(series.to_vec(), span);
            let mut newest = None;
            while let Some(check) = checks.next(reader)? {
                read += 1;
                if read % 4096 == 0 {
                    progress(read / FAMILIES.len() as u64);
                }
                done += u64::from(number == 0);
                // Timestamps of a series must increase.
                let Some(value) = value(&check).filter(|_| newest < Some(check.checked_at)) else {
                    continue;
                };
                newest = Some(check.checked_at);
                let at = check.checked_at.0;
                writeln!(
                    out,
                    "{name}{labels} {value} {}.{:03}",
                    at.div_euclid(1000),
                    at.rem_euclid(1000)
                )?;
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

/// Escapes a label's value: backslash, quote and line feed.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
