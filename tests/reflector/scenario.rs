//! The scenario files: what the far end does for each ping, and what the program must report.
//! scenarios/README.md describes their format; a line that cannot be parsed is an error.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::common::namespace::SocketKind;

/// One file.
#[derive(Debug)]
pub struct Scenario {
    /// The comment at its beginning: why this result is expected.
    pub why: String,
    /// The IP versions it runs over.
    pub families: Vec<Family>,
    pub plan: Plan,
    /// One run of the program each, one after the other.
    pub checks: Vec<Check>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Pings per check.
    pub pings: usize,
    /// Time between two pings.
    pub every_ms: u64,
    pub timeout_ms: u64,
    pub payload: usize,
}

/// One run of the program.
#[derive(Debug)]
pub struct Check {
    /// What the far end sends for each ping.
    pub actions: Vec<Vec<Action>>,
    /// What is expected, in the order of the file.
    expectations: Vec<Expectation>,
}

#[derive(Debug)]
struct Expectation {
    /// Words that must all match; without words it always matches.
    only_on: Vec<String>,
    key: String,
    value: String,
}

/// One response of the far end to a ping.
#[derive(Clone, Debug)]
pub struct Action {
    pub kind: Kind,
    /// Delay after the arrival of the request.
    pub after: Duration,
    /// How often, back to back.
    pub times: u32,
    /// How it deviates from a valid message.
    pub changes: Vec<Change>,
}

/// The type of a message that the far end sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An echo reply.
    Reply,
    /// The request itself, from the far end.
    Request,
    /// Host (IPv4) or address (IPv6) unreachable.
    Unreachable,
    /// Time to live (IPv4) or hop limit (IPv6) exceeded.
    TimeExceeded,
    /// An ICMP error that quotes the request.
    Error(u8, u8),
    /// The contents of an echo reply with another type and code.
    Message(u8, u8),
}

/// A deviation from a valid reply, or from an error that quotes the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Added to the identifier.
    Identifier(u16),
    /// Added to the sequence number.
    Sequence(u16),
    /// Identifier, sequence number and payload of another ping.
    Of(Which),
    /// The payload of another ping.
    PayloadOf(Which),
    /// One bit of this byte of the payload is changed.
    PayloadDamagedAt(usize),
    /// The last bit of the payload is changed.
    PayloadDamaged,
    /// The payload is truncated to this many bytes.
    PayloadCutTo(usize),
    /// This many bytes follow the payload.
    PayloadLongerBy(usize),
    /// The ICMP message including its header is truncated to this many bytes.
    MessageCutTo(usize),
    Code(u8),
    /// The checksum is wrong.
    ChecksumWrong,
    /// The sender.
    From(Party),
    /// Time to live or hop limit.
    TimeToLive(u8),
    /// An IPv4 option or IPv6 extension header.
    With(Extra),
    /// Bytes per fragment.
    InFragmentsOf(usize),
    /// The error quotes this many bytes after the IP header.
    QuoteCutTo(usize),
    /// The next-hop MTU that the error reports.
    Mtu(u16),
}

/// A ping, by the number of its check and its own number, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// `None` is the current check.
    pub check: Option<usize>,
    pub ping: usize,
}

/// Another machine than the pinged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// 10.9.0.254, fd09::fe.
    Router,
    /// 10.9.0.66, fd09::66.
    Elsewhere,
}

/// Options between the IP header and the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// IPv4, RFC 791.
    NoOperation,
    /// IPv4, RFC 791.
    RecordRoute,
    /// IPv4, RFC 791.
    InternetTimestamp,
    /// IPv4, RFC 2113.
    RouterAlert,
    /// IPv6, RFC 8200 section 4.3, holding padding.
    HopByHop,
    /// IPv6, RFC 8200 section 4.6, holding padding.
    DestinationOptions,
}

/// The expected outcome of a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Lost,
    /// A round-trip time within these bounds.
    Answered {
        min_us: u64,
        max_us: u64,
    },
}

/// The bounds of `answered`: a round trip inside one busy machine.
const AT_ONCE_US: u64 = 80_000;

