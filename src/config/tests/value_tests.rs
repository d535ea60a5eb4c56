//! Sections, keys and their values.

use super::*;

#[test]
fn a_wrong_list_of_events_falls_back_to_the_default_events() {
    for events in ["down", "", "[[down]]"] {
        let loaded = loaded(&format!("alerts: {{events: {events}}}"));
        assert_eq!(loaded.config.alerts.events, Config::default().alerts.events);
        assert!(
            loaded.problems[0]
                .text
                .ends_with("; down, up, incident, loss and database used")
        );
    }
}

#[test]
fn wrong_values_of_outages_alerts_and_thresholds_are_reported() {
    let config = config_without_problems(
        "outages:\n  fast_interval_seconds: 0\n  merge_seconds: 0\n  intermittent_count: 0\n",
    );
    assert_eq!(
        (config.fast_interval, config.grouping.merge),
        (None, Duration::ZERO)
    );
    let config = config_without_problems("outages: {fast_interval_seconds: 0.001}");
    assert_eq!(
        config.fast_interval,
        Some(Duration::from_millis(50)),
        "the least that is any use"
    );
    let config = config_without_problems(
        "alerts:\n  command: [/bin/tell, 1.1.1.1, \"-x y\"]\n  events: [degraded]\n",
    );
    assert_eq!(config.alerts.command, ["/bin/tell", "1.1.1.1", "-x y"]);
    assert_eq!(config.alerts.events, [AlertKind::Degraded]);
    for (text, wrong) in [
        (
            "outages: {fast_interval_seconds: 61}",
            "61 is too large (allowed: 0 to 60 seconds); default 1 used",
        ),
        (
            "alerts: {command: tell me}",
            "alerts.command: \"tell me\" where a list of words belongs",
        ),
        (
            "alerts: {command: }",
            "alerts.command: has no value: a list of words belongs here: the program and its arguments; no alerts are sent",
        ),
        ("alerts: {command: [[a]]}", "alerts.command[0]: "),
        (
            "alerts: {events: [down, sideways]}",
            "alerts.events: \"sideways\" is none of down, up, degraded, incident, loss, database; left out",
        ),
        (
            "alerts: {events: down}",
            "alerts.events: \"down\" where a list belongs",
        ),
        (
            "alerts: {events: }",
            "alerts.events: has no value: a list belongs here; down, up, incident, loss and database used",
        ),
        (
            "monitoring: {up_percent: 70}",
            "degraded_percent 80 is above up_percent 70; default 80 and 95 used",
        ),
        (
            "monitoring: {degraded_percent: 101}",
            "101 is too large (allowed: 0 to 100 percent); default 80 used",
        ),
        (
            "monitoring: {latency_limit_ms: 0}",
            "0 is too small (allowed: more than 0, up to 60000 milliseconds); none used",
        ),
    ] {
        let reported = message(text);
        assert!(reported.contains(wrong), "{text}: {reported}");
    }
}

