//! Parses the script of a day.

use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use super::actions::{self, Action};
use super::network::Kind;

#[derive(Clone, Debug)]
pub struct Day {
    pub name: String,
    /// The first line of the file: a sentence.
    pub title: String,
    pub network: Kind,
    /// Names of the hosts that are checked from the start.
    pub hosts: Vec<String>,
    /// Hosts of the day's own: name, address, keys of the configuration.
    pub own_hosts: Vec<(String, String, Vec<String>)>,
    /// Hosts that do not answer when the day begins.
    pub unanswered: Vec<String>,
    /// Whether hosts are checked as without any configuration: every minute with five pings.
    pub has_default_settings: bool,
    /// Lines of the configuration, each with its section.
    pub config: Vec<String>,
    /// What happens before the monitor starts.
    pub before: Vec<Action>,
    /// With the second of the day, in order.
    pub actions: Vec<(f64, Action)>,
    pub end: f64,
    pub expected: Vec<Expected>,
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
    /// No event of any kind.
    NoOutage,
    /// However many outages there are, this is their cause.
    EveryOutage { cause: String },
    /// The checks of one host in this span could not be made.
    NotMeasured {
        of: String,
        from: f64,
        until: f64,
        reason: String,
    },
    /// A field of a host in `report --format json` for the time of the day.
    Report {
        of: String,
        field: String,
        range: RangeInclusive<f64>,
    },
    /// Lost pings of the checks in percent.
    Loss {
        of: String,
        percent: RangeInclusive<f64>,
    },
    /// A text in the monitor's log, or in none of its lines.
    Log { text: String, is_there: bool },
}

