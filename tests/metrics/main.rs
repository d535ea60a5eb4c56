//! `/metrics` as Prometheus meets it: both formats, and counters of monitors that are stopped, killed,
//! reloaded and out of reach, which in the end are what the databases hold.

#[path = "../common/mod.rs"]
mod common;

mod openmetrics;
mod packaged;
mod played;
mod sites;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use ace_connection_logger::pure::model::Thresholds;
use ace_connection_logger::pure::stats::decode_rtts;
use ace_connection_logger::pure::sums::CheckSums;
use ace_connection_logger::pure::totals::{HostTotals, RTT_LIMITS_US};

use common::namespace::is_available;
use common::{bin, run, skip, sys};
use sites::{Prometheus, Site, shell, wait_for};

/// What `promtool check metrics` says of a text, which is nothing if the names and types follow the
/// rules.
fn promtool_says(text: &str) -> String {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut stdin = promtool.stdin.take().expect("it is a pipe");
    stdin.write_all(text.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() {
        said
    } else {
        format!("{}: {said}", output.status)
    }
}

/// Five hosts, two of which are renamed and removed later.
fn config(interval: f64, last_two: &str) -> String {
    format!(
        "monitoring: {{interval_seconds: {interval}, ping_count: 3, ping_spacing_ms: 20, timeout_seconds: 0.2}}
database: {{flush_seconds: 1}}
dashboard: {{host: 0.0.0.0, port: 8501}}
hosts:
- {{name: good, address: 127.0.0.1}}
- {{name: 'lossy \"\\', address: 127.0.0.2, family: 4}}
- {{name: goes, address: 127.0.0.3}}
{last_two}"
    )
}

const BEFORE: &str = "- {name: old, address: 127.0.0.4}\n- {name: removed, address: 127.0.0.5}\n";
const AFTER: &str = "- {name: new, address: 127.0.0.4}\n";

/// The second ping of each check of one host does not arrive.
const LOSE: &str = "nft add table inet t
    nft 'add chain inet t in { type filter hook input priority 0; }'
    nft add rule inet t in ip daddr 127.0.0.2 icmp type echo-request icmp sequence 1 drop
    nft add chain inet t out";

/// What the rows of a host count.
fn recorded(site: &Site, address: &str) -> HostTotals {
    let database = site.database();
    let mut totals = HostTotals::default();
    const CHECKS: &str = "select sent, received, min_us, avg_us, max_us, rtts from check_result
                           where host_id = (select id from host where address = ?1)";
    let mut statement = database.prepare(CHECKS).expect("SQL");
    let mut rows = statement.query([address]).expect("an answer");
    while let Some(row) = rows.next().expect("a row") {
        let rtts: Vec<u8> = row.get(5).expect("a blob");
        let latencies: [Option<u32>; 3] =
            [2, 3, 4].map(|column| row.get(column).expect("a number"));
        assert!(decode_rtts(&rtts, latencies[0].unwrap_or(0)).is_some());
        let check = CheckSums {
            sent: row.get(0).expect("a number"),
            received: row.get(1).expect("a number"),
            latencies,
            rtts: Some(&rtts),
        };
        totals.add_row(&check, &Thresholds::default());
    }
    totals
}

fn number(site: &Site, sql: &str, address: &str) -> f64 {
    let number = site.database().query_row(sql, [address], |row| row.get(0));
    number.expect("a number")
}

/// The nearest whole number, of a value that is not negative.
fn whole(value: f64) -> u64 {
    format!("{value:.0}").parse().expect("a count")
}

/// The present counters of a host in Prometheus, as far as rows have them, in the form of these.
fn scraped(prometheus: &Prometheus, site: usize, host: &str) -> Option<HostTotals> {
    let host = host.replace('\\', "\\\\").replace('"', "\\\"");
    let value = |name: &str, label: &str| {
        let expression = format!("{name}{{site=\"{site}\",host=\"{host}\"{label}}}");
        prometheus.value(&expression).map(whole)
    };
    let mut totals = HostTotals {
        sent: value("ace_pings_sent_total", "")?,
        lost: value("ace_pings_lost_total", "")?,
        late: value("ace_replies_discarded_total", ",kind=\"late\"")?,
        duplicates: value("ace_replies_discarded_total", ",kind=\"duplicate\"")?,
        foreign: value("ace_replies_discarded_total", ",kind=\"foreign\"")?,
        ..HostTotals::default()
    };
    let states = ["up", "degraded", "poor", "down", "not_measured"];
    for (state, checks) in states.iter().zip(&mut totals.checks) {
        *checks = value("ace_checks_total", &format!(",state=\"{state}\""))?;
    }
    let seconds = format!("ace_ping_rtt_seconds_sum{{site=\"{site}\",host=\"{host}\"}}");
    totals.rtt_sum_us = whole(prometheus.value(&seconds)? * 1e6);
    let mut below = 0;
    for (index, replies) in totals.rtts.iter_mut().enumerate() {
        let limit = match RTT_LIMITS_US.get(index) {
            Some(us) => format!("{:?}", f64::from(*us) / 1e6),
            None => "+Inf".into(),
        };
        let up_to = value("ace_ping_rtt_seconds_bucket", &format!(",le=\"{limit}\""))?;
        *replies = up_to - below;
        below = up_to;
    }
    Some(totals)
}

/// Waits until what was scraped is what is recorded.
fn expect_equal(prometheus: &Prometheus, site: &Site, host: &str, address: &str) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let recorded = recorded(site, address);
        let scraped = scraped(prometheus, site.number, host);
        if scraped.as_ref() == Some(&recorded) {
            assert!(recorded.sent > 20, "{recorded:?}");
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "site {}, {host}: scraped {scraped:?}, recorded {recorded:?}; {}",
            site.number,
            site.log()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What is exported ends in the values of the scraped series, with the same labels.
fn expect_export_joins(prometheus: &Prometheus, site: &Site) {
    let exported = run(Command::new(bin())
        .args([
            "export",
            "--format",
            "openmetrics",
            "--job",
            "ace",
            "--instance",
        ])
        .arg(site.instance())
        .current_dir(site.folder.path()));
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let mut compared = 0;
    for ((name, labels), value) in openmetrics::last_of_export(&exported.stdout) {
        let is_only_exported = name.ends_with("_pings") || labels["host"] == "removed";
        if is_only_exported {
            continue;
        }
        let selector: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}={value:?}"))
            .collect();
        let expression = format!("{name}{{{}}}", selector.join(","));
        let [(scraped, live)] = &prometheus.query(&expression)[..] else {
            panic!("{expression} is no one series of Prometheus")
        };
        let mut scraped = scraped.clone();
        scraped.remove("site");
        assert_eq!(scraped, labels);
        assert!(
            (live - value).abs() < 1e-9,
            "{expression}: {live}, exported {value}"
        );
        compared += 1;
    }
    // Of four hosts.
    assert!(compared >= 4 * 26, "{compared}");
}

/// `false`, with a message, where a program cannot be run.
fn has_program(test: &str, program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(error) = &found {
        skip(test, &format!("cannot run {program}: {error}"));
    }
    found.is_ok()
}

/// Runs a function in an empty network namespace. `false`, with a message, where that is impossible.
fn in_network(test: &str, programs: &[&str], then: impl FnOnce() + Send) {
    if !is_available(test) {
        return;
    }
    if !programs.iter().all(|program| has_program(test, program)) {
        return;
    }
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            sys::unshare_network().expect("probed before");
            shell("ip link set lo up");
            then();
        });
        inside.join()
    })
    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn the_counters_in_prometheus_are_what_the_databases_hold_whatever_ends_a_monitor() {
    const TEST: &str =
        "the_counters_in_prometheus_are_what_the_databases_hold_whatever_ends_a_monitor";
    in_network(TEST, &["prometheus", "nft", "nsenter", "unshare"], || {
        let prometheus = Prometheus::start(3);
        let mut sites: Vec<Site> = (1..=3)
            .map(|number| Site::start(number, LOSE, &config(0.5, BEFORE)))
            .collect();
        let pause = |seconds: f64| std::thread::sleep(Duration::from_secs_f64(seconds));
        wait_for("scrapes of all", || {
            let sent = prometheus.query("ace_pings_sent_total{host=\"good\"} > 0");
            (sent.len() == 3).then_some(())
        });
        for site in &sites {
            site.run("nft add rule inet t in ip daddr 127.0.0.3 icmp type echo-request drop");
        }
        pause(2.5);
        // An outage that goes on over the end of its monitor.
        let [stopped, killed, unreachable] = &mut sites[..] else {
            unreachable!("three sites")
        };
        stopped.monitor.signal("TERM");
        stopped.monitor.wait();
        killed.monitor.signal("KILL");
        killed.monitor.wait();
        shell("ip link set v3 down");
        pause(1.0);
        stopped.start_monitor();
        killed.start_monitor();
        for site in [&*stopped, &*killed, &*unreachable] {
            site.run("nft flush chain inet t in");
        }
        pause(2.0);
        shell("ip link set v3 up");
        pause(2.0);
        for site in &sites {
            site.reload(&config(0.5, AFTER));
        }
        pause(2.0);
        // After the first check of each host there is none for half an hour.
        for site in &sites {
            site.reload(&config(3600.0, AFTER));
        }
        const LAST: &str =
            "select count(distinct host_id) from host_interval where interval_ms = 3600000";
        for site in &sites {
            wait_for("the last check of each host", || {
                let of_hosts = site.database().query_row(LAST, [], |row| row.get(0));
                of_hosts.is_ok_and(|hosts: i64| hosts == 4).then_some(())
            });
        }
        for site in &sites {
            for (host, address) in [
                ("good", "127.0.0.1"),
                ("lossy \"\\", "127.0.0.2"),
                ("goes", "127.0.0.3"),
                ("new", "127.0.0.4"),
            ] {
                expect_equal(&prometheus, site, host, address);
            }
            expect_export_joins(&prometheus, site);
            let of_site = format!("site=\"{}\"", site.number);
            // Each has its outage once, with its seconds.
            for (family, sql) in [
                (
                    "ace_outages_total",
                    "select count(*) from outage_events where host_address = ?1 and end_time is not null",
                ),
                (
                    "ace_outage_seconds_total",
                    "select sum(duration_seconds) from outage_events where host_address = ?1 and end_time is not null",
                ),
            ] {
                let counted =
                    prometheus.value(&format!("sum({family}{{{of_site},host=\"goes\"}})"));
                let recorded = number(site, sql, "127.0.0.3");
                assert_eq!(counted, Some(recorded), "{family} of {of_site}");
                assert!(recorded >= 1.0, "{family}");
            }
            // The series of hosts that are gone have ended, and counted nothing that is not recorded.
            for (host, address) in [("old", "127.0.0.4"), ("removed", "127.0.0.5")] {
                let series = format!("ace_pings_sent_total{{{of_site},host=\"{host}\"}}");
                assert_eq!(prometheus.value(&series), None, "{series}");
                let last = prometheus.value(&format!("last_over_time({series}[10m])"));
                let last = last.unwrap_or_else(|| panic!("{series} was never scraped"));
                let sent = recorded(site, address).sent as f64;
                assert!(last > 0.0 && last <= sent, "{series}: {last} of {sent}");
            }
            let removed = recorded(site, "127.0.0.5").sent as f64;
            let new = prometheus.value(&format!("ace_pings_sent_total{{{of_site},host=\"new\"}}"));
            assert!(new > Some(removed), "{new:?} {removed}");
            assert_eq!(
                prometheus.value(&format!("ace_monitor_running{{{of_site}}}")),
                Some(1.0)
            );
            assert_eq!(
                prometheus.value(&format!("ace_config_last_reload_successful{{{of_site}}}")),
                Some(1.0)
            );
        }
        // No counter of a host has begun again.
        for family in [
            "ace_pings_sent_total",
            "ace_pings_lost_total",
            "ace_checks_total",
            "ace_ping_rtt_seconds_bucket",
            "ace_ping_rtt_seconds_sum",
            "ace_outages_total",
            "ace_outage_seconds_total",
        ] {
            let resets = prometheus.query(&format!("resets({family}[10m]) > 0"));
            assert_eq!(resets, [], "{family}");
        }
        packaged::expect_answers(&prometheus);
        let reached = prometheus.value("min_over_time(up{site=\"3\"}[10m])");
        assert_eq!(reached, Some(0.0), "{}", prometheus.log());
        for site in &sites {
            let text = site.metrics("").body;
            assert_eq!(promtool_says(&text), "", "{text}");
            let accept = "Accept: application/openmetrics-text;version=1.0.0\r\n";
            let samples = openmetrics::read(&site.metrics(accept).body);
            assert!(samples.len() > 100, "{}", samples.len());
        }
    });
}

