//! Years in which a narrow number of seconds ends.

use std::path::Path;
use std::process::Command;

use crate::common::monitor::Monitor;
use crate::common::namespace::{SocketKind, in_namespace, is_available};
use crate::common::{TempDir, bin, run, skip};
use crate::in_turn;

const CONFIG: &str =
    "monitoring: {interval_seconds: 0.2, ping_count: 2, ping_spacing_ms: 40, timeout_seconds: 0.1}
database: {flush_seconds: 0.2}
hosts:
- {name: one, address: 127.0.0.1}
";

/// When a monitor starts, and an instant a few seconds later, in milliseconds since 1970: the end of
/// 31 and of 32 bits of seconds, and the first of March of two years that are no leap years, the
/// second of them far beyond 32 bits.
const TURNS: [(&str, i64); 4] = [
    ("2038-01-19 03:14:05", (1 << 31) * 1000),
    ("2106-02-07 06:28:13", (1 << 32) * 1000),
    ("2100-02-28 23:59:57", 4_107_542_400_000),
    ("2200-02-28 23:59:57", 7_263_216_000_000),
];

/// The library of faketime, for the machines that the tests run on.
fn faketime() -> Option<&'static str> {
    [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/arm-linux-gnueabihf/faketime/libfaketimeMT.so.1",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists())
}

fn at<'c>(command: &'c mut Command, library: &str, start: &str) -> &'c mut Command {
    command
        .env("TZ", "UTC")
        .env("LD_PRELOAD", library)
        .env("FAKETIME", format!("@{start}"))
        .env("DONT_FAKE_MONOTONIC", "1")
}

#[test]
fn a_monitor_runs_over_the_ends_of_31_and_32_bits_of_seconds_and_its_commands_read_it() {
    let test = "calendar::a_monitor_runs_over_the_ends_of_31_and_32_bits_of_seconds_and_its_commands_read_it";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    let Some(library) = faketime() else {
        return skip(test, "faketime is not installed");
    };
    in_namespace(SocketKind::Datagram, |_tun| {
        for (start, turn) in TURNS {
            let folder = TempDir::new();
            folder.write("config.yaml", CONFIG);
            let mut monitor = Monitor::start_in(folder, bin(), |command| {
                at(command, library, start).args(["monitor", "--no-dashboard"])
            });
            monitor.wait_for("checks on both sides", |monitor| {
                let checks = monitor.checks("127.0.0.1");
                checks.first().is_some_and(|first| *first < turn)
                    && checks.iter().filter(|at| **at >= turn).count() >= 5
            });
            let (code, _) = monitor.stop("TERM");
            assert_eq!(code, Some(0), "{start}: {}", monitor.log());
            let checks = monitor.checks("127.0.0.1");
            let gaps: Vec<i64> = checks.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(
                gaps.iter().all(|gap| (101..=299).contains(gap)),
                "{start}: {gaps:?}"
            );
            let lost = "select sum(sent - received) from check_result";
            assert_eq!(monitor.number(lost), 0, "{start}: {}", monitor.log());
            assert_eq!(monitor.number("select count(*) from clock_step"), 0);
            let year = &start[..4];
            let texts =
                format!("select count(*) from ping_results where timestamp like '{year}-%'");
            assert_eq!(monitor.number(&texts), checks.len() as i64);
            for arguments in [
                &["status"][..],
                &["report", "--days", "1"],
                &["export", "--format", "csv"],
            ] {
                let mut command = Command::new(bin());
                command.args(arguments).current_dir(monitor.folder.path());
                let done = run(at(&mut command, library, start));
                assert_eq!(done.code, Some(0), "{start} {arguments:?}: {done:?}");
            }
            println!(
                "PROOF a run from {start} on: {} checks {} to {} ms apart at an interval of 200 ms, none lost",
                checks.len(),
                gaps.iter().min().expect("some"),
                gaps.iter().max().expect("some")
            );
        }
    });
}
