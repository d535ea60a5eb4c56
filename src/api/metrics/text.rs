//! Writes metrics in Prometheus' text format 0.0.4 or in OpenMetrics 1.0. The same samples have the same
//! names, labels and values in both, so that a scraper that changes the format continues its series.

use std::fmt::Write;
use std::io;

use super::accept::Format;
use crate::pure::series::escape;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    Histogram,
    /// A gauge that is always 1, for what its labels say.
    Info,
}

/// What the lines before the samples of a family say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// With `_total` of a counter and `_info`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// Base units, which are the last word of a name.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

impl Head {
    /// The name of the family. In OpenMetrics it is without the suffix of its samples.
    fn family(&self, format: Format) -> &'static str {
        let suffix = match (format, self.kind) {
            (Format::OpenMetrics, Kind::Counter) => "_total",
            (Format::OpenMetrics, Kind::Info) => "_info",
            _ => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }

    fn write(&self, format: Format, out: &mut String) {
        let name = self.family(format);
        let kind = match (self.kind, format) {
            (Kind::Counter, _) => "counter",
            (Kind::Histogram, _) => "histogram",
            (Kind::Info, Format::OpenMetrics) => "info",
            (Kind::Info | Kind::Gauge, _) => "gauge",
        };
        let help = escape(self.help, format == Format::OpenMetrics);
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        let unit = name.rsplit('_').next().filter(|unit| UNITS.contains(unit));
        if let Some(unit) = unit.filter(|_| format == Format::OpenMetrics) {
            let _ = writeln!(out, "# UNIT {name} {unit}");
        }
    }
}

/// The end of all.
pub(super) fn end(format: Format) -> &'static str {
    match format {
        Format::Text => "",
        Format::OpenMetrics => "# EOF\n",
    }
}

/// A value of a sample.
pub(super) trait Number {
    fn write(self, out: &mut String);
}

impl Number for f64 {
    fn write(self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
}

impl Number for u64 {
    /// Digit by digit: a thousand hosts have fifty thousand of these, and a formatter takes several
    /// times as long.
    fn write(self, out: &mut String) {
        let mut place = 1;
        while self / place >= 10 {
            place *= 10;
        }
        while place > 0 {
            let digit = u32::try_from(self / place % 10).unwrap_or(0);
            out.push(char::from_digit(digit, 10).unwrap_or('0'));
            place /= 10;
        }
    }
}

impl Number for u8 {
    fn write(self, out: &mut String) {
        u64::from(self).write(out);
    }
}

impl Number for usize {
    fn write(self, out: &mut String) {
        (self as u64).write(out);
    }
}

/// So many bytes are written at once.
const LONG: usize = 32 * 1024;

/// Takes the samples of one family.
pub(super) struct Samples<'a> {
    format: Format,
    head: Head,
    /// Whether the lines before the samples are written: not for a family without any.
    has_head: bool,
    /// Labels that all samples of one host have.
    labels: &'a str,
    out: &'a mut String,
}