/// A host that answers, one that is silent and whose checks take longer than its interval, and one to
/// which this machine may not send.
const AT_FAULT: &str =
    "monitoring: {interval_seconds: 0.5, ping_count: 2, ping_spacing_ms: 20, timeout_seconds: 0.2}
database: {flush_seconds: 0.5}
dashboard: {host: 0.0.0.0, port: 8501}
alerts: {command: ['false']}
hosts:
- {name: good, address: 127.0.0.1}
- {name: slow, address: 127.0.0.3, interval_seconds: 0.2, timeout_seconds: 0.9}
- {name: blocked, address: 127.0.0.4}
";

#[test]
fn what_no_row_has_is_counted_since_the_start_of_the_process() {
    const TEST: &str = "what_no_row_has_is_counted_since_the_start_of_the_process";
    in_network(TEST, &["nft", "nsenter", "unshare"], || {
        let script = "nft add table inet t
            nft 'add chain inet t in { type filter hook input priority 0; }'
            nft 'add chain inet t out { type filter hook output priority 0; }'
            nft add rule inet t out ip daddr 127.0.0.4 icmp type echo-request drop";
        let mut site = Site::start(1, script, AT_FAULT);
        let value = |site: &Site, series: &str| {
            let text = site.metrics("").body;
            let line = text.lines().find_map(|line| line.strip_prefix(series));
            line.map(|value| value.trim().parse::<f64>().expect("a number"))
        };
        let at_least = |site: &Site, series: &str, least: f64| {
            wait_for(series, || {
                value(site, series).filter(|value| *value >= least)
            })
        };
        let of = |family: &str, host: &str, address: &str| {
            format!("{family}{{host=\"{host}\",address=\"{address}\",family=\"any\"}}")
        };
        wait_for("the first scrape", || {
            let address = (std::net::Ipv4Addr::new(10, 20, 1, 2), 8501);
            std::net::TcpStream::connect(address).ok()
        });
        let errors = of("ace_ping_send_errors_total", "blocked", "127.0.0.4");
        at_least(&site, &errors, 4.0);
        let sent = of("ace_pings_sent_total", "blocked", "127.0.0.4");
        assert_eq!(value(&site, &sent), Some(0.0));
        let skipped = of("ace_checks_skipped_total", "slow", "127.0.0.3");
        assert_eq!(value(&site, &skipped), Some(0.0));
        // An alert was never sent for a host that never answered.
        at_least(&site, &of("ace_pings_sent_total", "slow", "127.0.0.3"), 1.0);
        site.run("nft add rule inet t in ip daddr 127.0.0.3 icmp type echo-request drop");
        at_least(&site, &skipped, 2.0);
        at_least(&site, "ace_notice_runs_total{result=\"failure\"}", 1.0);
        at_least(&site, "ace_notices_waiting", 1.0);
        assert_eq!(
            value(&site, "ace_notice_runs_total{result=\"success\"}"),
            Some(0.0)
        );
        let failures = "ace_database_write_failures_total";
        assert_eq!(value(&site, failures), Some(0.0));
        let path = site.folder.path().join("connection_logs.db");
        let other = rusqlite::Connection::open(path).expect("the database");
        let wait = Duration::from_secs(5);
        other.busy_timeout(wait).expect("it is set");
        other.execute_batch("begin immediate").expect("a lock");
        at_least(&site, failures, 1.0);
        at_least(&site, "ace_results_waiting", 1.0);
        other.execute_batch("rollback").expect("it is given back");
        assert_eq!(value(&site, "ace_results_lost_total"), Some(0.0));
        let read_at = "ace_config_last_reload_success_timestamp_seconds";
        let first = value(&site, read_at).expect("it was read");
        site.reload("hosts: [");
        wait_for("a failed reload", || {
            let is_successful = value(&site, "ace_config_last_reload_successful");
            (is_successful == Some(0.0)).then_some(())
        });
        assert_eq!(value(&site, read_at), Some(first));
        site.reload(AT_FAULT);
        wait_for("a reload", || {
            (value(&site, "ace_config_last_reload_successful") == Some(1.0)).then_some(())
        });
        assert!(value(&site, read_at) > Some(first));
        let began = value(&site, "process_start_time_seconds").expect("there is /proc");
        assert!((0.0..120.0).contains(&(first - began)), "{first} {began}");
        // They begin again with the process, unlike what rows have.
        let good = of("ace_pings_sent_total", "good", "127.0.0.1");
        let before = value(&site, &good).expect("it is counted");
        site.monitor.signal("TERM");
        site.monitor.wait();
        site.start_monitor();
        wait_for("the monitor", || {
            let address = (std::net::Ipv4Addr::new(10, 20, 1, 2), 8501);
            std::net::TcpStream::connect(address).ok()
        });
        at_least(&site, &good, before);
        assert_eq!(value(&site, failures), Some(0.0));
    });
}