impl Scenario {
    /// Parses a file. The error names the line.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        let mut why = Vec::new();
        let mut families = vec![Family::V4, Family::V6];
        let mut plan = None;
        let mut checks: Vec<Check> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let fail = |what: &str| Err(format!("line {}: {what}: {line}", index + 1));
            if let Some(comment) = line.strip_prefix('#') {
                why.push(comment.trim());
                continue;
            }
            if line.trim().is_empty() {
                continue;
            }
            let Some((key, value)) = line.split_once(':') else {
                return fail("no colon");
            };
            let (key, value): (Vec<&str>, &str) = (key.split_whitespace().collect(), value.trim());
            match (key.as_slice(), plan) {
                (["over"], None) => match families_from(value) {
                    Some(listed) => families = listed,
                    None => return fail("IPv4, IPv6"),
                },
                (["pings"], None) => match Plan::parse(value) {
                    Some(parsed) => {
                        plan = Some(parsed);
                        checks.push(Check::new(parsed.pings));
                    }
                    None => return fail("N, every N ms, timeout N ms[, payload N]"),
                },
                (_, None) => return fail("the line `pings:` comes first"),
                (["then", "check", "again"], Some(plan)) if value.is_empty() => {
                    checks.push(Check::new(plan.pings))
                }
                (key, Some(_)) => {
                    let check = checks.last_mut().expect("made with the plan");
                    if let Err(error) = check.add_line(key, value) {
                        return fail(&error);
                    }
                }
            }
        }
        let plan = plan.ok_or("there is no line `pings:`")?;
        if why.is_empty() {
            return Err("no comment says why".to_string());
        }
        for check in &checks {
            check.require_complete()?;
        }
        Ok(Scenario {
            why: why.join(" "),
            families,
            plan,
            checks,
        })
    }
}

fn families_from(value: &str) -> Option<Vec<Family>> {
    let family = |word: &str| match word.trim() {
        "IPv4" => Some(Family::V4),
        "IPv6" => Some(Family::V6),
        _ => None,
    };
    value.split(',').map(family).collect()
}

impl Plan {
    fn parse(value: &str) -> Option<Plan> {
        let mut plan = Plan {
            pings: 0,
            every_ms: 50,
            timeout_ms: 200,
            payload: 56,
        };
        for (index, clause) in value.split(',').enumerate() {
            let words: Vec<&str> = clause.split_whitespace().collect();
            match (index, words.as_slice()) {
                (0, [count]) => plan.pings = count.parse().ok()?,
                (1.., ["every", every, "ms"]) => plan.every_ms = every.parse().ok()?,
                (1.., ["timeout", timeout, "ms"]) => plan.timeout_ms = timeout.parse().ok()?,
                (1.., ["payload", payload]) => plan.payload = payload.parse().ok()?,
                _ => return None,
            }
        }
        (plan.pings > 0).then_some(plan)
    }
}

impl Check {
    fn new(pings: usize) -> Check {
        Check {
            actions: vec![Vec::new(); pings],
            expectations: Vec::new(),
        }
    }

    fn add_line(&mut self, key: &[&str], value: &str) -> Result<(), String> {
        let pings: Vec<usize> = match key {
            ["ping", number] | ["pings", number] if !number.contains("..") => {
                vec![number_in(number)?]
            }
            ["pings", span] => {
                let (first, last) = span.split_once("..").ok_or("A..B")?;
                (number_in(first)?..=number_in(last)?).collect()
            }
            ["pings", numbers @ ..] => numbers
                .iter()
                .map(|number| number_in(number))
                .collect::<Result<_, _>>()?,
            ["other", "pings"] => (1..=self.actions.len())
                .filter(|number| self.actions[number - 1].is_empty())
                .collect(),
            [key, "on", words @ ..] => return self.expect(key, words, value),
            [key] => return self.expect(key, &[], value),
            _ => return Err("no such key".to_string()),
        };
        if pings.is_empty() {
            return Err("there are none".to_string());
        }
        let action = Action::parse(value)?;
        for number in pings {
            let actions = number
                .checked_sub(1)
                .and_then(|index| self.actions.get_mut(index))
                .ok_or("no such ping")?;
            actions.push(action.clone());
        }
        Ok(())
    }