impl<'a> Samples<'a> {
    pub(super) fn of(format: Format, head: Head, out: &'a mut String) -> Samples<'a> {
        Samples {
            format,
            head,
            has_head: false,
            labels: "",
            out,
        }
    }

    /// The samples that follow have these labels, separated by commas.
    pub(super) fn set_labels(&mut self, labels: &'a str) {
        self.labels = labels;
    }

    /// Writes what was made, if it is long.
    pub(super) fn write_if_long(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        if self.out.len() >= LONG {
            out.write_all(self.out.as_bytes())?;
            self.out.clear();
        }
        Ok(())
    }

    pub(super) fn add(&mut self, value: impl Number) {
        self.add_with("", value);
    }

    /// A sample with one more label.
    pub(super) fn add_with(&mut self, label: &str, value: impl Number) {
        self.add_suffixed("", label, value);
    }

    /// A sample whose name is longer than that of the family: `_bucket`, `_sum`, `_count`.
    pub(super) fn add_suffixed(&mut self, suffix: &str, label: &str, value: impl Number) {
        if !std::mem::replace(&mut self.has_head, true) {
            self.head.write(self.format, self.out);
        }
        self.out.push_str(self.head.name);
        self.out.push_str(suffix);
        let labels = [self.labels, label];
        let mut labels = labels.iter().filter(|label| !label.is_empty());
        if let Some(first) = labels.next() {
            self.out.push('{');
            self.out.push_str(first);
            for label in labels {
                self.out.push(',');
                self.out.push_str(label);
            }
            self.out.push('}');
        }
        self.out.push(' ');
        value.write(self.out);
        self.out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: Head = Head {
        name: "ace_outage_seconds_total",
        kind: Kind::Counter,
        help: "With \\ and \"quotes\".",
    };

    fn text(format: Format, head: Head, add: impl FnOnce(&mut Samples<'_>)) -> String {
        let mut out = String::new();
        add(&mut Samples::of(format, head, &mut out));
        out
    }

    #[test]
    fn a_counter_has_its_suffix_in_the_name_of_its_samples_and_a_unit_in_openmetrics() {
        let add = |samples: &mut Samples<'_>| samples.add(7u8);
        assert_eq!(
            text(Format::Text, COUNTER, add),
            "# HELP ace_outage_seconds_total With \\\\ and \"quotes\".\n\
             # TYPE ace_outage_seconds_total counter\nace_outage_seconds_total 7\n"
        );
        assert_eq!(
            text(Format::OpenMetrics, COUNTER, add),
            "# HELP ace_outage_seconds With \\\\ and \\\"quotes\\\".\n\
             # TYPE ace_outage_seconds counter\n# UNIT ace_outage_seconds seconds\nace_outage_seconds_total 7\n"
        );
        let info = Head {
            name: "ace_build_info",
            kind: Kind::Info,
            help: "H",
        };
        for (format, expected) in [
            (
                Format::Text,
                "# HELP ace_build_info H\n# TYPE ace_build_info gauge\nace_build_info 1\n",
            ),
            (
                Format::OpenMetrics,
                "# HELP ace_build H\n# TYPE ace_build info\nace_build_info 1\n",
            ),
        ] {
            assert_eq!(text(format, info, |samples| samples.add(1u8)), expected);
        }
    }

    #[test]
    fn a_family_without_samples_is_left_out() {
        assert_eq!(text(Format::OpenMetrics, COUNTER, |_| ()), "");
    }

    #[test]
    fn the_labels_of_a_host_come_before_others() {
        let both = text(Format::Text, COUNTER, |samples| {
            samples.set_labels("host=\"a\"");
            samples.add(0.5);
            samples.add_with("cause=\"host\"", 1.0);
            samples.set_labels("");
            samples.add_suffixed("_sum", "le=\"1.0\"", u64::MAX);
        });
        let samples: Vec<&str> = both.lines().skip(2).collect();
        assert_eq!(
            samples,
            [
                "ace_outage_seconds_total{host=\"a\"} 0.5",
                "ace_outage_seconds_total{host=\"a\",cause=\"host\"} 1",
                "ace_outage_seconds_total_sum{le=\"1.0\"} 18446744073709551615",
            ]
        );
    }

    #[test]
    fn what_is_long_is_written_before_all_is_made() {
        let mut out = String::new();
        let mut samples = Samples::of(Format::Text, COUNTER, &mut out);
        let mut written = Vec::new();
        samples.add(1u8);
        samples.write_if_long(&mut written).expect("a vector");
        assert!(written.is_empty());
        samples.add_with(&"x".repeat(LONG), 1u8);
        samples.write_if_long(&mut written).expect("a vector");
        samples.add(2u8);
        assert!(written.len() > LONG);
        assert_eq!(out, "ace_outage_seconds_total 2\n");
    }
}
