//! From the tree to the checked configuration: the sections of the file, and the whole of it when
//! it is no YAML.

use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

use super::address::read_address;
use super::hosts::{plan_with_common_keys, read_hosts};
use super::keys;
use super::lines;
use super::pace::read_monitoring;
use super::problem::{ProblemKind, shorten};
use super::section::{Checker, Range, Section, describe};
use super::yaml::{self, Content, SyntaxError};
use super::{AlertsConfig, Config, DashboardConfig, DatabaseConfig, Loaded, LoggingConfig};
use crate::pure::incident::GroupingRules;
use crate::pure::model::{AlertKind, Host};
use crate::pure::outage::OutageRules;

const RETENTION: Range = Range {
    least: 0.0,
    most: 36_500.0,
    is_open: true,
    is_whole: false,
    unit: "days",
};
const FLUSH: Range = Range {
    least: 0.0,
    most: 3600.0,
    is_open: false,
    is_whole: false,
    unit: "seconds",
};
const OUTAGE_CHECKS: Range = Range {
    least: 1.0,
    most: 100.0,
    is_open: false,
    is_whole: true,
    unit: "checks",
};
const FAST_INTERVAL: Range = Range {
    least: 0.0,
    most: 60.0,
    is_open: false,
    is_whole: false,
    unit: "seconds",
};
const MERGE: Range = Range {
    least: 0.0,
    most: 3600.0,
    is_open: false,
    is_whole: false,
    unit: "seconds",
};
const INTERMITTENT_COUNT: Range = Range {
    least: 0.0,
    most: 1000.0,
    is_open: false,
    is_whole: true,
    unit: "outages",
};
const INTERMITTENT_SPAN: Range = Range {
    least: 0.0,
    most: 1440.0,
    is_open: true,
    is_whole: false,
    unit: "minutes",
};
const ALERT_TIMEOUT: Range = Range {
    least: 0.1,
    most: 3600.0,
    is_open: false,
    is_whole: false,
    unit: "seconds",
};
const ALERTS_AN_HOUR: Range = Range {
    least: 1.0,
    most: 3600.0,
    is_open: false,
    is_whole: true,
    unit: "notices",
};
const PORT: Range = Range {
    least: 1.0,
    most: 65_535.0,
    is_open: false,
    is_whole: true,
    unit: "",
};

const DEFAULT_USED: &str = "default configuration used";

/// See [`super::parse`].
pub(super) fn check_text(bytes: &[u8], file: &str) -> Loaded {
    let mut checker = Checker::new(file);
    let text = match decode(bytes) {
        Ok(text) => text,
        Err((line, wrong)) => {
            checker.problem(
                ProblemKind::Unreadable,
                line,
                String::new(),
                format!("{wrong}; {DEFAULT_USED}"),
            );
            return Loaded {
                config: default_config(),
                problems: checker.problems,
            };
        }
    };
    let config = match yaml::parse(text) {
        Ok(mut node) => {
            lines::annotate(text, &mut node);
            match &node.content {
                Content::Null => default_config(),
                Content::Mapping(_) => {
                    match checker.open(&node, String::new(), keys::ROOT, DEFAULT_USED) {
                        Some(root) => check_sections(&mut checker, &root),
                        None => default_config(),
                    }
                }
                _ => {
                    let wrong = format!(
                        "{} where the sections belong ({})",
                        describe(&node),
                        keys::ROOT.join(", ")
                    );
                    checker.problem(
                        ProblemKind::Syntax,
                        None,
                        String::new(),
                        format!("{wrong}; {DEFAULT_USED}"),
                    );
                    default_config()
                }
            }
        }
        Err(error) => {
            let (line, text) = say_syntax(text, &error);
            checker.problem(
                ProblemKind::Syntax,
                line,
                String::new(),
                format!("{text}; {DEFAULT_USED}"),
            );
            default_config()
        }
    };
    Loaded {
        config,
        problems: checker.problems,
    }
}

/// What an empty file means.
pub(super) fn default_config() -> Config {
    check_sections(&mut Checker::new(""), &Section::default())
}