    fn expect(&mut self, key: &str, only_on: &[&str], value: &str) -> Result<(), String> {
        const WORDS: [&str; 4] = ["IPv4", "IPv6", "datagram", "raw"];
        if !only_on.iter().all(|word| WORDS.contains(word)) {
            return Err("IPv4, IPv6, datagram, raw".to_string());
        }
        match key {
            "late" | "duplicates" | "foreign" => {
                range(value)?;
            }
            "rtts" => match outcomes(value)?.len() == self.actions.len() {
                true => {}
                false => return Err(format!("not {} of them", self.actions.len())),
            },
            "state" if ["up", "degraded", "poor", "down"].contains(&value) => {}
            "error" => drop(error_texts(value)?),
            _ => return Err("no such expectation".to_string()),
        }
        let only_on = only_on.iter().map(|word| (*word).to_string()).collect();
        self.expectations.push(Expectation {
            only_on,
            key: key.to_string(),
            value: value.to_string(),
        });
        Ok(())
    }

    fn require_complete(&self) -> Result<(), String> {
        if let Some(index) = self.actions.iter().position(Vec::is_empty) {
            return Err(format!("no line is about ping {}", index + 1));
        }
        match ["rtts", "state"].into_iter().find(|key| {
            self.expectations
                .iter()
                .all(|expectation| expectation.key != *key)
        }) {
            Some(missing) => Err(format!("no expectation about {missing}")),
            None => Ok(()),
        }
    }

    /// The last line about `key` that matches.
    fn value(&self, key: &str, family: Family, kind: SocketKind) -> Option<&str> {
        let is_here = |word: &String| match word.as_str() {
            "IPv4" => family == Family::V4,
            "IPv6" => family == Family::V6,
            "datagram" => kind == SocketKind::Datagram,
            _ => kind == SocketKind::Raw,
        };
        let fits = |expectation: &&Expectation| {
            expectation.key == key && expectation.only_on.iter().all(is_here)
        };
        self.expectations
            .iter()
            .rfind(fits)
            .map(|expectation| expectation.value.as_str())
    }

    /// The expected outcome of each ping.
    pub fn outcomes(&self, family: Family, kind: SocketKind) -> Vec<Expected> {
        self.value("rtts", family, kind)
            .and_then(|value| outcomes(value).ok())
            .expect("every family and kind has its rtts")
    }

    /// The expected number of `late`, `duplicates` or `foreign`; 0 when the file does not say.
    pub fn count(&self, key: &str, family: Family, kind: SocketKind) -> RangeInclusive<u64> {
        self.value(key, family, kind)
            .map_or(0..=0, |value| range(value).expect("read before"))
    }

    pub fn state(&self, family: Family, kind: SocketKind) -> &str {
        self.value("state", family, kind)
            .expect("every family and kind has its state")
    }

    /// The texts that the error must contain, in lower case; `None` when there must be no error.
    pub fn error(&self, family: Family, kind: SocketKind) -> Option<Vec<String>> {
        self.value("error", family, kind)
            .and_then(|value| error_texts(value).expect("read before"))
    }
}

fn number_in(word: &str) -> Result<usize, String> {
    word.parse().map_err(|_| format!("{word} is no number"))
}

/// `3`, `2..5`, `1..`
fn range(value: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |word: &str| {
        word.parse::<u64>()
            .map_err(|_| format!("{value} is no range"))
    };
    match value.split_once("..") {
        None => number(value).map(|exact| exact..=exact),
        Some((min, "")) => number(min).map(|min| min..=u64::MAX),
        Some((min, max)) => Ok(number(min)?..=number(max)?),
    }
}

/// `lost`, `answered` or `20..80` in milliseconds; each with `*N` for several pings.
fn outcomes(value: &str) -> Result<Vec<Expected>, String> {
    let mut outcomes = Vec::new();
    for word in value.split_whitespace() {
        let (word, times) = word.split_once('*').unwrap_or((word, "1"));
        let outcome = match word {
            "lost" => Expected::Lost,
            "answered" => Expected::Answered {
                min_us: 1,
                max_us: AT_ONCE_US,
            },
            span => {
                let (min, max) = span
                    .split_once("..")
                    .ok_or_else(|| format!("{span} is no outcome of a ping"))?;
                let us = |ms: &str| {
                    ms.parse::<u64>()
                        .map(|ms| ms * 1000)
                        .map_err(|_| format!("{ms} is no number"))
                };
                Expected::Answered {
                    min_us: us(min)?,
                    max_us: us(max)?,
                }
            }
        };
        outcomes.extend(std::iter::repeat_n(outcome, number_in(times)?));
    }
    Ok(outcomes)
}

