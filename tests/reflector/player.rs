//! Runs a scenario: builds the packets that its script describes, and runs the program against
//! them.

use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::judge;
use super::packet::{Echo, IpOption, Message, Request};
use super::scenario::{Action, Change, Extra, Family, Kind, Party, Plan, Scenario, Which};
use super::{FarEnd, Sending, WRITE_FAILED};
use crate::common::namespace::{SOCKET_KINDS, SocketKind, in_namespace};
use crate::common::{Finished, TempDir, bin, run};

/// The pinged address.
pub fn far(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 9, 0, 2).into(),
        Family::V6 => Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 2).into(),
    }
}

fn address(party: Party, family: Family) -> IpAddr {
    match (party, family) {
        (Party::Router, Family::V4) => Ipv4Addr::new(10, 9, 0, 254).into(),
        (Party::Router, Family::V6) => Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 0xfe).into(),
        (Party::Elsewhere, Family::V4) => Ipv4Addr::new(10, 9, 0, 66).into(),
        (Party::Elsewhere, Family::V6) => Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 0x66).into(),
    }
}

/// The result of one run of `check --json`.
#[derive(Debug)]
pub struct Checked {
    pub finished: Finished,
    /// The hosts in the order of the configuration.
    pub hosts: Vec<Value>,
}

/// Runs `check --json --no-store` with this configuration. Output that is not a list of objects
/// fails the test.
pub fn check(config: &Path) -> Checked {
    check_with(Command::new(bin()), config)
}

/// The same, started by another command line.
pub fn check_with(mut command: Command, config: &Path) -> Checked {
    let finished = run(command
        .args(["check", "--json", "--no-store", "-c"])
        .arg(config));
    let hosts = match serde_json::from_str(&finished.stdout) {
        Ok(Value::Array(hosts)) => hosts,
        _ => panic!("no JSON list came, but {finished:#?}"),
    };
    Checked { finished, hosts }
}

/// The text of a configuration with these settings and hosts, one line of keys per host.
pub fn config_text(plan: &Plan, hosts: &[String]) -> String {
    let Plan {
        pings,
        every_ms,
        timeout_ms,
        payload,
    } = plan;
    let timeout = std::time::Duration::from_millis(*timeout_ms).as_secs_f64();
    let mut text = format!(
        "monitoring:\n  interval_seconds: 60\n  ping_count: {pings}\n  timeout_seconds: {timeout:?}\n  \
         ping_spacing_ms: {every_ms}\n  payload_bytes: {payload}\ndatabase:\n  path: never-written.db\nhosts:\n"
    );
    for host in hosts {
        writeln!(text, "  - {{ {host} }}").expect("a String takes everything");
    }
    text
}

/// Runs a scenario over both types of sockets and all its IP versions at the same time, and reports
/// every difference from the file.
pub fn play(name: &str, text: &str) -> Result<(), String> {
    let scenario = Scenario::parse(text).map_err(|error| format!("{name}.scenario: {error}"))?;
    let stages = scenario
        .families
        .iter()
        .flat_map(|family| SOCKET_KINDS.map(|kind| (*family, kind)));
    let reports: Vec<String> = std::thread::scope(|scope| {
        let scenario = &scenario;
        let running: Vec<_> = stages
            .map(|(family, kind)| scope.spawn(move || play_on(name, scenario, family, kind)))
            .collect();
        let ended = running.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        ended.filter_map(Result::err).collect()
    });
    if reports.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{name}: {}\n\n{}",
            scenario.why,
            reports.join("\n")
        ))
    }
}

fn play_on(
    name: &str,
    scenario: &Scenario,
    family: Family,
    kind: SocketKind,
) -> Result<(), String> {
    let folder = TempDir::new();
    let host = format!("name: \"{name}\", address: \"{}\"", far(family));
    let config = folder.write("config.yaml", &config_text(&scenario.plan, &[host]));
    in_namespace(kind, |tun| {
        let stage = Stage::start(tun, scenario);
        for (index, check) in scenario.checks.iter().enumerate() {
            let began = stage.begin_check();
            let checked = self::check(&config);
            let seen = stage.far_end.seen();
            let arrived = seen.requests.len() - began;
            let mut wrong = judge::compare(check, &scenario.plan, (family, kind), name, &checked);
            if arrived != scenario.plan.pings {
                wrong.push(format!(
                    "pings at the far end: expected {}, arrived {arrived}",
                    scenario.plan.pings
                ));
            }
            wrong.extend(
                seen.log
                    .iter()
                    .filter(|line| line.contains(WRITE_FAILED))
                    .cloned(),
            );
            if !wrong.is_empty() {
                return Err(format!(
                    "over {family:?}, {kind:?} socket, check {}:\n    {}\n  at the far end:\n    {}\n  output:\n{}\n{}",
                    index + 1,
                    wrong.join("\n    "),
                    seen.log.join("\n    "),
                    checked.finished.stdout.trim_end(),
                    checked.finished.stderr
                ));
            }
        }
        Ok(())
    })
}

/// The far end of a scenario.
pub struct Stage {
    pub far_end: FarEnd,
    /// The index of the first request of each check.
    begins: Arc<Mutex<Vec<usize>>>,
}

impl Stage {
    /// Requests after the last that the scenario describes are not answered.
    pub fn start(tun: File, scenario: &Scenario) -> Stage {
        Stage::start_after(tun, scenario, 0)
    }

