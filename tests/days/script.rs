//! Parses the script of a day.

use std::ops::RangeInclusive;
use std::path::Path;

#[derive(Clone, Debug)]
pub struct Day {
    pub name: String,
    /// The first line of the file: a sentence.
    pub title: String,
    pub hosts: Vec<String>,
    /// Lines of the configuration.
    pub config: Vec<String>,
    /// With the second of the day, in order.
    pub actions: Vec<(f64, Action)>,
    pub end: f64,
    pub expected: Vec<Expected>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A far end, or a host on the link, stops answering or answers again.
    Host { name: String, is_on: bool },
    /// The router stops answering pings, or answers again.
    Gateway { is_on: bool },
    /// The router stops forwarding, or forwards again.
    Provider { is_on: bool },
    /// The router stops forwarding one version of IP, or forwards it again.
    ProviderOf { is_v6: bool, is_on: bool },
    /// The cable is pulled or connected again.
    Cable { is_in: bool },
    /// The interface of this machine is set down or up.
    Interface { is_up: bool },
    /// The default routes are removed or added again.
    Route { is_there: bool },
    /// The default routes are replaced by routes to the far ends.
    NarrowRoute,
    /// Names stop resolving, or resolve again.
    Names { resolve: bool },
    /// A signal to the monitor.
    Signal(String),
    /// The monitor is started again.
    Start,
    /// The wall clock is set to this many seconds from the right time.
    Clock(i64),
}

/// What must be recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// A grouped outage: host, start and end in seconds, type and cause.
    GroupedOutage {
        of: String,
        from: f64,
        until: Option<f64>,
        kind: String,
        cause: String,
    },
    /// Outages of these hosts that began together.
    Incident { hosts: Vec<String>, cause: String },
    /// A span that was not measured, with part of its reason.
    Gap {
        from: f64,
        until: f64,
        reason: String,
    },
    /// Measured time in percent of the day.
    Coverage {
        of: String,
        percent: RangeInclusive<f64>,
    },
    /// The last router on the path to a host that answered.
    Path { of: String, reached: String },
    /// The observed seconds of an outage.
    Down {
        of: String,
        seconds: RangeInclusive<f64>,
    },
}

pub const HOSTS: [&str; 9] = [
    "far1", "far2", "far1v6", "far2v6", "near", "gateway", "gateway6", "name", "name6",
];
const CAUSES: [&str; 6] = ["link", "gateway", "provider", "dns", "host", "unknown"];
const KINDS: [&str; 4] = ["outage", "intermittent", "link_down", "dns"];