/// Text without its byte order mark; else the line and what is wrong.
fn decode(bytes: &[u8]) -> Result<&str, (Option<usize>, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line_at = |at: usize| Some(1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count());
    if bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || matches!(bytes, [0, b, ..] | [b, 0, ..] if *b != 0)
    {
        return Err((None, "is UTF-16, save it as UTF-8".into()));
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err((line_at(at), "has a NUL byte, which no text has".into()));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        (
            line_at(at),
            format!(
                "the byte 0x{:02x} is not UTF-8, save the file as UTF-8",
                bytes.get(at).copied().unwrap_or_default()
            ),
        )
    })
}

/// The line of a syntax error and the text with its column, and the cure for the commonest.
fn say_syntax(text: &str, error: &SyntaxError) -> (Option<usize>, String) {
    let Some((line, column)) = error.place else {
        return (None, format!("not YAML: {}", shorten_long(&error.text)));
    };
    let line_at = |line: usize| {
        line.checked_sub(1)
            .and_then(|index| text.lines().nth(index))
            .unwrap_or_default()
    };
    // The parser notices a tab at its line, or only at the end of the line before.
    let has_tab = |line: &str| line[..line.len() - line.trim_start().len()].contains('\t');
    let value = line_at(line)
        .split_once(": ")
        .map_or("", |(_, value)| value.trim());
    let hint = if has_tab(line_at(line)) || has_tab(line_at(line + 1)) {
        ": a tab indents here, and YAML wants spaces"
    } else if value
        .strip_prefix('[')
        .and_then(|value| value.strip_suffix(']'))
        .is_some_and(|inner| read_address(inner).is_ok())
    {
        ": an IPv6 address is written without brackets"
    } else if value == "::" {
        ": write \"::\" with quotes"
    } else {
        ""
    };
    let said = error
        .text
        .replace(&format!(" at line {line} column {column}"), "");
    (
        Some(line),
        format!("column {column}: not YAML{hint}: {}", shorten_long(&said)),
    )
}

/// The parser quotes from the file, and not always little.
fn shorten_long(text: &str) -> String {
    text.split(' ').map(shorten).collect::<Vec<_>>().join(" ")
}

fn check_sections(checker: &mut Checker, root: &Section<'_>) -> Config {
    let monitoring = open(checker, root, "monitoring", keys::MONITORING);
    let monitoring = read_monitoring(checker, &monitoring);
    let hosts = read_hosts(checker, root, &monitoring);
    let database = open(checker, root, "database", keys::DATABASE);
    let database = read_database(checker, &database);
    let outages = open(checker, root, "outages", keys::OUTAGES);
    let fast_interval = read_fast_interval(checker, &outages);
    let (outages, grouping) = (
        read_outages(checker, &outages),
        read_grouping(checker, &outages),
    );
    let alerts = open(checker, root, "alerts", keys::ALERTS);
    let alerts = read_alerts(checker, &alerts);
    let dashboard = open(checker, root, "dashboard", keys::DASHBOARD);
    let dashboard = read_dashboard(checker, &dashboard);
    let logging = open(checker, root, "logging", keys::LOGGING);
    let logging = read_logging(checker, &logging);
    let nobody = Host::unlisted("");
    let unlisted = plan_with_common_keys(nobody, &monitoring);
    Config {
        hosts,
        unlisted,
        database,
        outages,
        grouping,
        fast_interval,
        alerts,
        dashboard,
        logging,
    }
}

fn open<'n>(checker: &mut Checker, root: &Section<'n>, key: &str, known: &[&str]) -> Section<'n> {
    let absent = || Section::absent(key);
    match root.get(key) {
        Some(node) => checker
            .open(node, key.to_owned(), known, "its defaults used")
            .unwrap_or_else(absent),
        None => absent(),
    }
}