    /// The first `warm_up` requests of each check are answered and are not part of the scenario.
    pub fn start_after(tun: File, scenario: &Scenario, warm_up: usize) -> Stage {
        let begins = Arc::new(Mutex::new(Vec::new()));
        let begun = Arc::clone(&begins);
        let checks = scenario.checks.iter();
        let scripts: Vec<Vec<Vec<Action>>> = checks.map(|check| check.actions.clone()).collect();
        let far_end = FarEnd::start(tun, move |request, all| {
            let begins: Vec<usize> = begun.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let index = all.len() - 1 - begins.last().expect("a check has begun");
            let Some(index) = index.checked_sub(warm_up) else {
                return vec![request.reply().at_once()];
            };
            let begins: Vec<usize> = begins.iter().map(|begin| begin + warm_up).collect();
            match scripts[begins.len() - 1].get(index) {
                Some(actions) => actions
                    .iter()
                    .map(|action| sending(action, request, all, &begins))
                    .collect(),
                None => Vec::new(),
            }
        });
        Stage { far_end, begins }
    }

    /// The next request is the first of the next check; returns its index.
    pub fn begin_check(&self) -> usize {
        let began = self.far_end.seen().requests.len();
        self.begins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(began);
        began
    }
}

/// The packets of an action.
fn sending(action: &Action, request: &Request, all: &[Request], begins: &[usize]) -> Sending {
    if action.times == 0 {
        return Sending {
            after: action.after,
            packets: Vec::new(),
            times: 0,
        };
    }
    let family = if request.source.is_ipv6() {
        Family::V6
    } else {
        Family::V4
    };
    let find = |which: &Which| {
        let begin = which
            .check
            .map_or(begins.last(), |check| begins.get(check - 1))
            .expect("the check has begun");
        all.get(begin + which.ping - 1).expect("the ping has come")
    };
    let mut echo = Echo::of(request);
    let mut quote_len = None;
    let mut rest = [0; 4];
    for change in &action.changes {
        match change {
            Change::Identifier(by) => echo.identifier = echo.identifier.wrapping_add(*by),
            Change::Sequence(by) => echo.sequence = echo.sequence.wrapping_add(*by),
            Change::Of(which) => echo = Echo::of(find(which)),
            Change::PayloadOf(which) => echo.payload.clone_from(&find(which).payload),
            Change::PayloadDamagedAt(at) => echo.payload[*at] ^= 0x10,
            Change::PayloadDamaged => *echo.payload.last_mut().expect("there is a payload") ^= 1,
            Change::PayloadCutTo(len) => echo.payload.truncate(*len),
            Change::PayloadLongerBy(len) => echo.payload.extend(std::iter::repeat_n(0x55, *len)),
            Change::QuoteCutTo(len) => quote_len = Some(*len),
            // RFC 1191 section 4 for IPv4, RFC 4443 section 3.2 for IPv6: the same two bytes.
            Change::Mtu(mtu) => rest[2..].copy_from_slice(&mtu.to_be_bytes()),
            _ => {}
        }
    }
    let (reply_kind, request_kind) = if family == Family::V6 {
        (129, 128)
    } else {
        (0, 8)
    };
    let error = |kind, code| request.error(kind, code, rest, &echo, quote_len);
    let mut message = match (action.kind, family) {
        (Kind::Reply, _) => request.answer(echo.message(reply_kind, 0)),
        (Kind::Request, _) => request.answer(echo.message(request_kind, 0)),
        (Kind::Message(kind, code), _) => request.answer(echo.message(kind, code)),
        (Kind::Unreachable, Family::V4) => error(3, 1),
        (Kind::Unreachable, Family::V6) => error(1, 3),
        (Kind::TimeExceeded, Family::V4) => error(11, 0),
        (Kind::TimeExceeded, Family::V6) => error(3, 0),
        (Kind::Error(kind, code), _) => error(kind, code),
    };
    for change in &action.changes {
        change_message(&mut message, change, family);
    }
    Sending {
        after: action.after,
        packets: message.packets(),
        times: action.times,
    }
}

fn change_message(message: &mut Message, change: &Change, family: Family) {
    match change {
        Change::Code(code) => message.icmp[1] = *code,
        Change::MessageCutTo(len) => message.icmp.truncate(*len),
        Change::ChecksumWrong => message.has_wrong_checksum = true,
        Change::From(party) => message.source = address(*party, family),
        Change::TimeToLive(ttl) => message.time_to_live = *ttl,
        Change::InFragmentsOf(len) => message.fragment_len = Some(*len),
        Change::With(extra) => message.options.push(option(*extra)),
        _ => {}
    }
}

fn option(extra: Extra) -> IpOption {
    // PadN, RFC 8200 section 4.2: six bytes with its own two.
    let padding = vec![1, 4, 0, 0, 0, 0];
    match extra {
        Extra::NoOperation => IpOption {
            header: 0,
            bytes: vec![1, 1, 1, 1],
        },
        // Room for nine addresses, the first filled in: the longest possible header.
        Extra::RecordRoute => IpOption {
            header: 0,
            bytes: [&[7, 39, 8, 10, 9, 0, 254][..], &[0; 32], &[0]].concat(),
        },
        // Four timestamps without addresses, none of them set yet.
        Extra::InternetTimestamp => IpOption {
            header: 0,
            bytes: [&[68, 20, 5, 0][..], &[0; 16]].concat(),
        },
        Extra::RouterAlert => IpOption {
            header: 0,
            bytes: vec![0x94, 4, 0, 0],
        },
        Extra::HopByHop => IpOption {
            header: 0,
            bytes: padding,
        },
        Extra::DestinationOptions => IpOption {
            header: 60,
            bytes: padding,
        },
    }
}
