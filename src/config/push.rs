//! The section `push`: the engine that checks and events are sent to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::address::parse_address;
use super::key::{Key, SectionKeys, Without};
use super::kind::{Choice, List, Parse, Range, Text, Time, describe, parse_word};
use super::problem::{ProblemKind, Problems, shorten};
use super::push_files::{check_program, check_token};
use super::section::Section;
use super::yaml::{Content, Node};
use crate::pure::address::HostAddress;
use crate::pure::phrase::is_unprintable;

const URL: Key<Url, Without> = Key {
    name: "url",
    kind: Url,
    default: Without(NOTHING_SENT),
};
const COMMAND: Key<List, Without> = Key {
    name: "command",
    kind: List {
        what: "a list of words",
        detail: ": the program and its arguments",
    },
    default: Without(NOTHING_SENT),
};
const FORMAT: Key<Choice<PushFormat>, PushFormat> = Key {
    name: "format",
    kind: Choice(&[
        (PushFormat::Influx.as_str(), PushFormat::Influx),
        (PushFormat::RemoteWrite.as_str(), PushFormat::RemoteWrite),
    ]),
    default: PushFormat::Influx,
};
const TOKEN_FILE: Key<Text, Without> = Key {
    name: "token_file",
    kind: Text,
    default: Without("no token sent"),
};
const LABELS: Key<(), Without> = Key {
    name: "labels",
    kind: (),
    default: Without("left out"),
};
const BATCH: Key<Time, Duration> = Key {
    name: "batch_seconds",
    kind: Range::new(0.1, 3600.0).seconds(),
    default: Duration::from_secs(60),
};
const TIMEOUT: Key<Time, Duration> = Key {
    name: "timeout_seconds",
    kind: Range::new(1.0, 600.0).seconds(),
    default: Duration::from_secs(30),
};

const NOTHING_SENT: &str = "nothing is sent";

pub(super) const KEYS: SectionKeys = SectionKeys {
    path: "push",
    keys: &[
        URL.name,
        COMMAND.name,
        FORMAT.name,
        TOKEN_FILE.name,
        LABELS.name,
        BATCH.name,
        TIMEOUT.name,
    ],
};

/// Label names that series have, or that have a meaning of their own; and the fields of points: for
/// some engines, such as QuestDB, tags and fields are columns of one table.
const RESERVED: [&str; 19] = [
    "host", "address", "family", "source", "cause", "state", "type", "time", "sent", "lost",
    "rtt_min", "rtt_avg", "rtt_max", "id", "ongoing", "planned", "end_time", "duration", "notes",
];
const MAX_LABELS: usize = 32;
const MAX_LABEL_BYTES: usize = 256;

#[derive(Clone, Debug, PartialEq)]
pub struct PushConfig {
    pub way: PushWay,
    pub format: PushFormat,
    /// The file of what is sent as the header Authorization.
    pub token_file: Option<PathBuf>,
    /// Names and values that are added to every series, by name.
    pub labels: Vec<(String, String)>,
    /// How long checks are collected before they are sent.
    pub batch: Duration,
    /// How long a request, or the command, may take.
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PushWay {
    Url(PushUrl),
    /// The program and its arguments.
    Command(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushFormat {
    /// The line protocol of InfluxDB.
    Influx,
    /// Prometheus remote write 1.0.
    RemoteWrite,
}

impl PushFormat {
    pub const fn as_str(self) -> &'static str {
        match self {
            PushFormat::Influx => "influx",
            PushFormat::RemoteWrite => "remote-write",
        }
    }
}

/// An address of the scheme `http`. Displayed without the part after `?`, which may be secret.
#[derive(Clone, PartialEq)]
pub struct PushUrl {
    pub host: HostAddress,
    pub port: u16,
    /// Path and query.
    pub target: String,
}

impl fmt::Display for PushUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "http://{}{path}", self.authority())
    }
}