#[test]
fn a_wrong_number_is_reported_with_line_value_range_and_what_is_used() {
    assert_eq!(
        message("monitoring:\n  interval_seconds: 0\n"),
        "c:2: monitoring.interval_seconds: 0 is too small (allowed: 0.1 to 86400 seconds); default 60 used"
    );
    assert_eq!(
        message("database:\n\n  retention_days: 0 # none\n"),
        "c:3: database.retention_days: 0 is too small (allowed: more than 0, up to 36500 days); default 90 used"
    );
    assert_eq!(
        message("dashboard: {host: localhost,\n  port: 65536}\n"),
        "c:2: dashboard.port: 65536 is too large (allowed: a whole number, 1 to 65535); default 8501 used"
    );
    for (value, wrong) in [
        ("-1", "-1 is too small"),
        ("101", "101 is too large"),
        ("5.5", "5.5 is not whole"),
        (".nan", ".nan is not a number"),
        (".inf", ".inf is too large"),
        ("-.inf", "-.inf is too small"),
        (
            "99999999999999999999999999999999999999999999999999",
            "99999999999999999999999999999999999999999999999999 is too large",
        ),
        ("true", "true is not a number"),
        ("\"5\"", "\"5\" is text, remove the quotes"),
        ("five", "\"five\" is not a number"),
        ("", "has no value"),
        ("~", "has no value"),
        ("[5]", "a list is not a number"),
        ("{a: 5}", "a section is not a number"),
        ("\"a\\tb\"", "\"a\\tb\" is not a number"),
    ] {
        assert_eq!(
            message(&format!("monitoring:\n  ping_count: {value}\n")),
            format!(
                "c:2: monitoring.ping_count: {wrong} (allowed: a whole number, 1 to 100); default 5 used"
            )
        );
    }
    let long = message(&format!(
        "monitoring:\n  ping_count: {}\n",
        "x".repeat(1000)
    ));
    assert!(
        long.contains(&format!("\"{}…\" is not", "x".repeat(60))),
        "{long}"
    );
}

#[test]
fn whole_and_fractional_seconds_are_both_accepted() {
    for (text, interval_ms, ping_count) in [
        ("60", 60_000, "5"),
        ("10.0", 10_000, "5.0"),
        ("12.5", 12_500, "+5"),
        ("1.0e+1", 10_000, "0x5"),
        ("86400", 86_400_000, "5"),
        ("+30", 30_000, "5"),
    ] {
        let host = &config_without_problems(&format!(
            "monitoring:\n  interval_seconds: {text}\n  ping_count: {ping_count}\n"
        ))
        .hosts[0];
        assert_eq!(
            (host.interval, host.ping_count),
            (Duration::from_millis(interval_ms), 5),
            "{text}"
        );
    }
    let text = "monitoring:\n  interval_seconds: 0.1\n  timeout_seconds: .05\n  ping_count: 1\n";
    let host = &config_without_problems(text).hosts[0];
    assert_eq!(
        (host.interval, host.timeout),
        (Duration::from_millis(100), Duration::from_millis(50))
    );
    assert_eq!(
        config_without_problems("database:\n  retention_days: 0.5\n")
            .database
            .retention,
        Duration::from_secs(43_200)
    );
    assert_eq!(
        config_without_problems("database:\n  flush_seconds: 0\n")
            .database
            .flush,
        Duration::ZERO
    );
}

#[test]
fn a_number_with_two_meanings_in_the_yaml_versions_is_a_problem() {
    for (value, wrong) in [
        (
            "1:30",
            "1:30 is 90 in YAML 1.1 and text in YAML 1.2, write 90",
        ),
        (
            "no",
            "no is false in YAML 1.1 and text in YAML 1.2, write a plain number",
        ),
        (
            "010",
            "010 is 8 in YAML 1.1 and 10 in YAML 1.2, write 8 or 10",
        ),
        (
            "0o17",
            "0o17 is text in YAML 1.1 and 15 in YAML 1.2, write 15",
        ),
        (
            "1_000",
            "1_000 is 1000 in YAML 1.1 and text in YAML 1.2, write 1000",
        ),
        (
            "1e3",
            "1e3 is text in YAML 1.1 and 1000 in YAML 1.2, write 1000",
        ),
    ] {
        for text in [
            format!("monitoring:\n  interval_seconds: {value}\n"),
            format!("monitoring:\n  {{interval_seconds: {value}}}\n"),
        ] {
            let expected = format!(
                "c:2: monitoring.interval_seconds: {wrong} (allowed: 0.1 to 86400 seconds); default 60 used"
            );
            assert_eq!(message(&text), expected);
            assert_eq!(loaded(&text).config, Config::default());
        }
    }
}