/// `none`, or `says "..."`; several joined by `and`.
fn error_texts(value: &str) -> Result<Option<Vec<String>>, String> {
    if value == "none" {
        return Ok(None);
    }
    let text = |part: &str| {
        part.strip_prefix("says \"")
            .and_then(|part| part.strip_suffix('"'))
            .map(str::to_lowercase)
    };
    let texts: Option<Vec<String>> = value.split(" and ").map(text).collect();
    texts
        .map(Some)
        .ok_or_else(|| "none, or says \"TEXT\"".to_string())
}

impl Action {
    /// `None` in the list sends nothing.
    fn parse(value: &str) -> Result<Action, String> {
        let mut clauses = value
            .split(',')
            .map(|clause| clause.split_whitespace().collect::<Vec<&str>>());
        let first = clauses.next().unwrap_or_default();
        let byte = |word: &str| word.parse::<u8>().map_err(|_| format!("{word} is no byte"));
        let (kind, times) = match first.as_slice() {
            // Sent 0 times, so that the ping counts as specified.
            ["nothing"] => (Kind::Reply, 0),
            ["reply"] => (Kind::Reply, 1),
            ["request"] => (Kind::Request, 1),
            ["unreachable"] => (Kind::Unreachable, 1),
            ["time", "exceeded"] => (Kind::TimeExceeded, 1),
            ["error", kind, code] => (Kind::Error(byte(kind)?, byte(code)?), 1),
            ["message", kind, code] => (Kind::Message(byte(kind)?, byte(code)?), 1),
            _ => return Err("the far end can't do this".to_string()),
        };
        let mut action = Action {
            kind,
            after: Duration::ZERO,
            times,
            changes: Vec::new(),
        };
        let is_error = matches!(
            kind,
            Kind::Unreachable | Kind::TimeExceeded | Kind::Error(..)
        );
        for words in clauses {
            match words.as_slice() {
                ["after", ms, "ms"] => action.after = Duration::from_millis(number_in(ms)? as u64),
                ["times", times] => {
                    action.times = times.parse().map_err(|_| "no number".to_string())?
                }
                // For an error these words apply to its quote.
                ["quoted", words @ ..] if is_error => {
                    action.changes.push(Change::parse_echo(words)?)
                }
                ["quote", "cut", "to", len] if is_error => {
                    action.changes.push(Change::QuoteCutTo(number_in(len)?))
                }
                ["mtu", mtu] if is_error => {
                    action.changes.push(Change::Mtu(
                        mtu.parse().map_err(|_| "no number".to_string())?,
                    ));
                }
                words => match Change::parse_message(words)? {
                    Some(change) => action.changes.push(change),
                    None if is_error => return Err(format!("an error has no {}", words.join(" "))),
                    None => action.changes.push(Change::parse_echo(words)?),
                },
            }
        }
        Ok(action)
    }
}

impl Change {
    /// Deviations of any message.
    fn parse_message(words: &[&str]) -> Result<Option<Change>, String> {
        Ok(Some(match words {
            ["checksum", "wrong"] => Change::ChecksumWrong,
            ["code", code] => Change::Code(code.parse().map_err(|_| "no code".to_string())?),
            ["ttl", ttl] => {
                Change::TimeToLive(ttl.parse().map_err(|_| "no time to live".to_string())?)
            }
            ["from", "router"] => Change::From(Party::Router),
            ["from", "elsewhere"] => Change::From(Party::Elsewhere),
            ["message", "cut", "to", len] => Change::MessageCutTo(number_in(len)?),
            ["in", "fragments", "of", len] => match number_in(len)? {
                len if len > 0 && len % 8 == 0 => Change::InFragmentsOf(len),
                _ => return Err("a fragment is a multiple of 8 bytes".to_string()),
            },
            ["with", extra] => Change::With(match *extra {
                "no-operation" => Extra::NoOperation,
                "record-route" => Extra::RecordRoute,
                "internet-timestamp" => Extra::InternetTimestamp,
                "router-alert" => Extra::RouterAlert,
                "hop-by-hop" => Extra::HopByHop,
                "destination-options" => Extra::DestinationOptions,
                _ => return Err("no such option".to_string()),
            }),
            _ => return Ok(None),
        }))
    }

