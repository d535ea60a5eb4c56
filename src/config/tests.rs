//! Tests of the whole module, from text to configuration and messages.

mod host_tests;
mod push_tests;
mod value_tests;
mod yaml_tests;

use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::pure::address::IpVersion;
use crate::pure::address::Source;
use crate::pure::model::{AlertKind, Thresholds};

impl Loaded {
    /// Whether nothing of the file could be used.
    fn is_unusable(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| matches!(problem.kind, ProblemKind::Unreadable | ProblemKind::Syntax))
    }
}

impl ReadError {
    fn is_not_found(&self) -> bool {
        matches!(self, ReadError::Failed { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }
}

/// Without the message that there are no hosts: most of these texts have none.
fn loaded(text: &str) -> Loaded {
    let mut loaded = parse(text.as_bytes(), "c");
    loaded
        .problems
        .retain(|problem| problem.kind != ProblemKind::NoHosts);
    loaded
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
        (host.host.source.clone(), host.role, config.hosts[0].role),
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
        (alerts.command.len(), alerts.timeout, alerts.max_per_hour),
        (0, Duration::from_secs(30), 60)
    );
    assert_eq!(
        alerts.events,
        [
            AlertKind::Down,
            AlertKind::Up,
            AlertKind::Incident,
            AlertKind::Loss,
            AlertKind::Database
        ]
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
    // Of the two ways to send, only one can be used.
    let text = text.replace("  command: [curl", "  # command: [curl");
    let config = config_without_problems(&text);
    assert_eq!(
        config.logging.file.as_deref(),
        Some(Path::new("/var/log/ace-connection-logger.log"))
    );
    assert_eq!(
        config.hosts[0].host.source,
        Some(Source::Interface("eth0".into()))
    );
    assert_eq!(config.hosts[0].role, Role::Dns);
    assert_eq!(config.hosts[1].time_to_live, Some(64));
    assert_eq!(config.hosts[1].thresholds.latency_limit_us, Some(200_000));
    assert_eq!(config.alerts.command, ["/usr/local/bin/notify", "--urgent"]);
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
        assert_eq!(
            parse(text.as_bytes(), "c").errors(true).count(),
            1,
            "{text:?}"
        );
    }
}

#[test]
fn a_file_without_hosts_is_an_error_only_if_strict() {
    let said = "c: has no hosts; built-in hosts used: Google DNS (8.8.8.8), \
                Cloudflare DNS (1.1.1.1), Local Gateway (gateway)";
    for (text, strict_errors) in [
        ("", 1),
        ("logging:\n  level: warn\n", 1),
        ("hosts:\n- address: a.b\n", 0),
    ] {
        let loaded = parse(text.as_bytes(), "c");
        let messages: Vec<String> = loaded.errors(true).map(Problem::to_string).collect();
        assert_eq!(messages, vec![said; strict_errors], "{text:?}");
        assert_eq!(loaded.errors(false).count(), 0, "{text:?}");
    }
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
    sparse.set_len(1024 * 1024 + 1).unwrap();
    let error = load(&path).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert!(
        error.to_string().ends_with(": is longer than 1 MiB"),
        "{error}"
    );
}