#[test]
fn a_section_that_is_something_else_falls_back_to_its_defaults() {
    for (value, wrong) in [
        (" 5", "5"),
        ("\n  - a", "a list"),
        ("", "nothing"),
        (" text", "\"text\""),
    ] {
        for section in ["monitoring", "database", "dashboard", "logging"] {
            let text = format!("{section}:{value}\n");
            assert_eq!(
                message(&text),
                format!(
                    "c:1: {section}: {wrong} where a section with keys belongs; its defaults used"
                )
            );
            assert_eq!(loaded(&text).config, Config::default());
            assert!(!loaded(&text).is_unusable());
        }
    }
}

#[test]
fn a_file_without_sections_is_unusable() {
    for text in ["- a\n", "text\n", "5\n", "!x {}\n"] {
        let loaded = loaded(text);
        assert!(loaded.is_unusable(), "{text:?}");
        assert_eq!(loaded.config, Config::default());
        assert!(
            message(text).contains("where the sections belong"),
            "{}",
            message(text)
        );
    }
}

#[test]
fn the_last_of_duplicate_keys_counts_and_all_their_lines_are_named() {
    let text = "monitoring:\n  ping_count: 3\n  ping_count: 4\n";
    assert_eq!(
        message(text),
        "c:3: monitoring.ping_count: given 2 times, in lines 2 and 3; the last one counts"
    );
    assert_eq!(loaded(text).config.hosts[0].ping_count, 4);

    let text = "monitoring:\n  ping_count: 3\ndatabase:\n  path: a.db\nmonitoring:\n  timeout_seconds: 1\n";
    assert_eq!(
        message(text),
        "c:5: monitoring: given 2 times, in lines 1 and 5; the last one counts"
    );
    let config = loaded(text).config;
    assert_eq!(
        (config.hosts[0].ping_count, config.hosts[0].timeout),
        (5, Duration::from_secs(1))
    );
    assert_eq!(config.database.path, Path::new("a.db"));

    let text = "hosts:\n- address: a.b\n  address: c.d\n  address: e.f\n";
    assert_eq!(
        message(text),
        "c:4: hosts[0].address: given 3 times, in lines 2, 3 and 4; the last one counts"
    );
    assert_eq!(hosts(&loaded(text).config), [("e.f", "e.f")]);
}

#[test]
fn an_unknown_key_is_reported_with_the_nearest_known_one() {
    for (text, expected) in [
        (
            "monitorng: {}\n",
            "c:1: monitorng: unknown key, did you mean monitoring?; ignored",
        ),
        (
            "Monitoring: {}\n",
            "c:1: Monitoring: unknown key, did you mean monitoring?; ignored",
        ),
        (
            "interval_seconds: 5\n",
            "c:1: interval_seconds: unknown key, did you mean monitoring.interval_seconds?; ignored",
        ),
        (
            "monitoring:\n  ping_cuont: 5\n",
            "c:2: monitoring.ping_cuont: unknown key, did you mean ping_count?; ignored",
        ),
        (
            "logging:\n  5: 5\n",
            "c:2: logging.5: unknown key, known here: level, file; ignored",
        ),
        (
            "logging:\n  [a]: 5\n",
            "c: logging.a list: unknown key, known here: level, file; ignored",
        ),
        (
            "logging:\n  \"a\\nb\": 5\n",
            "c:2: logging.a\\nb: unknown key, known here: level, file; ignored",
        ),
        (
            "logging:\n  null: 5\n",
            "c:2: logging.null: unknown key, known here: level, file; ignored",
        ),
        (
            "hosts:\n- address: a.b\n  adress: c.d\n",
            "c:3: hosts[0].adress: unknown key, did you mean address?; ignored",
        ),
    ] {
        assert_eq!(message(text), expected);
        assert_eq!(loaded(text).problems[0].kind, ProblemKind::UnknownKey);
    }
}