fn read_database(checker: &mut Checker, section: &Section<'_>) -> DatabaseConfig {
    const DAY_SECONDS: f64 = 86_400.0;
    let mut days = |key: &str, default: f64| {
        let days = checker
            .number(section, key, &RETENTION, &format!("default {default} used"))
            .unwrap_or(default);
        Duration::from_secs_f64(days * DAY_SECONDS)
    };
    let (retention, rollup_retention) = (
        days("retention_days", 90.0),
        days("rollup_retention_days", 1825.0),
    );
    let path = checker
        .text(section, "path", "default connection_logs.db used")
        .unwrap_or_else(|| "connection_logs.db".into());
    let flush = checker
        .number(section, "flush_seconds", &FLUSH, "default 60 used")
        .unwrap_or(60.0);
    DatabaseConfig {
        path: PathBuf::from(path),
        retention,
        rollup_retention,
        flush: Duration::from_secs_f64(flush),
    }
}

fn read_outages(checker: &mut Checker, section: &Section<'_>) -> OutageRules {
    let mut checks = |key| {
        checker
            .whole(section, key, &OUTAGE_CHECKS, "default 1 used")
            .unwrap_or(1)
    };
    OutageRules {
        down_after: checks("down_after"),
        up_after: checks("up_after"),
    }
}

fn read_fast_interval(checker: &mut Checker, section: &Section<'_>) -> Option<Duration> {
    // Below that a ping is not over before the next, on most lines.
    const LEAST: f64 = 0.05;
    let seconds = checker
        .number(
            section,
            "fast_interval_seconds",
            &FAST_INTERVAL,
            "default 1 used",
        )
        .unwrap_or(1.0);
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.max(LEAST)))
}

fn read_grouping(checker: &mut Checker, section: &Section<'_>) -> GroupingRules {
    let merge = checker
        .number(section, "merge_seconds", &MERGE, "default 5 used")
        .unwrap_or(5.0);
    let count = checker
        .whole(
            section,
            "intermittent_count",
            &INTERMITTENT_COUNT,
            "default 3 used",
        )
        .unwrap_or(3);
    let span = checker
        .number(
            section,
            "intermittent_minutes",
            &INTERMITTENT_SPAN,
            "default 10 used",
        )
        .unwrap_or(10.0);
    GroupingRules {
        merge: Duration::from_secs_f64(merge),
        intermittent_count: usize::from(count),
        intermittent_span: Duration::from_secs_f64(span * 60.0),
    }
}

fn read_alerts(checker: &mut Checker, section: &Section<'_>) -> AlertsConfig {
    let command = read_words(
        checker,
        section,
        "command",
        "a list of words belongs: the program and its arguments",
        "nobody is told",
    );
    let mut events = Vec::new();
    for word in section
        .get("events")
        .map(|_| {
            read_words(
                checker,
                section,
                "events",
                "a list belongs",
                "down, up and incident used",
            )
        })
        .unwrap_or_default()
    {
        match AlertKind::from_word(&word) {
            Some(kind) => events.push(kind),
            None => {
                let wrong = format!(
                    "\"{}\" is none of down, up, degraded, incident",
                    shorten(&word)
                );
                checker.wrong(section, "events", &wrong, "left out");
            }
        }
    }
    if section.get("events").is_none() {
        events = vec![AlertKind::Down, AlertKind::Up, AlertKind::Incident];
    }
    let timeout = checker
        .number(
            section,
            "timeout_seconds",
            &ALERT_TIMEOUT,
            "default 30 used",
        )
        .unwrap_or(30.0);
    let most_per_hour = checker
        .whole(section, "most_per_hour", &ALERTS_AN_HOUR, "default 60 used")
        .unwrap_or(60);
    AlertsConfig {
        command,
        events,
        timeout: Duration::from_secs_f64(timeout),
        most_per_hour,
    }
}