pub const HOSTS: [(&str, &str); 13] = [
    ("far1", "10.30.0.11"),
    ("far2", "10.30.0.12"),
    ("far1v6", "fd30::11"),
    ("far2v6", "fd30::12"),
    ("near", "10.20.0.9"),
    ("gateway", "gateway"),
    ("gateway6", "gateway"),
    ("name", "far.test"),
    ("name6", "far6.test"),
    ("hop1", "10.41.0.2"),
    ("hop2", "10.42.0.2"),
    ("dns1", "one.test"),
    ("dns2", "two.test"),
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
            network: Kind::Router,
            hosts: Vec::new(),
            own_hosts: Vec::new(),
            unanswered: Vec::new(),
            has_default_settings: false,
            config: Vec::new(),
            before: Vec::new(),
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
        day.actions.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        Ok(day)
    }

    /// A host that the day knows, by its name.
    pub fn known(&self, host: &str) -> Result<String, String> {
        self.address_of(host).map(|_| host.to_string())
    }

    pub fn address_of(&self, host: &str) -> Result<String, String> {
        let own = self.own_hosts.iter().find(|(name, ..)| name == host);
        if let Some((_, address, _)) = own {
            return Ok(address.clone());
        }
        let built_in = HOSTS.iter().find(|(name, _)| *name == host);
        let (_, address) = built_in.ok_or(format!("there is no host {host:?}"))?;
        Ok((*address).to_string())
    }

    fn setting(&self, key: &str) -> Option<f64> {
        self.config
            .iter()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(": ")?.parse().ok())
    }

    /// Seconds between two checks of a host.
    pub fn interval(&self) -> f64 {
        let default = if self.has_default_settings { 60.0 } else { 2.0 };
        self.setting("monitoring.interval_seconds")
            .unwrap_or(default)
    }

    /// Seconds from the start of the monitor, about.
    pub fn lasts(&self) -> f64 {
        self.end + self.interval() / 10.0
    }

    /// Seconds between two probes of a silent host.
    pub fn probe_interval(&self) -> f64 {
        let default = if self.has_default_settings { 1.0 } else { 0.5 };
        self.setting("outages.fast_interval_seconds")
            .unwrap_or(default)
    }

    fn add_line(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (word, words.as_slice()) {
            ("network", [kind]) => {
                self.network = Kind::named(kind).ok_or("there is no such network")?;
            }
            ("settings", ["default"]) => self.has_default_settings = true,
            ("host", [name, address, keys @ ..]) => {
                let keys = keys.iter().map(|key| key.replace('=', ": ")).collect();
                self.own_hosts
                    .push(((*name).into(), (*address).into(), keys));
            }
            ("hosts", hosts) => {
                for host in hosts {
                    self.hosts.push(self.known(host)?);
                }
            }
            ("unanswered", hosts) => {
                for host in hosts {
                    self.unanswered.push(self.known(host)?);
                }
            }
            ("config", _) => self.config.push(rest.into()),
            ("end", [at]) => self.end = seconds(at)?,
            ("before", action) => {
                let actions = actions::read(action, self)?;
                self.before
                    .extend(actions.into_iter().map(|(_, action)| action));
            }
            ("at", [at, action @ ..]) => {
                let at = seconds(at)?;
                let actions = actions::read(action, self)?;
                let timed = actions
                    .into_iter()
                    .map(|(later, action)| (at + later, action));
                self.actions.extend(timed);
            }
            ("every", ["outage", cause]) if is_cause(cause) => {
                self.expected.push(Expected::EveryOutage {
                    cause: (*cause).into(),
                });
            }
            ("no", ["outage"]) => self.expected.push(Expected::NoOutage),
            ("log", _) => self.expected.push(Expected::Log {
                text: rest.into(),
                is_there: true,
            }),
            ("no_log", _) => self.expected.push(Expected::Log {
                text: rest.into(),
                is_there: false,
            }),
            ("not_measured", [of, span, reason]) => {
                let (from, until) = read_span(span)?;
                self.expected.push(Expected::NotMeasured {
                    of: self.known(of)?,
                    from,
                    until,
                    reason: reason.replace('_', " "),
                });
            }
            ("report", [of, field, range]) => self.expected.push(Expected::Report {
                of: (*of).into(),
                field: (*field).into(),
                range: read_range(range)?,
            }),
            ("state", [of, state, range]) => self.expected.push(Expected::Report {
                of: (*of).into(),
                field: format!("{state}_seconds"),
                range: read_range(range)?,
            }),
            ("loss", [of, range]) => self.expected.push(Expected::Loss {
                of: (*of).into(),
                percent: read_range(range)?,
            }),
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
                    .find(|word| is_cause(word) && *word != kind)
                    .copied();
                let cause = cause.or(if *kind == "dns" { Some("dns") } else { None });
                // A host can have been renamed, and a link has no name.
                let of = (*of).to_string();
                let cause = cause.ok_or("it has no known cause")?.to_string();
                self.expected.push(Expected::GroupedOutage {
                    of,
                    from: seconds(from)?,
                    until,
                    kind: (*kind).into(),
                    cause,
                });
            }
            ("incident", [hosts @ .., cause]) if is_cause(cause) => {
                let hosts = hosts.iter().map(|host| (*host).to_string()).collect();
                self.expected.push(Expected::Incident {
                    hosts,
                    cause: (*cause).into(),
                });
            }
            ("gap", [span, reason]) => {
                let (from, until) = read_span(span)?;
                let reason = reason.replace('_', " ");
                self.expected.push(Expected::Gap {
                    from,
                    until,
                    reason,
                });
            }
            ("coverage", [of, range]) => self.expected.push(Expected::Coverage {
                of: self.known(of)?,
                percent: read_range(range)?,
            }),
            ("down", [of, range]) => self.expected.push(Expected::Down {
                of: self.known(of)?,
                seconds: read_range(range)?,
            }),
            ("path", [of, reached]) => {
                self.expected.push(Expected::Path {
                    of: self.known(of)?,
                    reached: (*reached).into(),
                });
            }
            _ => return Err("it cannot be parsed".into()),
        }
        Ok(())
    }
}

/// One cause, or several with `|` between them.
fn is_cause(word: &str) -> bool {
    word.split('|').all(|cause| CAUSES.contains(&cause))
}

fn read_range(text: &str) -> Result<RangeInclusive<f64>, String> {
    let (min, max) = text.split_once("..").ok_or("a range is MIN..MAX")?;
    Ok(seconds(min)?..=seconds(max)?)
}

fn read_span(text: &str) -> Result<(f64, f64), String> {
    let (from, until) = text.split_once("..").ok_or("a span is FROM..UNTIL")?;
    Ok((seconds(from)?, seconds(until)?))
}

pub fn seconds(text: &str) -> Result<f64, String> {
    number(text)
}

pub fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} cannot be read"))
}
