//! Every family of `/metrics`, in the order in which they are written: the table that the text and
//! docs/metrics.md follow. Names and units are those of Prometheus' rules: base units, `_total` for what
//! only grows, labels for what can be added up.

use std::io;

use super::accept::Format;
use super::figures::{Figures, HostFigures, ProgramFigures};
use super::text::{self, Head, Kind, Samples};
use super::values::{
    add_flag, add_flag_with, add_histogram, add_outages, add_rtt, add_some, add_total, cause_label,
    measured, outage, version_label,
};
use crate::pure::model::State;
use crate::pure::series::{label, state_label};

pub(super) struct Family {
    head: Head,
    /// The labels beside those of the host, for the documents.
    #[cfg_attr(not(test), expect(dead_code, reason = "the table is made by a test"))]
    labels: &'static str,
    samples: Of,
}

/// What makes the samples of a family.
pub(super) enum Of {
    /// For each configured host.
    Host(fn(&HostFigures, &mut Samples<'_>)),
    /// Once.
    Program(fn(&ProgramFigures, &mut Samples<'_>)),
}

use Kind::{Counter, Gauge, Histogram, Info};

/// A family of every host.
const fn host(
    name: &'static str,
    kind: Kind,
    labels: &'static str,
    help: &'static str,
    samples: fn(&HostFigures, &mut Samples<'_>),
) -> Family {
    Family {
        head: Head { name, kind, help },
        labels,
        samples: Of::Host(samples),
    }
}

/// A family of the program or this machine.
const fn program(
    name: &'static str,
    kind: Kind,
    labels: &'static str,
    help: &'static str,
    samples: fn(&ProgramFigures, &mut Samples<'_>),
) -> Family {
    Family {
        head: Head { name, kind, help },
        labels,
        samples: Of::Program(samples),
    }
}

pub(super) const FAMILIES: [Family; 42] = [
    host(
        "ace_host_up",
        Gauge,
        "",
        "1 when any ping of the newest check was answered, 0 when none was; absent when stale or not measured.",
        |host, out| {
            if let Some(current) = measured(host) {
                out.add(u8::from(current.state != State::Down));
            }
        },
    ),
    host(
        "ace_host_not_measured",
        Gauge,
        "",
        "1 when the newest check could not be made.",
        |host, out| {
            if let Some(current) = &host.current {
                out.add(u8::from(current.state == State::NotMeasured));
            }
        },
    ),
    host(
        "ace_host_state",
        Gauge,
        "state",
        "1 for the state of the newest check, 0 for the others; absent when stale.",
        |host, out| {
            if let Some(current) = &host.current {
                for state in State::ALL {
                    out.add_with(state_label(state), u8::from(current.state == state));
                }
            }
        },
    ),
    host(
        "ace_host_stale",
        Gauge,
        "",
        "1 when no check came within three intervals.",
        |host, out| out.add(u8::from(host.current.is_none())),
    ),
    host(
        "ace_name_resolves",
        Gauge,
        "",
        "1 when the name of the host resolves, 0 when it does not; absent for an address, when stale and where the newest check does not show it.",
        |host, out| {
            add_flag(
                out,
                host.current
                    .as_ref()
                    .and_then(|current| current.name_resolves),
            )
        },
    ),
    host(
        "ace_check_timestamp_seconds",
        Gauge,
        "",
        "When the newest check was made.",
        |host, out| add_some(out, host.checked_at_seconds),
    ),
    host(
        "ace_check_interval_seconds",
        Gauge,
        "",
        "Time between two checks, as configured.",
        |host, out| out.add(host.interval_seconds),
    ),
    host(
        "ace_check_success_ratio",
        Gauge,
        "",
        "Share of the newest check's pings that were answered.",
        |host, out| {
            add_some(
                out,
                measured(host).and_then(|current| current.success_ratio),
            )
        },
    ),
    host(
        "ace_check_rtt_min_seconds",
        Gauge,
        "",
        "Minimum round-trip time of the newest check.",
        |host, out| add_rtt(host, out, |[min, _, _]| min),
    ),
    host(
        "ace_check_rtt_avg_seconds",
        Gauge,
        "",
        "Mean round-trip time of the newest check.",
        |host, out| add_rtt(host, out, |[_, avg, _]| avg),
    ),
    host(
        "ace_check_rtt_max_seconds",
        Gauge,
        "",
        "Maximum round-trip time of the newest check.",
        |host, out| add_rtt(host, out, |[_, _, max]| max),
    ),
    host(
        "ace_checks_total",
        Counter,
        "state",
        "Recorded checks by their result; not_measured are those that could not be made.",
        |host, out| {
            let Some(totals) = &host.totals else { return };
            for (state, checks) in State::ALL.into_iter().zip(totals.checks) {
                out.add_with(state_label(state), checks);
            }
        },
    ),
    host(
        "ace_checks_skipped_total",
        Counter,
        "",
        "Checks that were due while the one before was still being made, since the process began.",
        |host, out| add_some(out, host.skipped),
    ),
    host(
        "ace_pings_sent_total",
        Counter,
        "",
        "Pings of recorded checks that were sent; probes between checks are none.",
        |host, out| add_total(host, out, |totals| totals.sent),
    ),
    host(
        "ace_pings_lost_total",
        Counter,
        "",
        "Sent pings of recorded checks without a reply in time.",
        |host, out| add_total(host, out, |totals| totals.lost),
    ),
    host(
        "ace_ping_send_errors_total",
        Counter,
        "",
        "Pings that this machine could not send, since the process began: neither sent nor lost.",
        |host, out| add_total(host, out, |totals| totals.send_errors),
    ),
    host(
        "ace_ping_rtt_seconds",
        Histogram,
        "le",
        "Round-trip times of answered pings.",
        add_histogram,
    ),
    host(
        "ace_replies_discarded_total",
        Counter,
        "kind",
        "Messages that answered no ping: late (after its timeout), duplicate, foreign (of none of our pings).",
        |host, out| {
            let Some(totals) = &host.totals else { return };
            out.add_with("kind=\"late\"", totals.late);
            out.add_with("kind=\"duplicate\"", totals.duplicates);
            out.add_with("kind=\"foreign\"", totals.foreign);
        },
    ),
    host(
        "ace_outage_active",
        Gauge,
        "",
        "1 while an outage of the host is ongoing; absent when stale.",
        |host, out| {
            if let Some(current) = &host.current {
                out.add(u8::from(current.outage.is_some()));
            }
        },
    ),
    host(
        "ace_outage_start_timestamp_seconds",
        Gauge,
        "",
        "When the ongoing outage began.",
        |host, out| add_some(out, outage(host).and_then(|outage| outage.began_at_seconds)),
    ),
    host(
        "ace_outage_cause",
        Gauge,
        "cause",
        "1 with the present cause of the ongoing outage, which may change until it ends.",
        |host, out| {
            if let Some(outage) = outage(host) {
                out.add_with(cause_label(outage.cause), 1u8);
            }
        },
    ),
    host(
        "ace_outages_total",
        Counter,
        "cause",
        "Outages that have ended, by their final cause. Each counts by itself, planned ones too; a name that does not resolve and a link that is down are none.",
        |host, out| add_outages(host, out, |outages| outages.count),
    ),
    host(
        "ace_outage_seconds_total",
        Counter,
        "cause",
        "Seconds of the outages that have ended, by their final cause.",
        |host, out| add_outages(host, out, |outages| outages.seconds),
    ),
    program(
        "ace_link_up",
        Gauge,
        "ip_version",
        "1 when this machine can send to some host over this version of IP, 0 while its link is down; absent when no host is checked over it.",
        |program, out| {
            for line in &program.lines {
                add_flag_with(out, version_label(line.version), line.is_link_up);
            }
        },
    ),
    program(
        "ace_gateway_up",
        Gauge,
        "ip_version",
        "1 when the newest check of a gateway (address or role gateway) was answered, 0 when it was not; absent without such a host.",
        |program, out| {
            for line in &program.lines {
                add_flag_with(out, version_label(line.version), line.is_gateway_up);
            }
        },
    ),
    program(
        "ace_monitor_running",
        Gauge,
        "",
        "1 when a monitor of this database runs.",
        |program, out| out.add(u8::from(program.is_running)),
    ),
    program(
        "ace_config_last_reload_successful",
        Gauge,
        "",
        "1 when the configuration could be read at the last attempt, at the start or by SIGHUP.",
        |program, out| out.add(u8::from(program.reload.is_successful)),
    ),
    program(
        "ace_config_last_reload_success_timestamp_seconds",
        Gauge,
        "",
        "When the configuration in force was read.",
        |program, out| out.add(program.reload.succeeded_at.0 as f64 / 1000.0),
    ),
    program(
        "ace_database_size_bytes",
        Gauge,
        "file",
        "Size of the database (main) and of its write-ahead log (wal).",
        |program, out| {
            for (file, bytes) in &program.file_bytes {
                out.add_with(&label("file", file), *bytes);
            }
        },
    ),
    program(
        "ace_database_write_failures_total",
        Counter,
        "",
        "Attempts to write results that failed, since the process began; the results were kept and written later, unless they are among the lost ones.",
        |program, out| {
            add_some(
                out,
                program.counts.as_ref().map(|counts| counts.write_failures),
            )
        },
    ),
    program(
        "ace_results_waiting",
        Gauge,
        "",
        "Results in memory that are not in the database yet.",
        |program, out| add_some(out, program.counts.as_ref().map(|counts| counts.waiting)),
    ),
    program(
        "ace_results_lost_total",
        Counter,
        "",
        "Results that were dropped, since the process began, because too many waited to be written.",
        |program, out| add_some(out, program.counts.as_ref().map(|counts| counts.lost)),
    ),
    program(
        "ace_notices_waiting",
        Gauge,
        "",
        "Notices that are not sent yet.",
        |program, out| add_some(out, program.waiting_notices),
    ),
    program(
        "ace_notice_runs_total",
        Counter,
        "result",
        "Runs of the alert command, since the process began.",
        |program, out| {
            if let Some(counts) = &program.counts {
                out.add_with("result=\"success\"", counts.alerts_sent);
                out.add_with("result=\"failure\"", counts.alerts_failed);
            }
        },
    ),
    program(
        "ace_build_info",
        Info,
        "version",
        "The program's version.",
        |_, out| out.add_with(&label("version", env!("CARGO_PKG_VERSION")), 1u8),
    ),
    program(
        "process_cpu_seconds_total",
        Counter,
        "",
        "Processor time of this process, in user and kernel mode.",
        |program, out| add_some(out, program.process.map(|process| process.cpu_seconds)),
    ),
    program(
        "process_resident_memory_bytes",
        Gauge,
        "",
        "Memory of this process that is in RAM.",
        |program, out| add_some(out, program.process.map(|process| process.resident_bytes)),
    ),
    program(
        "process_virtual_memory_bytes",
        Gauge,
        "",
        "Address space of this process.",
        |program, out| add_some(out, program.process.map(|process| process.virtual_bytes)),
    ),
    program(
        "process_start_time_seconds",
        Gauge,
        "",
        "When this process began.",
        |program, out| add_some(out, program.process_began_at_seconds),
    ),
    program(
        "process_open_fds",
        Gauge,
        "",
        "Open files and sockets of this process.",
        |program, out| add_some(out, program.process.and_then(|process| process.open_files)),
    ),
    program(
        "process_max_fds",
        Gauge,
        "",
        "How many files and sockets this process may open.",
        |program, out| add_some(out, program.process.and_then(|process| process.max_files)),
    ),
    program(
        "process_threads",
        Gauge,
        "",
        "Threads of this process.",
        |program, out| add_some(out, program.process.map(|process| process.threads)),
    ),
];

/// Writes all families.
pub(super) fn write(figures: &Figures, format: Format, out: &mut dyn io::Write) -> io::Result<()> {
    let mut text = String::new();
    for family in &FAMILIES {
        let mut samples = Samples::of(format, family.head, &mut text);
        match family.samples {
            Of::Host(add) => {
                for host in &figures.hosts {
                    samples.set_labels(&host.labels);
                    add(host, &mut samples);
                    samples.write_if_long(out)?;
                }
            }
            Of::Program(add) => add(&figures.program, &mut samples),
        }
    }
    text.push_str(text::end(format));
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in docs/metrics.md.
    fn table() -> String {
        let mut rows =
            String::from("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
        for family in &FAMILIES {
            let Head { name, kind, help } = family.head;
            let kind = match kind {
                Gauge | Info => "gauge",
                Counter => "counter",
                Histogram => "histogram",
            };
            let labels = match family.labels {
                "" => String::new(),
                label => format!("`{label}`"),
            };
            rows += &format!("| `{name}` | {kind} | {labels} | {help} |\n");
        }
        rows
    }

    #[test]
    fn the_table_in_the_documents_is_that_of_the_families() {
        const MADE: &str = "cargo test --lib families -->\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let text = std::fs::read_to_string(path).expect("it is there");
        let (before, written) = text.split_once(MADE).expect("the mark");
        let table = format!("\n{}", table());
        if std::env::var_os("WRITE_METRICS").is_some() {
            std::fs::write(path, format!("{before}{MADE}{table}")).expect("it can be written");
        } else {
            assert_eq!(written, table, "WRITE_METRICS=1 cargo test --lib families");
        }
    }

    #[test]
    fn every_name_follows_the_rules_and_is_there_once() {
        let mut names = std::collections::BTreeSet::new();
        for family in &FAMILIES {
            let Head { name, kind, help } = family.head;
            assert!(names.insert(name), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Counter, "{name}");
            assert_eq!(name.ends_with("_info"), kind == Info, "{name}");
            assert!(help.ends_with('.') && !help.contains(['|', '\n']), "{help}");
            assert_eq!(
                name.starts_with("process_"),
                !name.starts_with("ace_"),
                "{name}"
            );
        }
    }
}
