//! Tests of the whole module, from text to configuration and messages.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::pure::address::IpVersion;
use crate::pure::model::{AlertKind, Source, Thresholds};

fn loaded(text: &str) -> Loaded {
    parse(text.as_bytes(), "c")
}

fn messages(text: &str) -> Vec<String> {
    loaded(text)
        .problems
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The only message about a text.
fn message(text: &str) -> String {
    let messages = messages(text);
    assert_eq!(messages.len(), 1, "{text:?}: {messages:#?}");
    messages.into_iter().next().unwrap()
}

fn config_without_problems(text: &str) -> Config {
    let loaded = loaded(text);
    assert_eq!(loaded.problems, [], "{text:?}");
    loaded.config
}

fn hosts(config: &Config) -> Vec<(&str, &str)> {
    config
        .hosts
        .iter()
        .map(|host| (host.host.name.as_str(), host.host.address.as_str()))
        .collect()
}

/// The only host of a text with these lines for it and no message.
fn host(lines: &str) -> HostConfig {
    let config = config_without_problems(&format!("hosts:\n  - {}", lines.replace('\n', "\n    ")));
    assert_eq!(config.hosts.len(), 1);
    config.hosts.into_iter().next().unwrap()
}

/// The only message about a host with these lines, without its place.
fn host_message(lines: &str) -> String {
    let message = message(&format!("hosts:\n  - {}", lines.replace('\n', "\n    ")));
    message.split_once(": hosts[0]").unwrap().1.to_owned()
}

const PYYAML: &str = "\
monitoring:
  interval_seconds: 60
  ping_count: 5
  timeout_seconds: 2
hosts:
- name: Google DNS
  address: 8.8.8.8
- name: Local Gateway
  address: 192.168.1.1
database:
  path: connection_logs.db
  retention_days: 90
dashboard:
  port: 8501
  host: localhost
";

const README_STYLE: &str = "\
monitoring:
  interval_seconds: 60  # how often
  ping_count: 5         # pings
  timeout_seconds: 2

hosts:
  - name: \"Google DNS\"   # far
    address: \"8.8.8.8\"
  - name: 'Local Gateway'
    address: 192.168.1.1 # near

database:
  path: \"connection_logs.db\"
  retention_days: 90
dashboard:
  port: 8501
  host: \"localhost\"
";

#[test]
fn a_file_of_the_original_program_is_read_with_its_list_indented_or_not() {
    for text in [PYYAML, README_STYLE] {
        for text in [
            text.to_owned(),
            text.replace('\n', "\r\n"),
            format!("\u{feff}{text}"),
            format!("---\n{text}...\n"),
        ] {
            let config = config_without_problems(&text);
            assert_eq!(
                hosts(&config),
                [("Google DNS", "8.8.8.8"), ("Local Gateway", "192.168.1.1")]
            );
            let mut expected = Config::default();
            expected.hosts.clone_from(&config.hosts);
            assert_eq!(config, expected);
        }
    }
}

#[test]
fn the_commented_example_is_the_default() {
    let config = config_without_problems(DEFAULT_TEXT);
    assert_eq!(config, Config::default());
    assert_eq!(
        hosts(&config),
        [
            ("Google DNS", "8.8.8.8"),
            ("Cloudflare DNS", "1.1.1.1"),
            ("Local Gateway", "gateway")
        ]
    );
    let host = &config.hosts[2];
    assert_eq!(
        (host.interval, host.ping_count, host.timeout),
        (Duration::from_secs(60), 5, Duration::from_secs(2))
    );
    assert_eq!(
        (host.spacing, host.payload_bytes, host.time_to_live),
        (Duration::from_secs(1), 56, None)
    );
    assert_eq!(
        (host.source.clone(), host.role, config.hosts[0].role),
        (None, Role::Gateway, Role::Internet)
    );
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let database = &config.database;
    assert_eq!(database.path, Path::new("connection_logs.db"));
    assert_eq!(
        (database.retention, database.rollup_retention),
        (days(90), days(1825))
    );
    assert_eq!(database.flush, Duration::from_secs(60));
    assert_eq!((config.outages.down_after, config.outages.up_after), (1, 1));
    assert_eq!(config.fast_interval, Some(Duration::from_secs(1)));
    assert_eq!(
        (config.grouping, host.thresholds),
        (GroupingRules::default(), Thresholds::default())
    );
    let alerts = &config.alerts;
    assert_eq!(
        (alerts.command.len(), alerts.timeout, alerts.most_per_hour),
        (0, Duration::from_secs(30), 60)
    );
    assert_eq!(
        alerts.events,
        [AlertKind::Down, AlertKind::Up, AlertKind::Incident]
    );
    assert_eq!(
        (config.dashboard.port, config.dashboard.host.as_str()),
        (8501, "localhost")
    );
    assert_eq!(
        (
            config.dashboard.base_path.as_str(),
            config.dashboard.allowed_hosts.len()
        ),
        ("", 0)
    );
    assert_eq!(
        config.logging,
        LoggingConfig {
            level: log::LevelFilter::Info,
            file: None
        }
    );
}

#[test]
fn the_commented_example_names_every_key_in_its_section() {
    // A section of the example reaches from its name to the next line without indentation that
    // is not a comment.
    let section_of = |name: &str| {
        let start = DEFAULT_TEXT
            .find(&format!("\n{name}:\n"))
            .unwrap_or_else(|| panic!("{name} is missing"))
            + 1;
        let lines = DEFAULT_TEXT[start..].lines();
        let body = lines
            .skip(1)
            .take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
        body.collect::<Vec<_>>()
    };
    for section in SECTIONS {
        let lines = section_of(section.name());
        for key in section.keys {
            let is_there = lines.iter().any(|line| {
                line.trim()
                    .trim_start_matches(['#', '-', ' '])
                    .starts_with(&format!("{key}:"))
            });
            assert!(is_there, "{}.{key}", section.path);
        }
    }
}

/// [`Section::get`] asserts the other direction: a key that is read is declared.
#[test]
fn every_declared_key_is_read() {
    for section in SECTIONS {
        for key in section.keys {
            let text = match (section.path, *key) {
                ("hosts[]", "address") => "hosts: [{address: !wrong x}]".to_owned(),
                ("hosts[]", _) => format!("hosts: [{{address: a.b, {key}: !wrong x}}]"),
                _ => format!("{}: {{{key}: !wrong x}}", section.path),
            };
            let path = format!("{}.{key}", section.path.replace("[]", "[0]"));
            let problems = loaded(&text).problems;
            let about: Vec<_> = problems
                .iter()
                .map(|problem| problem.key.as_str())
                .collect();
            assert_eq!(about, [path], "{text}");
        }
    }
}

#[test]
fn a_wrong_list_of_events_falls_back_to_the_default_events() {
    for events in ["down", "", "[[down]]"] {
        let loaded = loaded(&format!("alerts: {{events: {events}}}"));
        assert_eq!(loaded.config.alerts.events, Config::default().alerts.events);
        assert!(
            loaded.problems[0]
                .text
                .ends_with("; down, up and incident used")
        );
    }
}

#[test]
fn the_optional_keys_of_the_example_are_right_when_uncommented() {
    let text: String = DEFAULT_TEXT.lines().fold(String::new(), |mut text, line| {
        let bare = line.trim_start().trim_start_matches("# ");
        let is_key = SECTIONS
            .iter()
            .flat_map(|section| section.keys)
            .any(|key| bare.starts_with(&format!("{key}:")));
        let indent = line.len() - line.trim_start().len();
        let line = if is_key && line.trim_start().starts_with('#') {
            format!("{}{bare}", " ".repeat(indent))
        } else {
            line.to_owned()
        };
        writeln!(text, "{line}").unwrap();
        text
    });
    let config = config_without_problems(&text);
    assert_eq!(
        config.logging.file.as_deref(),
        Some(Path::new("/var/log/ace-connection-logger.log"))
    );
    assert_eq!(
        config.hosts[0].source,
        Some(Source::Interface("eth0".into()))
    );
    assert_eq!(config.hosts[0].role, Role::Dns);
    assert_eq!(config.hosts[1].time_to_live, Some(64));
    assert_eq!(config.hosts[1].thresholds.latency_limit_us, Some(200_000));
    assert_eq!(config.alerts.command, ["/usr/local/bin/notify", "--urgent"]);
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
            "61 is too much (allowed: 0 to 60 seconds); default 1 used",
        ),
        (
            "alerts: {command: tell me}",
            "alerts.command: \"tell me\" where a list of words belongs",
        ),
        ("alerts: {command: [[a]]}", "alerts.command[0]: "),
        (
            "alerts: {events: [down, sideways]}",
            "alerts.events: \"sideways\" is none of down, up, degraded, incident; left out",
        ),
        (
            "alerts: {events: down}",
            "alerts.events: \"down\" where a list belongs",
        ),
        (
            "monitoring: {up_percent: 70}",
            "degraded_percent 80 is above up_percent 70; default 80 and 95 used",
        ),
        (
            "monitoring: {degraded_percent: 101}",
            "101 is too much (allowed: 0 to 100 percent); default 80 used",
        ),
        (
            "monitoring: {latency_limit_ms: 0}",
            "0 is too little (allowed: more than 0, up to 60000 milliseconds); none used",
        ),
    ] {
        let reported = message(text);
        assert!(reported.contains(wrong), "{text}: {reported}");
    }
}