impl Day {
    pub fn read(path: &Path) -> Day {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Day::parse(&name, &text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn parse(name: &str, text: &str) -> Result<Day, String> {
        let title = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# "))
            .ok_or("the first line is no title")?;
        let mut day = Day {
            name: name.into(),
            title: title.into(),
            hosts: Vec::new(),
            config: Vec::new(),
            actions: Vec::new(),
            end: 0.0,
            expected: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                day.add_line(line)
                    .map_err(|error| format!("line {}: {line:?}: {error}", index + 1))?;
            }
        }
        if day.end <= 0.0 {
            return Err("it has no end".into());
        }
        Ok(day)
    }

    fn add_line(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (word, words.as_slice()) {
            ("hosts", hosts) => {
                for host in hosts {
                    self.hosts.push(known(host)?);
                }
            }
            ("config", _) => self.config.push(rest.into()),
            ("end", [at]) => self.end = seconds(at)?,
            ("at", [at, action @ ..]) => {
                let action = read_action(action)?;
                self.actions.push((seconds(at)?, action));
            }
            ("outage", [of, span, rest @ ..]) => {
                let (from, until) = span.split_once("..").ok_or("a span is FROM..UNTIL")?;
                let until = if until.is_empty() {
                    None
                } else {
                    Some(seconds(until)?)
                };
                let kind = rest
                    .iter()
                    .find(|word| KINDS.contains(word))
                    .unwrap_or(&"outage");
                let cause = rest
                    .iter()
                    .find(|word| CAUSES.contains(word) && *word != kind)
                    .copied();
                let cause = cause.or(if *kind == "dns" { Some("dns") } else { None });
                let of = if *kind == "link_down" {
                    (*of).to_string()
                } else {
                    known(of)?
                };
                let cause = cause.ok_or("it has no known cause")?.to_string();
                self.expected.push(Expected::GroupedOutage {
                    of,
                    from: seconds(from)?,
                    until,
                    kind: (*kind).into(),
                    cause,
                });
            }
            ("incident", [hosts @ .., cause]) if CAUSES.contains(cause) => {
                let hosts = hosts
                    .iter()
                    .map(|host| known(host))
                    .collect::<Result<_, _>>()?;
                self.expected.push(Expected::Incident {
                    hosts,
                    cause: (*cause).into(),
                });
            }
            ("gap", [span, reason]) => {
                let (from, until) = span.split_once("..").ok_or("a span is FROM..UNTIL")?;
                let reason = reason.replace('_', " ");
                self.expected.push(Expected::Gap {
                    from: seconds(from)?,
                    until: seconds(until)?,
                    reason,
                });
            }
            ("coverage", [of, range]) => self.expected.push(Expected::Coverage {
                of: known(of)?,
                percent: read_range(range)?,
            }),
            ("down", [of, range]) => self.expected.push(Expected::Down {
                of: known(of)?,
                seconds: read_range(range)?,
            }),
            ("path", [of, reached]) => {
                self.expected.push(Expected::Path {
                    of: known(of)?,
                    reached: (*reached).into(),
                });
            }
            _ => return Err("it cannot be parsed".into()),
        }
        Ok(())
    }
}

fn read_range(text: &str) -> Result<RangeInclusive<f64>, String> {
    let (min, max) = text.split_once("..").ok_or("a range is MIN..MAX")?;
    Ok(seconds(min)?..=seconds(max)?)
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn known(host: &str) -> Result<String, String> {
    HOSTS
        .contains(&host)
        .then(|| host.to_string())
        .ok_or(format!("there is no host {host:?}"))
}

fn read_action(words: &[&str]) -> Result<Action, String> {
    Ok(match words {
        ["gateway", "off"] => Action::Gateway { is_on: false },
        ["gateway", "on"] => Action::Gateway { is_on: true },
        ["provider", "off"] => Action::Provider { is_on: false },
        ["provider", "on"] => Action::Provider { is_on: true },
        ["provider4", state @ ("off" | "on")] => Action::ProviderOf {
            is_v6: false,
            is_on: *state == "on",
        },
        ["provider6", state @ ("off" | "on")] => Action::ProviderOf {
            is_v6: true,
            is_on: *state == "on",
        },
        ["cable", "out"] => Action::Cable { is_in: false },
        ["cable", "in"] => Action::Cable { is_in: true },
        ["interface", "down"] => Action::Interface { is_up: false },
        ["interface", "up"] => Action::Interface { is_up: true },
        ["route", "gone"] => Action::Route { is_there: false },
        ["route", "back"] => Action::Route { is_there: true },
        ["route", "narrow"] => Action::NarrowRoute,
        ["names", "dead"] => Action::Names { resolve: false },
        ["names", "back"] => Action::Names { resolve: true },
        ["signal", name @ ("STOP" | "CONT" | "KILL" | "TERM")] => Action::Signal((*name).into()),
        ["start"] => Action::Start,
        ["clock", offset] => Action::Clock(
            offset
                .parse()
                .map_err(|_| format!("{offset:?} is no number of seconds"))?,
        ),
        [host, state @ ("off" | "on")] => Action::Host {
            name: known(host)?,
            is_on: *state == "on",
        },
        _ => return Err("there is no such action".into()),
    })
}
