//! What this program and its peers say of every odd reply, for docs/proof.md. Each scenario is
//! played to every program in a network namespace of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::player::{Stage, check, config_text, far};
use super::scenario::{Expected, Family, Plan, Scenario};
use crate::common::namespace::{SOCKET_KINDS, SocketKind, in_namespace, ip};
use crate::common::{TempDir, run};

/// How many namespaces are used at the same time: a program mostly waits.
const CONCURRENT: usize = 6;

/// Another program that pings.
struct Peer {
    name: &'static str,
    /// How many pings it sends before those that count.
    warm_up: usize,
    /// Runs it until its pings are over; returns how many it says were received.
    received: fn(&Plan, Family) -> Result<usize, String>,
}

const PEERS: [Peer; 4] = [
    Peer {
        name: "ping",
        warm_up: 0,
        received: ping,
    },
    Peer {
        name: "fping",
        warm_up: 0,
        received: fping,
    },
    Peer {
        name: "oping",
        warm_up: 0,
        received: oping,
    },
    Peer {
        name: "smokeping_prober",
        // It does not count the reply to its first ping.
        warm_up: 1,
        received: smokeping_prober,
    },
];

fn seconds(ms: u64) -> String {
    format!("{:.3}", Duration::from_millis(ms).as_secs_f64())
}

fn option_of(family: Family) -> &'static str {
    match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    }
}

/// The number that is followed by a text, as in `3 received`.
fn number_before(output: &str, text: &str) -> Option<usize> {
    output.match_indices(text).find_map(|(at, _)| {
        let digits = output[..at].trim_end();
        let begin = digits
            .rfind(|letter: char| !letter.is_ascii_digit())
            .map_or(0, |at| at + 1);
        digits[begin..].parse().ok()
    })
}

fn ping(plan: &Plan, family: Family) -> Result<usize, String> {
    let output = run(Command::new("ping")
        .args(["-n", option_of(family), "-c", &plan.pings.to_string()])
        .args([
            "-i",
            &seconds(plan.every_ms),
            "-W",
            &seconds(plan.timeout_ms),
        ])
        .args(["-s", &plan.payload.to_string()])
        .arg(far(family).to_string()));
    number_before(&output.stdout, " received").ok_or(format!("{output:?}"))
}

fn fping(plan: &Plan, family: Family) -> Result<usize, String> {
    let output = run(Command::new("fping")
        .args(["-q", option_of(family), "-c", &plan.pings.to_string()])
        .args([
            "-p",
            &plan.every_ms.to_string(),
            "-t",
            &plan.timeout_ms.to_string(),
        ])
        .args(["-b", &plan.payload.to_string()])
        .arg(far(family).to_string()));
    // xmt/rcv/%loss = 3/2/33%
    let counts = output.stderr.split("%loss = ").nth(1);
    let received = counts.and_then(|counts| counts.split('/').nth(1)?.parse().ok());
    received.ok_or(format!("{output:?}"))
}

fn oping(plan: &Plan, family: Family) -> Result<usize, String> {
    let output = run(Command::new("oping")
        .args([option_of(family), "-c", &plan.pings.to_string()])
        .args([
            "-i",
            &seconds(plan.every_ms),
            "-w",
            &seconds(plan.timeout_ms),
        ])
        .arg(far(family).to_string()));
    number_before(&output.stdout, " received").ok_or(format!("{output:?}"))
}