#[test]
fn the_problems_of_a_section_are_in_the_order_of_its_lines() {
    let text: String = (0..50).fold("logging:\n".to_owned(), |text, index| {
        format!("{text}  k{index}: 1\n")
    });
    let lines: Vec<_> = loaded(&text)
        .problems
        .iter()
        .map(|problem| problem.line.unwrap())
        .collect();
    assert_eq!(lines, (2..52).collect::<Vec<_>>());
}

#[test]
fn the_other_sections_check_their_values() {
    for (text, expected) in [
        (
            "dashboard:\n  host: a b\n",
            "c:2: dashboard.host: \"a b\" is neither an IP address nor a host name; default localhost used",
        ),
        (
            "dashboard:\n  host: gateway\n",
            "c:2: dashboard.host: gateway is not this machine; default localhost used",
        ),
        (
            "dashboard:\n  port: 0\n",
            "c:2: dashboard.port: 0 is too small (allowed: a whole number, 1 to 65535); default 8501 used",
        ),
        (
            "dashboard:\n  allowed_hosts: a\n",
            "c:2: dashboard.allowed_hosts: \"a\" where a list of names belongs; none used",
        ),
        (
            "dashboard:\n  allowed_hosts:\n",
            "c:2: dashboard.allowed_hosts: has no value: a list of names belongs here; none used",
        ),
        (
            "dashboard:\n  allowed_hosts:\n  - a\n  - b:1\n",
            "c:4: dashboard.allowed_hosts[1]: \"b:1\" is neither an IP address nor a host name: write it without the port, b; left out",
        ),
        (
            "logging:\n  level: trace\n",
            "c:2: logging.level: \"trace\" is not known (allowed: error, warn, info, debug); default info used",
        ),
        (
            "logging:\n  level: off\n",
            "c:2: logging.level: \"off\" is not known (allowed: error, warn, info, debug); default info used",
        ),
        (
            "logging:\n  file:\n",
            "c:2: logging.file: has no value; standard error used",
        ),
        (
            "database:\n  path: ''\n",
            "c:2: database.path: is empty; default connection_logs.db used",
        ),
        (
            "outages:\n  down_after: 0\n",
            "c:2: outages.down_after: 0 is too small (allowed: a whole number, 1 to 100 checks); default 1 used",
        ),
        (
            "outages:\n  down_after: 2\n  up_after: 101\n",
            "c:3: outages.up_after: 101 is too large (allowed: a whole number, 1 to 100 checks); default 1 used",
        ),
        (
            "outages:\n  up_after: 1.5\n",
            "c:2: outages.up_after: 1.5 is not whole (allowed: a whole number, 1 to 100 checks); default 1 used",
        ),
        (
            "database:\n  flush_seconds: 3601\n",
            "c:2: database.flush_seconds: 3601 is too large (allowed: 0 to 3600 seconds); default 60 used",
        ),
    ] {
        assert_eq!(message(text), expected);
        assert_eq!(loaded(text).config.hosts, Config::default().hosts);
    }
    for path in ["ping", "/a b", "//a", "/a/../b", "/a?b", "/ü"] {
        assert!(
            message(&format!("dashboard:\n  base_path: \"{path}\"\n")).contains("is not a path"),
            "{path}"
        );
    }
    let text = "dashboard:\n  base_path: /a/b/\n  allowed_hosts: [a.b, '::1']\n  host: 0.0.0.0\noutages: {down_after: 3, up_after: 100}\nlogging:\n  level: DEBUG\n  file: a.log\n";
    let config = config_without_problems(text);
    assert_eq!(
        (
            config.dashboard.base_path.as_str(),
            config.dashboard.host.as_str()
        ),
        ("/a/b", "0.0.0.0")
    );
    assert_eq!(config.dashboard.allowed_hosts, ["a.b", "::1"]);
    assert_eq!(
        (config.outages.down_after, config.outages.up_after),
        (3, 100)
    );
    assert_eq!(
        config.logging,
        LoggingConfig {
            level: log::LevelFilter::Debug,
            file: Some("a.log".into())
        }
    );
}