/// A list of words; empty where the key is absent or wrong.
fn read_words(
    checker: &mut Checker,
    section: &Section<'_>,
    key: &str,
    wanted: &str,
    used: &str,
) -> Vec<String> {
    let Some(node) = section.get(key) else {
        return Vec::new();
    };
    let Content::List(items) = &node.content else {
        let wrong = match node.content {
            Content::Null => format!("has no value: {wanted}"),
            _ => format!("{} where {wanted}", describe(node)),
        };
        checker.wrong(section, key, &wrong, used);
        return Vec::new();
    };
    let mut words = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match checker.word(item) {
            Ok(word) => words.push(word),
            Err(wrong) => {
                let path = section.path_of(&format!("{key}[{index}]"));
                checker.problem(
                    ProblemKind::Value,
                    item.line.or(node.line),
                    path,
                    format!("{wrong}; {used}"),
                );
                return Vec::new();
            }
        }
    }
    words
}

fn read_dashboard(checker: &mut Checker, section: &Section<'_>) -> DashboardConfig {
    DashboardConfig {
        port: checker
            .whole(section, "port", &PORT, "default 8501 used")
            .unwrap_or(8501),
        host: read_listen_host(checker, section).unwrap_or_else(|| "localhost".into()),
        base_path: read_base_path(checker, section).unwrap_or_default(),
        allowed_hosts: read_allowed_hosts(checker, section),
    }
}

fn read_listen_host(checker: &mut Checker, section: &Section<'_>) -> Option<String> {
    let node = section.get("host")?;
    let wrong = match checker.word(node) {
        Ok(word) => match read_address(&word) {
            Ok(address) if address.is_gateway() => "gateway is not this machine".into(),
            Ok(_) => return Some(word),
            Err(wrong) => format!("\"{}\" {wrong}", shorten(&word)),
        },
        Err(wrong) => wrong,
    };
    checker.wrong(section, "host", &wrong, "default localhost used");
    None
}

fn read_base_path(checker: &mut Checker, section: &Section<'_>) -> Option<String> {
    let node = section.get("base_path")?;
    let wrong = match checker.word(node) {
        Ok(word) => {
            let path = word.trim_end_matches('/');
            let parts_are_fine = path.split('/').skip(1).all(|part| {
                let is_plain = part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
                is_plain && !matches!(part, "" | "." | "..")
            });
            if path.is_empty() || path.starts_with('/') && parts_are_fine {
                return Some(path.to_owned());
            }
            format!(
                "\"{}\" is not a path (allowed: letters, digits and -._~ behind slashes, such as /ping)",
                shorten(&word)
            )
        }
        Err(wrong) => wrong,
    };
    checker.wrong(section, "base_path", &wrong, "none used");
    None
}

fn read_allowed_hosts(checker: &mut Checker, section: &Section<'_>) -> Vec<String> {
    let Some(node) = section.get("allowed_hosts") else {
        return Vec::new();
    };
    let Content::List(items) = &node.content else {
        let wrong = if node.content == Content::Null {
            "has no value".into()
        } else {
            format!("{} where a list of names belongs", describe(node))
        };
        checker.wrong(section, "allowed_hosts", &wrong, "none used");
        return Vec::new();
    };
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let wrong = match checker.word(item) {
            Ok(word) => match read_address(&word) {
                Ok(_) => {
                    names.push(word);
                    continue;
                }
                Err(wrong) => format!("\"{}\" {wrong}", shorten(&word)),
            },
            Err(wrong) => wrong,
        };
        let key = section.path_of(&format!("allowed_hosts[{index}]"));
        checker.problem(
            ProblemKind::Value,
            item.line.or(node.line),
            key,
            format!("{wrong}; left out"),
        );
    }
    names
}

fn read_logging(checker: &mut Checker, section: &Section<'_>) -> LoggingConfig {
    const LEVELS: [(&str, LevelFilter); 4] = [
        ("error", LevelFilter::Error),
        ("warn", LevelFilter::Warn),
        ("info", LevelFilter::Info),
        ("debug", LevelFilter::Debug),
    ];
    let words = LEVELS.map(|(word, _)| word);
    let level = checker
        .choice(section, "level", &words, "default info used")
        .map_or(LevelFilter::Info, |index| LEVELS[index].1);
    let file = checker
        .text(section, "file", "standard error used")
        .map(PathBuf::from);
    LoggingConfig { level, file }
}