/// It has no timeout and no end: it is asked when every ping has had its time.
fn smokeping_prober(plan: &Plan, family: Family) -> Result<usize, String> {
    let mut prober = Command::new("prometheus-smokeping-prober")
        .args([
            "--privileged",
            "--config.file=",
            "--web.listen-address=127.0.0.1:9374",
        ])
        .arg(format!("--ping.interval={}ms", plan.every_ms))
        .arg(format!("--ping.size={}", plan.payload.max(24)))
        .arg(far(family).to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let pings = u64::try_from(plan.pings).unwrap_or(u64::MAX);
    let until_over = plan.every_ms * (pings + 1) + plan.timeout_ms + 1000;
    std::thread::sleep(Duration::from_millis(until_over));
    let metrics = get_metrics();
    let _ = prober.kill();
    let _ = prober.wait();
    let metrics = metrics.map_err(|error| error.to_string())?;
    let counts = metrics
        .lines()
        .filter(|line| line.starts_with("smokeping_response_duration_seconds_count"));
    counts
        .map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
        .next()
        .flatten()
        .ok_or(metrics)
}

fn get_metrics() -> std::io::Result<String> {
    let mut stream = TcpStream::connect("127.0.0.1:9374")?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// What was said about one scenario over one version of IP, by the name of the program.
type Said = BTreeMap<String, String>;

struct Line {
    name: String,
    family: Family,
    pings: usize,
    /// How many replies are right, by socket kind.
    right: [usize; 2],
    said: Said,
}

fn play(name: &str, scenario: &Scenario, family: Family) -> Line {
    let expected = |kind| -> usize {
        let checks = scenario.checks.iter();
        let received = checks.map(|check| {
            let outcomes = check.outcomes(family, kind);
            let answered = outcomes.iter().filter(|one| **one != Expected::Lost);
            answered.count()
        });
        received.sum()
    };
    let mut said = Said::new();
    for kind in SOCKET_KINDS {
        let counted = in_namespace(kind, |tun| {
            let stage = Stage::start(tun, scenario);
            ours(&stage, name, scenario, family)
        });
        said.insert(format!("{kind:?}"), counted);
    }
    for peer in &PEERS {
        let received = in_namespace(SocketKind::Raw, |tun| {
            // The prober serves its counts there.
            ip("link set lo up").expect("the namespace is ours");
            let stage = Stage::start_after(tun, scenario, peer.warm_up);
            let mut sum = 0;
            for _ in &scenario.checks {
                stage.begin_check();
                sum += (peer.received)(&scenario.plan, family)?;
            }
            Ok::<usize, String>(sum)
        });
        let text = received.map_or_else(|_| "-".to_string(), |sum| sum.to_string());
        said.insert(peer.name.to_string(), text);
    }
    Line {
        name: name.to_string(),
        family,
        pings: scenario.plan.pings * scenario.checks.len(),
        right: SOCKET_KINDS.map(expected),
        said,
    }
}

fn ours(stage: &Stage, name: &str, scenario: &Scenario, family: Family) -> String {
    let folder = TempDir::new();
    let host = format!("name: \"{name}\", address: \"{}\"", far(family));
    let config = folder.write("config.yaml", &config_text(&scenario.plan, &[host]));
    let mut received = 0;
    for _ in &scenario.checks {
        stage.begin_check();
        let checked = check(Path::new(&config));
        received += checked.hosts[0]["received"].as_u64().unwrap_or(0);
    }
    received.to_string()
}

/// Plays every scenario to every program; returns a table.
pub fn table_of_all() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("it is in the checkout")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "scenario")
        })
        .collect();
    files.sort();
    let todo: Vec<(String, Scenario, Family)> = files
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("it is text");
            let name = path.file_stem().expect("it has one").to_string_lossy();
            let scenario = Scenario::parse(&text).expect("tests/netns.rs plays it");
            let families = scenario.families.clone();
            let name = name.to_string();
            let one = move |family| {
                (
                    name.clone(),
                    Scenario::parse(&text).expect("parsed"),
                    family,
                )
            };
            families.into_iter().map(one)
        })
        .collect();
    let (next, lines) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENT {
            scope.spawn(|| {
                while let Some((name, scenario, family)) =
                    todo.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let line = play(name, scenario, *family);
                    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                    lines.push(line);
                }
            });
        }
    });
    let mut lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
    lines.sort_by(|a, b| (&a.name, a.family as u8).cmp(&(&b.name, b.family as u8)));
    assert_eq!(lines.len(), todo.len());
    table(&lines)
}

fn table(lines: &[Line]) -> String {
    let columns = [
        "Datagram",
        "Raw",
        "ping",
        "fping",
        "oping",
        "smokeping_prober",
    ];
    let mut wrong: BTreeMap<&str, usize> = columns.iter().map(|name| (*name, 0)).collect();
    let mut text = String::from(
        "| the far end | IP | pings | right | ours, datagram | ours, raw | ping | fping | oping | smokeping_prober |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for line in lines {
        let right = if line.right[0] == line.right[1] {
            line.right[0].to_string()
        } else {
            format!("{}, raw {}", line.right[0], line.right[1])
        };
        let name = line.name.replace('_', " ");
        let version = if line.family == Family::V4 { 4 } else { 6 };
        write!(text, "| {name} | {version} | {} | {right} |", line.pings).expect("a String");
        for column in columns {
            let said = &line.said[column];
            let right = line.right[usize::from(column != "Datagram")];
            if *said == right.to_string() {
                write!(text, " {said} |").expect("a String");
            } else {
                *wrong.entry(column).or_default() += 1;
                write!(text, " **{said}** |").expect("a String");
            }
        }
        text.push('\n');
    }
    write!(text, "| wrong, of {} | | | |", lines.len()).expect("a String");
    for column in columns {
        write!(text, " {} |", wrong[column]).expect("a String");
    }
    text.push('\n');
    text
}