impl fmt::Debug for PushUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PushUrl {
    /// Host and port, as the header Host has them.
    pub fn authority(&self) -> String {
        let (host, port) = (self.host.as_str(), self.port);
        match (host.contains(':'), port) {
            (true, 80) => format!("[{host}]"),
            (true, _) => format!("[{host}]:{port}"),
            (false, 80) => host.to_owned(),
            (false, _) => format!("{host}:{port}"),
        }
    }
}

/// An address for [`PushUrl`]. No message repeats the text, since it may contain a password.
struct Url;

impl Parse for Url {
    type Value = PushUrl;

    fn parse(&self, node: &Node) -> Result<PushUrl, String> {
        parse_url(&parse_word(node)?)
    }
}

fn parse_url(text: &str) -> Result<PushUrl, String> {
    const FORM: &str = "write http://HOST:PORT/PATH";
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("has no scheme, {FORM}"));
    };
    if scheme.eq_ignore_ascii_case("https") {
        return Err("is of the scheme https, which this program does not speak; use push.command with curl, as docs/push.md shows".into());
    }
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(format!(
            "is of the scheme {}, {FORM}",
            shorten(&scheme.replace(char::is_whitespace, "?"))
        ));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    if authority.contains('@') {
        return Err("has a user name in it; write what the engine asks for to a file and name it as push.token_file".into());
    }
    if !target.bytes().all(|byte| matches!(byte, 0x21..=0x7e)) || target.contains('#') {
        return Err("has a # or a character that is to be written as %XX in its path".into());
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| format!("has a [ without a ], {FORM}"))?;
            let port = match rest.is_empty() {
                true => Some(""),
                false => rest.strip_prefix(':'),
            };
            (
                host,
                port.ok_or_else(|| format!("has no : after the ], {FORM}"))?,
            )
        }
        None => authority.split_once(':').unwrap_or((authority, "80")),
    };
    let port = match port {
        "" => Some(80),
        port => port.parse().ok().filter(|port| *port != 0),
    };
    let port = port.ok_or_else(|| format!("has no port from 1 to 65535, {FORM}"))?;
    let host = parse_address(host).map_err(|_| format!("names no host, {FORM}"))?;
    let target = match target.starts_with('/') {
        true => target.to_owned(),
        false => format!("/{target}"),
    };
    Ok(PushUrl { host, port, target })
}

/// `None` where nothing is to be sent.
pub(super) fn read(problems: &mut Problems, section: &Section<'_>) -> Option<PushConfig> {
    let before = problems.found.len();
    let way = read_way(problems, section);
    let format = section.value(problems, &FORMAT);
    let token_file = section.optional(problems, &TOKEN_FILE).map(PathBuf::from);
    let labels = read_labels(problems, section);
    let batch = section.value(problems, &BATCH);
    let timeout = section.value(problems, &TIMEOUT);
    let Some(way) = way else {
        let others = [FORMAT.name, TOKEN_FILE.name, LABELS.name];
        let other = others.into_iter().find(|name| section.get(name).is_some());
        // Another message says what is wrong.
        if let Some(name) = other.filter(|_| problems.found.len() == before) {
            let wrong = "there is neither push.url nor push.command";
            section.report(problems, name, wrong, NOTHING_SENT);
        }
        return None;
    };
    let config = PushConfig {
        way,
        format,
        token_file,
        labels,
        batch,
        timeout,
    };
    check_combination(problems, section, &config);
    if problems.checks_files {
        check_files(problems, section, &config);
    }
    Some(config)
}

fn read_way(problems: &mut Problems, section: &Section<'_>) -> Option<PushWay> {
    let url = section.optional(problems, &URL);
    let command = section.words(problems, &COMMAND, COMMAND.default.0);
    let is_there = |name| section.get(name).is_some();
    if is_there(URL.name) && is_there(COMMAND.name) {
        let wrong = "url and command are both given, and only one can be used";
        section.report(problems, URL.name, wrong, NOTHING_SENT);
        return None;
    }
    if command.as_ref().is_some_and(Vec::is_empty) {
        section.report(problems, COMMAND.name, "the list is empty", NOTHING_SENT);
        return None;
    }
    url.map(PushWay::Url).or(command.map(PushWay::Command))
}

