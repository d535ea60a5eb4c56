//! The configuration is read again and again.

use std::time::Duration;

use crate::common::monitor::Monitor;
use crate::common::namespace::{SocketKind, in_namespace, is_available};
use crate::figures::{Figures, assert_flat, median};
use crate::{in_turn, number};

const SETTINGS: &str = "monitoring: {interval_seconds: 0.2, ping_count: 1, timeout_seconds: 0.1}
database: {flush_seconds: 0.2}
";
const STAYS: &str = "- {name: stays, address: 127.0.0.1}\n";
const GOES: &str = "- {name: goes, address: 127.0.0.2}\n";

/// The configurations, one after the other, and whether each is taken.
fn configurations() -> [(String, bool); 6] {
    let hosts = |list: &str| format!("{SETTINGS}hosts:\n{STAYS}{list}");
    [
        (hosts(GOES), true),
        (hosts(""), true),
        ("hosts: [\n".to_string(), false),
        (
            hosts(&GOES.replace("goes,", "goes, interval_seconds: 0.3,")),
            true,
        ),
        (String::new(), false),
        (
            hosts(GOES).replace("interval_seconds: 0.2", "interval_seconds: never"),
            false,
        ),
    ]
}

fn count_pingers(monitor: &Monitor) -> usize {
    (0..10)
        .map(|n| monitor.count_threads(&format!("ping-{n}")))
        .sum()
}

/// ENDURE_RELOADS is how often; without it a hundred times.
#[test]
fn a_thousand_sighups_with_good_and_bad_configurations_leave_nothing_behind_and_cost_no_check() {
    let test = "reloads::a_thousand_sighups_with_good_and_bad_configurations_leave_nothing_behind_and_cost_no_check";
    if !is_available(test) {
        return;
    }
    let _turn = in_turn();
    let times = usize::try_from(number("ENDURE_RELOADS").unwrap_or(100)).expect("a count");
    in_namespace(SocketKind::Datagram, |_tun| reload(times));
}

fn reload(times: usize) {
    let configurations = configurations();
    let mut monitor = Monitor::start(&configurations[0].0);
    monitor.wait_for("the first checks", |monitor| {
        monitor.checks("127.0.0.1").len() > 2
    });
    let mut results = [0, 0];
    let mut samples = Vec::new();
    for time in 1..=times {
        let (text, is_taken) = &configurations[time % configurations.len()];
        monitor.folder.write("config.yaml", text);
        monitor.signal("HUP");
        results[usize::from(*is_taken)] += 1;
        monitor.wait_for("the result of a reload", |monitor| {
            let log = monitor.log();
            let count = |said: &str| log.matches(said).count();
            let seen = [
                count("the running configuration stays"),
                count("configuration reloaded; hosts: "),
            ];
            seen == results
        });
        let is_first = time % configurations.len() == 0;
        if is_first {
            monitor.wait_for("both hosts", |monitor| count_pingers(monitor) == 2);
            samples.push(Figures::of(&monitor));
        }
    }
    let third = samples.len() / 3;
    let before = median(&samples[third..2 * third]);
    let after = median(&samples[2 * third..]);
    std::thread::sleep(Duration::from_millis(500));
    let pingers = count_pingers(&monitor);
    let (code, took) = monitor.stop("TERM");
    let gaps: Vec<i64> = {
        let checks = monitor.checks("127.0.0.1");
        checks.windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    println!(
        "PROOF {times} SIGHUPs, {} configurations taken and {} refused: {before} in the second third, {after} in the last; \
         {} checks of the host that stays, {} to {} ms apart at an interval of 200 ms",
        results[1],
        results[0],
        gaps.len() + 1,
        gaps.iter().min().expect("some"),
        gaps.iter().max().expect("some"),
    );
    assert_eq!(code, Some(0), "{}", monitor.log());
    assert!(took < Duration::from_secs(2), "{took:?}");
    let last = &configurations[times % configurations.len()].0;
    if last.contains("goes") {
        assert_eq!(pingers, 2, "{}", monitor.log());
    }
    assert_flat(&before, &after, &monitor.folder.path().join("log"));
    assert!(
        gaps.iter().all(|gap| (101..=299).contains(gap)),
        "a check of the host that stays is missing or doubled: {gaps:?}"
    );
    assert!(!monitor.log().contains("skipped"), "{}", monitor.log());
}