#[test]
fn an_empty_file_and_one_of_comments_mean_the_defaults() {
    for text in [
        "",
        "\n\n",
        "# nothing\n",
        "---\n",
        "\u{feff}",
        "\r\n",
        "{}",
        "~",
        "---\n...\n",
    ] {
        assert_eq!(config_without_problems(text), Config::default(), "{text:?}");
    }
}

#[test]
fn a_wrong_number_is_reported_with_line_value_range_and_what_is_used() {
    assert_eq!(
        message("monitoring:\n  interval_seconds: 0\n"),
        "c:2: monitoring.interval_seconds: 0 is too little (allowed: 0.1 to 86400 seconds); default 60 used"
    );
    assert_eq!(
        message("database:\n\n  retention_days: 0 # none\n"),
        "c:3: database.retention_days: 0 is too little (allowed: more than 0, up to 36500 days); default 90 used"
    );
    assert_eq!(
        message("dashboard: {host: localhost,\n  port: 65536}\n"),
        "c:2: dashboard.port: 65536 is too much (allowed: a whole number, 1 to 65535); default 8501 used"
    );
    for (value, wrong) in [
        ("-1", "-1 is too little"),
        ("101", "101 is too much"),
        ("5.5", "5.5 is not whole"),
        (".nan", ".nan is not a number"),
        (".inf", ".inf is too much"),
        ("-.inf", "-.inf is too little"),
        (
            "99999999999999999999999999999999999999999999999999",
            "99999999999999999999999999999999999999999999999999 is too much",
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
fn a_name_with_two_meanings_in_the_yaml_versions_is_replaced_by_the_address() {
    let text = "hosts:\n- name: no\n  address: 1.1.1.1\n";
    assert_eq!(
        message(text),
        "c:2: hosts[0].name: no is false in YAML 1.1 and text in YAML 1.2, write \"no\" with quotes; the address used as name"
    );
    assert_eq!(hosts(&loaded(text).config), [("1.1.1.1", "1.1.1.1")]);
    for name in ["on", "1:30", "010", "2024-01-31", "1_000"] {
        assert!(
            host_message(&format!("name: {name}\naddress: a.b")).contains("with quotes"),
            "{name}"
        );
        assert_eq!(
            host(&format!("name: \"{name}\"\naddress: a.b")).host.name,
            name
        );
        assert_eq!(
            host(&format!("name: '{name}'\naddress: a.b")).host.name,
            name
        );
        assert_eq!(
            host(&format!("name: |-\n  {name}\naddress: a.b")).host.name,
            name
        );
    }
}

#[test]
fn a_name_can_be_a_number_or_long_or_in_any_script() {
    for (written, name) in [
        ("2024", "2024"),
        ("1.10", "1.10"),
        ("Küche 🏠", "Küche 🏠"),
        ("日本", "日本"),
    ] {
        assert_eq!(
            host(&format!("name: {written}\naddress: a.b")).host.name,
            name
        );
    }
    let config = config_without_problems("hosts: [{name: 1.10, address: a.b}]\n");
    assert_eq!(hosts(&config), [("1.10", "a.b")]);
    for length in [1000, 4096] {
        assert_eq!(
            host(&format!("name: {}\naddress: a.b", "ü".repeat(length)))
                .host
                .name
                .chars()
                .count(),
            length
        );
    }
    assert_eq!(
        host_message(&format!("name: {}\naddress: a.b", "n".repeat(4097))),
        format!(
            ".name: \"{}…\" has 4097 characters (allowed: 1 to 4096); the address used as name",
            "n".repeat(60)
        )
    );
}

#[test]
fn a_name_that_cannot_be_used_is_replaced_by_the_address() {
    for (name, wrong) in [
        ("\"\"", "is empty"),
        ("\"  \"", "is empty"),
        ("", "has no value"),
        ("true", "true is not text, write \"true\" with quotes"),
        ("\"a\\nb\"", "\"a\\nb\" has control characters"),
        ("\"\\e[31m\"", "\"\\u{1b}[31m\" has control characters"),
        ("\"\\u202Ex\"", "\"\\u{202e}x\" has control characters"),
        ("[a]", "a list where text belongs"),
        ("{a: b}", "a section where text belongs"),
    ] {
        assert_eq!(
            host_message(&format!("name: {name}\naddress: a.b")),
            format!(".name: {wrong}; the address used as name")
        );
    }
    assert_eq!(host("address: a.b").host.name, "a.b");
}

#[test]
fn an_address_is_used_as_written_whatever_its_meaning_in_yaml() {
    for address in [
        "::1",
        "fe80::1%eth0",
        "2001:db8::1",
        "1.1.1.1",
        "0.0.0.0",
        "no",
        "on",
        "true",
        "\"8.8.8.8\"",
        "'::1'",
        "Example.com",
    ] {
        assert_eq!(
            host(&format!("name: x\naddress: {address}")).host.address,
            address.trim_matches(['"', '\'']).into()
        );
    }
    for lines in ["address: gateway", "address: GATEWAY"] {
        let host = host(lines);
        assert_eq!(
            (host.host.address.as_str(), host.role),
            ("gateway", Role::Gateway)
        );
    }
}

#[test]
fn a_host_with_a_wrong_address_is_left_out_and_the_others_remain() {
    let text = "hosts:\n  - address: 8.8.8\n  - address: 1.1.1.1\n  - name: x\n  - address:\n  - address: [a]\n  - address: 8.8\n";
    assert_eq!(
        messages(text),
        [
            "c:2: hosts[0].address: \"8.8.8\" is neither an IP address nor a host name; host left out",
            "c:4: hosts[2]: has no address; host left out",
            "c:5: hosts[3].address: has no value; host left out",
            "c:6: hosts[4].address: a list where text belongs; host left out",
            "c:7: hosts[5].address: \"8.8\" is neither an IP address nor a host name; host left out",
        ]
    );
    assert_eq!(hosts(&loaded(text).config), [("1.1.1.1", "1.1.1.1")]);
    assert!(host_message("address: \"[::1]\"").contains("write it without brackets, ::1"));
    assert!(
        host_message("address: http://example.com/")
            .contains("write only the host of this URL, example.com")
    );
    assert!(
        host_message("address: example.com:80").contains("write it without the port, example.com")
    );
}

#[test]
fn only_hosts_in_the_list_are_pinged_even_if_none_is_left() {
    let empty = "hosts: []\n";
    assert_eq!(
        message(empty),
        "c:1: hosts: the list is empty; nothing is pinged"
    );
    assert_eq!(loaded(empty).config.hosts, []);
    assert_eq!(loaded("hosts:\n- address: 8.8.8\n- 5\n").config.hosts, []);
    assert_eq!(messages("hosts:\n- address: 8.8.8\n- 5\n").len(), 2);
}

#[test]
fn hosts_that_are_no_list_fall_back_to_the_default_hosts() {
    for (text, wrong) in [
        ("hosts:\n", "has no value: a list of hosts belongs here"),
        (
            "hosts: null\n",
            "has no value: a list of hosts belongs here",
        ),
        (
            "hosts: 8.8.8.8\n",
            "\"8.8.8.8\" where a list of hosts belongs",
        ),
        (
            "hosts:\n  name: a\n  address: a.b\n",
            "a section where a list of hosts belongs",
        ),
    ] {
        assert_eq!(
            message(text),
            format!("c:1: hosts: {wrong}; default hosts used")
        );
        assert_eq!(loaded(text).config, Config::default());
    }
}

#[test]
fn a_host_that_is_not_a_section_is_left_out() {
    let text = "hosts:\n- 8.8.8.8\n- [a, b]\n-\n- 5\n";
    assert_eq!(
        messages(text),
        [
            "c:2: hosts[0]: \"8.8.8.8\" where a section with keys belongs; host left out; write `- address: 8.8.8.8`",
            "c:3: hosts[1]: a list where a section with keys belongs; host left out",
            "c:4: hosts[2]: nothing where a section with keys belongs; host left out",
            "c:5: hosts[3]: 5 where a section with keys belongs; host left out",
        ]
    );
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
        let problem = loaded(text).problems.remove(0);
        assert_eq!(
            (problem.kind, problem.is_note()),
            (ProblemKind::UnknownKey, false)
        );
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
fn two_hosts_with_the_same_address_and_family_are_one() {
    for (first, second) in [
        ("address: 8.8.8.8", "address: 8.8.8.8"),
        ("address: ::1", "address: 0:0:0:0:0:0:0:1"),
        ("address: 2001:DB8::A", "address: 2001:db8::a"),
        ("address: Example.com", "address: example.COM"),
        ("address: gateway", "address: Gateway"),
        ("address: a.b\n  family: 6", "address: a.b\n  family: 6"),
        ("address: 8.8.8.8\n  family: 4", "address: 8.8.8.8"),
    ] {
        let text = format!("hosts:\n- {first}\n- {second}\n");
        let written = second
            .lines()
            .next()
            .unwrap()
            .strip_prefix("address: ")
            .unwrap();
        let reported = message(&text);
        assert!(
            reported.ends_with(&format!(
                "hosts[1].address: \"{written}\" is the address of hosts[0] already; this second one left out"
            )),
            "{reported}"
        );
        assert_eq!(loaded(&text).config.hosts.len(), 1);
    }
    let config = config_without_problems(
        "hosts:\n- address: a.b\n  family: 4\n- address: a.b\n  family: 6\n- address: a.b\n- address: fe80::1%a\n- address: fe80::1%b\n",
    );
    let families: Vec<_> = config.hosts.iter().map(|host| host.host.family).collect();
    assert_eq!(
        families,
        [Some(IpVersion::V4), Some(IpVersion::V6), None, None, None]
    );
}

#[test]
fn an_address_that_is_not_of_one_host_is_refused_with_a_hint() {
    for (address, wrong) in [
        ("::ffff:10.2.0.2", "write 10.2.0.2"),
        ("fe80::1", "write the interface too, fe80::1%eth0"),
        ("255.255.255.255", "is the broadcast address"),
        ("224.0.0.1", "is a multicast address"),
        ("ff02::1", "is a multicast address"),
    ] {
        let text = format!("hosts:\n- address: '{address}'\n");
        let reported = message(&text);
        assert!(
            reported.contains(wrong) && reported.contains("host left out"),
            "{reported}"
        );
    }
}

#[test]
fn a_host_has_its_own_keys_and_inherits_the_others() {
    let text = "monitoring:\n  ping_count: 3\n  payload_bytes: 100\nhosts:\n- address: a.b\n  interval_seconds: 5\n  ping_count: 2\n  \
                timeout_seconds: 0.5\n  ping_spacing_ms: 200\n  payload_bytes: 16\n  time_to_live: 255\n  up_percent: 99.5\n  latency_limit_ms: 80\n  family: 6\n  source: '::1'\n  \
                role: Other\n- address: c.d\n";
    let config = config_without_problems(text);
    let expected = HostConfig {
        host: Arc::new(Host {
            name: "a.b".into(),
            address: "a.b".into(),
            family: Some(IpVersion::V6),
        }),
        interval: Duration::from_secs(5),
        ping_count: 2,
        timeout: Duration::from_millis(500),
        spacing: Duration::from_millis(200),
        payload_bytes: 16,
        time_to_live: Some(255),
        thresholds: Thresholds {
            up_rate: 99_500,
            degraded_rate: 80_000,
            latency_limit_us: Some(80_000),
        },
        source: Some(Source::Address("::1".parse::<IpAddr>().unwrap())),
        role: Role::Other,
    };
    assert_eq!(config.hosts[0], expected);
    assert_eq!(
        (config.hosts[1].ping_count, config.hosts[1].payload_bytes),
        (3, 100)
    );
    assert_eq!(config.hosts[1].interval, Duration::from_secs(60));
}

#[test]
fn a_wrong_key_of_a_host_falls_back_to_that_of_monitoring() {
    let text = "monitoring:\n  ping_count: 3\nhosts:\n- address: a.b\n  ping_count: 0\n";
    assert_eq!(
        message(text),
        "c:5: hosts[0].ping_count: 0 is too little (allowed: a whole number, 1 to 100); monitoring's 3 used"
    );
    assert_eq!(loaded(text).config.hosts[0].ping_count, 3);
    let text =
        "monitoring:\n  ping_spacing_ms: 500\nhosts:\n- address: a.b\n  ping_spacing_ms: 5\n";
    assert!(
        message(text).ends_with(
            "(allowed: a whole number, 10 to 60000 milliseconds); monitoring's 500 used"
        ),
        "{}",
        message(text)
    );
    assert_eq!(
        loaded(text).config.hosts[0].spacing,
        Duration::from_millis(500)
    );
}

#[test]
fn a_family_or_source_that_contradicts_the_address_is_not_used() {
    assert_eq!(
        host_message("address: 8.8.8.8\nfamily: 6"),
        ".family: 6 contradicts the address 8.8.8.8; the address's own used"
    );
    assert_eq!(
        host_message("address: a.b\nfamily: 5"),
        ".family: 5 is not known (allowed: any, 4, 6); any used"
    );
    assert_eq!(
        host_message("address: 8.8.8.8\nsource: ::1"),
        ".source: ::1 is of another IP version than the host; routing chooses"
    );
    let by_family = host_message("address: a.b\nfamily: 6\nsource: 10.0.0.1");
    assert_eq!(
        by_family,
        ".source: 10.0.0.1 is of another IP version than the host; routing chooses"
    );
    assert_eq!(
        host_message("address: a.b\nsource: a b"),
        ".source: \"a b\" is neither an IP address nor an interface's name; routing chooses"
    );
    assert_eq!(
        host_message("address: a.b\nrole: far"),
        ".role: \"far\" is not known (allowed: gateway, internet, dns, other); internet used"
    );
    assert_eq!(
        host("address: a.b\nfamily: \"4\"").host.family,
        Some(IpVersion::V4)
    );
}

#[test]
fn the_default_spacing_shrinks_until_a_check_fits() {
    let spacing = |text: &str| {
        config_without_problems(&format!("monitoring:\n{text}")).hosts[0]
            .spacing
            .as_millis()
    };
    assert_eq!(spacing("  interval_seconds: 6\n"), 1000);
    assert_eq!(spacing("  interval_seconds: 5\n"), 750);
    assert_eq!(spacing("  interval_seconds: 2.04\n"), 10);
    assert_eq!(spacing("  interval_seconds: 2\n  ping_count: 1\n"), 1000);
    assert_eq!(spacing("  interval_seconds: 60\n  ping_count: 100\n"), 585);
    assert_eq!(
        spacing("  interval_seconds: 60\n  ping_spacing_ms: 14500\n"),
        14_500
    );
}

#[test]
fn a_check_that_cannot_fit_is_noted_once_and_is_no_problem() {
    let text = "monitoring:\n  interval_seconds: 2\nhosts:\n- address: a.b\n- address: c.d\n- address: e.f\n  ping_count: 50\n";
    let loaded = loaded(text);
    assert_eq!(loaded.errors().count(), 0);
    assert_eq!(
        message(text),
        "c:2: monitoring.interval_seconds: 5 pings 10 ms apart with a timeout of 2 s can take longer than the interval of 2 s; \
         a check that overruns skips the ticks it covers"
    );
    assert_eq!(
        (loaded.problems[0].is_note(), loaded.problems[0].kind),
        (true, ProblemKind::Note)
    );
    assert_eq!(loaded.config.hosts[0].spacing, Duration::from_millis(10));
    let single = message("monitoring:\n  interval_seconds: 1\n  ping_count: 1\n");
    assert!(
        single.contains("one ping with a timeout of 2 s can take longer than the interval of 1 s"),
        "{single}"
    );
    let own = "hosts:\n- address: a.b\n- address: c.d\n  interval_seconds: 1\n";
    assert!(
        message(own).starts_with("c:4: hosts[1].interval_seconds: 5 pings"),
        "{}",
        message(own)
    );
}

#[test]
fn a_spacing_that_does_not_fit_is_a_problem() {
    let text = "monitoring:\n  interval_seconds: 10\n  ping_spacing_ms: 5000\n";
    assert_eq!(
        message(text),
        "c:3: monitoring.ping_spacing_ms: 5000 does not fit: 5 pings 5000 ms apart with a timeout of 2 s can take longer than the interval of \
         10 s; 2000 used"
    );
    assert_eq!(loaded(text).errors().count(), 1);
    assert_eq!(
        loaded(text).config.hosts[0].spacing,
        Duration::from_millis(2000)
    );
    let overrun = message("monitoring:\n  interval_seconds: 1\n  ping_spacing_ms: 100\n");
    assert!(
        overrun.ends_with("; 10 used, and each check overruns: the ticks it covers are skipped"),
        "{overrun}"
    );
    let own = message("hosts:\n- address: a.b\n  ping_spacing_ms: 60000\n");
    assert!(
        own.starts_with("c:3: hosts[0].ping_spacing_ms: 60000 does not fit")
            && own.ends_with("; 14500 used"),
        "{own}"
    );
    let inherited = "monitoring:\n  ping_spacing_ms: 5000\nhosts:\n- address: a.b\n  interval_seconds: 10\n- address: c.d\n";
    assert!(
        message(inherited).starts_with("c:5: hosts[0].interval_seconds: 5000 does not fit"),
        "{}",
        message(inherited)
    );
    assert_eq!(loaded(inherited).errors().count(), 0);
    assert_eq!(
        loaded(inherited).config.hosts[0].spacing,
        Duration::from_millis(2000)
    );
    assert_eq!(
        loaded(inherited).config.hosts[1].spacing,
        Duration::from_millis(5000)
    );
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
            "c:2: dashboard.port: 0 is too little (allowed: a whole number, 1 to 65535); default 8501 used",
        ),
        (
            "dashboard:\n  allowed_hosts: a\n",
            "c:2: dashboard.allowed_hosts: \"a\" where a list of names belongs; none used",
        ),
        (
            "dashboard:\n  allowed_hosts:\n",
            "c:2: dashboard.allowed_hosts: has no value; none used",
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
            "c:2: outages.down_after: 0 is too little (allowed: a whole number, 1 to 100 checks); default 1 used",
        ),
        (
            "outages:\n  down_after: 2\n  up_after: 101\n",
            "c:3: outages.up_after: 101 is too much (allowed: a whole number, 1 to 100 checks); default 1 used",
        ),
        (
            "outages:\n  up_after: 1.5\n",
            "c:2: outages.up_after: 1.5 is not whole (allowed: a whole number, 1 to 100 checks); default 1 used",
        ),
        (
            "database:\n  flush_seconds: 3601\n",
            "c:2: database.flush_seconds: 3601 is too much (allowed: 0 to 3600 seconds); default 60 used",
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

#[test]
fn a_tab_is_reported_as_the_cause_of_a_syntax_error() {
    let text = "monitoring:\n  ping_count: 5\n\tinterval_seconds: 60\n";
    let reported = message(text);
    assert!(
        reported
            .starts_with("c:3: column 1: not YAML: a tab indents here, and YAML wants spaces: "),
        "{reported}"
    );
    assert!(
        reported.ends_with("; default configuration used"),
        "{reported}"
    );
    assert!(loaded(text).is_unusable());
    let first = message("monitoring:\n\tping_count: 5\n");
    assert!(
        first.starts_with("c:2: column 1: not YAML: a tab"),
        "{first}"
    );
}

#[test]
fn a_syntax_error_is_reported_with_line_and_column_and_all_defaults_are_used() {
    for (text, place) in [
        (
            "monitoring:\n  ping_count: [5\n",
            "c:3: column 1: not YAML: ",
        ),
        ("a: b: c\n", "c:1: column 5: not YAML: "),
        ("a: \"b\n", "c:2: column 1: not YAML: "),
        ("a: *b\n", "c:1: column 4: not YAML: "),
        ("a: @b\n", "c:1: column 4: not YAML: "),
        (
            "a:\n- address: [::1]\n",
            "c:2: column 13: not YAML: an IPv6 address is written without brackets: ",
        ),
        (
            "a:\n  host: ::\n",
            "c:2: column 10: not YAML: write \"::\" with quotes: ",
        ),
        ("&a &a x\n", "c:1: column 4: not YAML: "),
        ("\"a\"\nb: 1\n", "c:2: column 1: not YAML: "),
        (
            "a: 1\n---\nb: 1\n",
            "c:2: column 1: not YAML: a second document begins",
        ),
        (
            "---\na: 1\n---\nb: 1\n",
            "c:3: column 1: not YAML: a second document begins",
        ),
    ] {
        let reported = message(text);
        assert!(reported.starts_with(place), "{reported}");
        assert!(loaded(text).is_unusable());
        assert_eq!(loaded(text).config, Config::default());
    }
}

#[test]
fn text_that_is_not_utf_8_is_unreadable() {
    let utf_16 = |text: &str, to_bytes: fn(u16) -> [u8; 2]| {
        text.encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>()
    };
    for (bytes, expected) in [
        (
            utf_16("\u{feff}a: 1", u16::to_le_bytes),
            "c: is UTF-16, save it as UTF-8; default configuration used",
        ),
        (
            utf_16("\u{feff}a: 1", u16::to_be_bytes),
            "c: is UTF-16, save it as UTF-8; default configuration used",
        ),
        (
            utf_16("a: 1", u16::to_le_bytes),
            "c: is UTF-16, save it as UTF-8; default configuration used",
        ),
        (
            utf_16("a: 1", u16::to_be_bytes),
            "c: is UTF-16, save it as UTF-8; default configuration used",
        ),
        (
            b"a: 1\nb: \xfc\n".to_vec(),
            "c:2: the byte 0xfc is not UTF-8, save the file as UTF-8; default configuration used",
        ),
        (
            b"a: 1\n\nb: \0\n".to_vec(),
            "c:3: has a NUL byte, which no text has; default configuration used",
        ),
    ] {
        let loaded = parse(&bytes, "c");
        assert_eq!(
            loaded
                .problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            [expected]
        );
        assert!(loaded.is_unusable());
        assert_eq!(loaded.problems[0].kind, ProblemKind::Unreadable);
    }
    assert!(
        parse(&[0xc3, 0x28], "c").is_unusable()
            && parse(&[0; 5], "c").is_unusable()
            && parse(&[0], "c").is_unusable()
    );
}

#[test]
fn anchors_aliases_and_merge_keys_are_resolved() {
    let text = "hosts:\n- &a\n  address: a.b\n  ping_count: 7\n- <<: *a\n  address: c.d\n- {<<: [*a], address: e.f, ping_count: 8}\n";
    let config = config_without_problems(text);
    let counts: Vec<_> = config
        .hosts
        .iter()
        .map(|host| (host.host.address.as_str(), host.ping_count))
        .collect();
    assert_eq!(counts, [("a.b", 7), ("c.d", 7), ("e.f", 8)]);
    let config = config_without_problems(
        "monitoring:\n  ping_count: &n 6\n  payload_bytes: 60\nhosts:\n- address: a.b\n  ping_count: *n\n",
    );
    assert_eq!(config.hosts[0].ping_count, 6);
    let wrong = message("logging:\n  <<: 5\n");
    assert_eq!(
        wrong,
        "c:2: logging.<<: 5 where a section to merge belongs; nothing merged"
    );
    // A wrong value from an alias is reported without a line.
    let alias = messages("hosts:\n- &a\n  address: 8.8.8\n- *a\n");
    assert_eq!(alias.len(), 2);
    assert!(
        alias[0].starts_with("c:3: hosts[0].address: ")
            && alias[1].starts_with("c: hosts[1].address: "),
        "{alias:?}"
    );
}

#[test]
fn tags_of_other_programs_construct_nothing() {
    for tag in [
        "!!python/object:os.system",
        "!!python/name:os",
        "!x",
        "!!binary",
    ] {
        let reported = message(&format!("monitoring:\n  ping_count: {tag} 5\n"));
        assert!(
            reported.starts_with(&format!(
                "c:2: monitoring.ping_count: a value with the tag {tag} is not a number"
            )),
            "{reported}"
        );
        let reported = message(&format!("monitoring: {tag} {{ping_count: 5}}\n"));
        assert!(
            reported.contains(&format!("a value with the tag {tag} where a section")),
            "{reported}"
        );
    }
    assert_eq!(
        config_without_problems("monitoring:\n  ping_count: !!int 7\n").hosts[0].ping_count,
        7
    );
    assert_eq!(host("name: !!str no\naddress: a.b").host.name, "no");
}

#[test]
fn exponentially_nested_aliases_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let reported = message(&text);
    assert!(reported.contains("repe"), "{reported}");
    let mut text = format!("a: &a {}\nb:\n", "x".repeat(1_000_000));
    text.push_str(&"- *a\n".repeat(100_000));
    assert!(message(&text).contains("aliases repeat too much"));
}

#[test]
fn deep_nesting_is_a_syntax_error_and_not_a_crash() {
    for text in [
        "[".repeat(1000),
        "{a: ".repeat(1000),
        "{a: ".repeat(1_000_000),
        "- ".repeat(20_000),
        format!("{}{}", "[".repeat(500), "]".repeat(500)),
    ] {
        let loaded = loaded(&text);
        assert!(loaded.is_unusable());
        assert_eq!(loaded.problems.len(), 1);
    }
}

#[test]
fn ten_thousand_hosts_are_read_and_problems_have_their_lines() {
    let mut text = "hosts:\n".to_owned();
    for index in 0..10_000 {
        writeln!(
            text,
            "- name: Host {index}\n  address: 10.0.{}.{}\n  colour: red",
            index / 250,
            index % 250
        )
        .unwrap();
    }
    let loaded = loaded(&text);
    assert_eq!(loaded.config.hosts.len(), 10_000);
    assert_eq!(
        loaded.config.hosts[9_999].host.address.as_str(),
        "10.0.39.249"
    );
    let lines: Vec<_> = loaded.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(
        lines,
        (0..10_000)
            .map(|index| Some(4 + 3 * index))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_cause() {
    let directory = std::env::temp_dir();
    let error = load(&directory).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}: is a directory, not a file", directory.display())
    );
    assert!(!error.is_not_found());
    let missing = directory.join("there/is/no/such/config.yaml");
    let error = load(&missing).unwrap_err();
    assert!(
        error.is_not_found()
            && error
                .to_string()
                .starts_with(&format!("{}: ", missing.display())),
        "{error}"
    );

    let path = directory.join(format!("ace-config-test-{}.yaml", std::process::id()));
    std::fs::write(&path, "monitoring:\n  ping_count: 0\n").unwrap();
    let reported = load(&path).unwrap().problems[0].to_string();
    assert!(
        reported.starts_with(&format!("{}:2: monitoring.ping_count: ", path.display())),
        "{reported}"
    );
    let sparse = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    sparse.set_len(16 * 1024 * 1024 + 1).unwrap();
    let error = load(&path).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert!(
        error.to_string().ends_with(": is longer than 16 MiB"),
        "{error}"
    );
}

#[test]
fn a_family_that_repeats_the_version_of_the_address_is_the_same_host() {
    let with = |family: &str| {
        config_without_problems(&format!("hosts: [{{address: 8.8.8.8{family}}}]")).hosts
    };
    assert_eq!(with(", family: 4"), with(""));
    assert_eq!(with(", family: any"), with(""));
}