    /// Deviations of an echo message, sent or quoted.
    fn parse_echo(words: &[&str]) -> Result<Change, String> {
        let shift = |word: &str| {
            word.parse::<i16>()
                .map(i16::cast_unsigned)
                .map_err(|_| "+N or -N".to_string())
        };
        let here = |ping: &str| {
            Ok::<_, String>(Which {
                check: None,
                ping: number_in(ping)?,
            })
        };
        let there = |check: &str, ping: &str| {
            Ok::<_, String>(Which {
                check: Some(number_in(check)?),
                ping: number_in(ping)?,
            })
        };
        Ok(match words {
            ["identifier", by] => Change::Identifier(shift(by)?),
            ["sequence", by] => Change::Sequence(shift(by)?),
            ["of", "ping", ping] => Change::Of(here(ping)?),
            ["of", "check", check, "ping", ping] => Change::Of(there(check, ping)?),
            ["payload", "of", "ping", ping] => Change::PayloadOf(here(ping)?),
            ["payload", "of", "check", check, "ping", ping] => {
                Change::PayloadOf(there(check, ping)?)
            }
            ["payload", "damaged"] => Change::PayloadDamaged,
            ["payload", "damaged", "at", at] => Change::PayloadDamagedAt(number_in(at)?),
            ["payload", "cut", "to", len] => Change::PayloadCutTo(number_in(len)?),
            ["payload", "longer", "by", len] => Change::PayloadLongerBy(number_in(len)?),
            _ => return Err(format!("the far end can't do this: {}", words.join(" "))),
        })
    }
}

#[test]
fn a_scenario_that_cannot_be_parsed_is_an_error_with_its_line() {
    let good = "# Why.\npings: 2, every 50 ms, timeout 200 ms\nping 1: reply\nother pings: nothing\nrtts: answered lost\nstate: down\n";
    let scenario = Scenario::parse(good).expect("every line is one of the form");
    assert_eq!(scenario.checks[0].actions[1][0].times, 0);
    assert_eq!(
        scenario.checks[0].outcomes(Family::V4, SocketKind::Raw)[1],
        Expected::Lost
    );
    let broken = [
        ("# Why.", "", "no comment says why"),
        ("pings: 2", "pings: two", "line 2: N, every"),
        (
            "ping 1: reply",
            "ping 1: reply, quickly",
            "line 3: the far end can't do this",
        ),
        ("ping 1: reply", "ping 3: reply", "line 3: no such ping"),
        (
            "ping 1: reply",
            "ping 1: reply, in fragments of 9",
            "line 3: a fragment is a multiple of 8",
        ),
        ("other pings: nothing", "", "no line is about ping 2"),
        (
            "rtts: answered lost",
            "rtts: answered",
            "line 5: not 2 of them",
        ),
        ("rtts: answered lost", "", "no expectation about rtts"),
        ("state: down", "state: dead", "line 6: no such expectation"),
        (
            "state: down",
            "state: down\nlate: some",
            "line 7: some is no range",
        ),
        (
            "state: down",
            "state: down\nforeign on stream: 1",
            "line 7: IPv4, IPv6, datagram, raw",
        ),
    ];
    for (from, to, error) in broken {
        let text = good.replacen(from, to, 1);
        let error_text = Scenario::parse(&text).expect_err(&text);
        assert!(error_text.starts_with(error), "{error_text}\nfor\n{text}");
    }
}

#[test]
fn the_last_matching_expectation_applies() {
    let text = "# Why.\npings: 1\nping 1: reply\nrtts: lost\nstate: down\nforeign: 1..\nforeign on IPv4 raw: 0\nrtts on IPv6: 5..9\n\
                error on datagram: says \"Host\" and says \"router\"\n";
    let scenario = Scenario::parse(text).expect("every line is one of the form");
    let check = &scenario.checks[0];
    assert_eq!(check.count("foreign", Family::V4, SocketKind::Raw), 0..=0);
    assert_eq!(
        check.count("foreign", Family::V4, SocketKind::Datagram),
        1..=u64::MAX
    );
    assert_eq!(check.count("late", Family::V4, SocketKind::Datagram), 0..=0);
    assert_eq!(
        check.outcomes(Family::V6, SocketKind::Raw),
        [Expected::Answered {
            min_us: 5000,
            max_us: 9000
        }]
    );
    assert_eq!(check.error(Family::V6, SocketKind::Raw), None);
    assert_eq!(
        check.error(Family::V6, SocketKind::Datagram),
        Some(vec!["host".to_string(), "router".to_string()])
    );
}