/// What is right for itself but not together.
fn check_combination(problems: &mut Problems, section: &Section<'_>, config: &PushConfig) {
    match &config.way {
        PushWay::Url(url) => {
            let query = url.target.split_once('?').map_or("", |(_, query)| query);
            let has_precision = query.split('&').any(|part| part.starts_with("precision="));
            if config.format == PushFormat::Influx && has_precision {
                let wrong = "has precision= in it, and the times are sent in nanoseconds, which is what engines take without it";
                section.report(problems, URL.name, wrong, "remove it");
            }
        }
        PushWay::Command(_) => {
            if config.token_file.is_some() {
                let wrong = "is for push.url: a command reads its secrets itself";
                section.report(problems, TOKEN_FILE.name, wrong, "not used");
            }
        }
    }
}

/// Names and values by name.
fn read_labels(problems: &mut Problems, section: &Section<'_>) -> Vec<(String, String)> {
    let Some(node) = section.get(LABELS.name) else {
        return Vec::new();
    };
    let Content::Mapping(entries) = &node.content else {
        let wrong = format!("{} where names with values belong", describe(node));
        section.report(problems, LABELS.name, &wrong, LABELS.default.0);
        return Vec::new();
    };
    let mut labels: Vec<(String, String)> = Vec::new();
    for (name, value) in entries {
        let read = parse_word(name).and_then(|name| {
            let value = parse_label_value(value)?;
            check_label_name(&name).map(|()| (name, value))
        });
        let read = match read {
            Ok((name, _)) if labels.iter().any(|(known, _)| *known == name) => {
                Err("is given twice".to_owned())
            }
            Ok(_) if labels.len() == MAX_LABELS => Err(format!("more than {MAX_LABELS} labels")),
            read => read,
        };
        match read {
            Ok(label) => labels.push(label),
            Err(wrong) => {
                let shown = parse_word(name).map_or_else(|_| describe(name), |name| shorten(&name));
                let path = format!("{}.{shown}", section.path_of(LABELS.name));
                let text = format!("{wrong}; {}", LABELS.default.0);
                problems.add(ProblemKind::Value, name.line.or(node.line), path, text);
            }
        }
    }
    labels.sort();
    labels
}

fn check_label_name(name: &str) -> Result<(), String> {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = name.starts_with(is_first)
        && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
        && name.len() <= MAX_LABEL_BYTES;
    if !is_name {
        Err("is no name of a label (letters, digits and _, a digit not first)".into())
    } else if RESERVED.contains(&name) || name.starts_with("__") {
        Err("is a label that the series have for themselves".into())
    } else {
        Ok(())
    }
}

fn parse_label_value(node: &Node) -> Result<String, String> {
    let value = parse_word(node)?;
    if value.trim().is_empty() {
        Err("has no value".into())
    } else if value.len() > MAX_LABEL_BYTES || value.chars().any(is_unprintable) {
        Err(format!(
            "has a value with invisible characters or of more than {MAX_LABEL_BYTES} bytes"
        ))
    } else {
        Ok(value)
    }
}

/// Whether the files that the section names are as they must be. They may be repaired while the
/// monitor runs, so it starts all the same.
fn check_files(problems: &mut Problems, section: &Section<'_>, config: &PushConfig) {
    if let Some(path) = &config.token_file
        && let Err(wrong) = check_token(path)
    {
        section.add_of_file(problems, TOKEN_FILE.name, wrong);
    }
    if let PushWay::Command(words) = &config.way
        && let Some(program) = words.first()
        && let Err(wrong) = check_program(program)
    {
        section.add_of_file(problems, COMMAND.name, wrong);
    }
}
