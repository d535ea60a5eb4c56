//! Plays a scenario: runs the pingers, the witness and the writer of each run of the monitor, one
//! after the other over the simulated machine, and hands each what the others delivered to it in
//! the order of time.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ace_connection_logger::config::{HostConfig, Role};
use ace_connection_logger::net::RepliesBeyond;
use ace_connection_logger::pinger::{Pinger, PingerEvent, ProbeSettings};
use ace_connection_logger::pure::check::ReadMode;
use ace_connection_logger::pure::model::{AlertKind, Host, Thresholds};
use ace_connection_logger::pure::outage::OutageRules;
use ace_connection_logger::pure::scene::Observation;
use ace_connection_logger::pure::time::{Monotonic, Schedule};
use ace_connection_logger::store::{Database, Order, Record, StoreSettings, WriterState};
use ace_connection_logger::witness::{Message, OtherHost, WitnessState};

use super::machine::SimulatedMachine;
use super::scenario::{Fault, Place, Scenario, What};
use super::world::{MS, World};

/// One process of the monitor. Instants are nanoseconds, as everywhere in the world.
#[derive(Debug)]
pub struct Run {
    pub start: i64,
    pub end: i64,
    /// Whether it ended without a stop: what was not written is lost.
    pub is_killed: bool,
    /// While this lasts the last host is not in the configuration.
    pub without_last: Vec<(i64, i64)>,
    /// From when on nothing was written that is not written, if it ended so.
    pub unwritten_since: Option<i64>,
    /// How many results were lost, as the writer tells at a stop.
    pub lost: u64,
    /// For each host, when the checks were made that were delivered to the store.
    pub checks: Vec<Vec<i64>>,
}

pub struct Played {
    pub world: Arc<World>,
    pub runs: Vec<Run>,
}

/// A stop takes some time.
const STOP_TAKES: i64 = 50 * MS;

pub fn host_configs(scenario: &Scenario, world: &World) -> Vec<Arc<HostConfig>> {
    let config = |(index, place): (usize, &Place)| {
        let address = match place {
            Place::Named => "one.example".to_string(),
            _ => world.address_of(index).to_string(),
        };
        let host = Host {
            name: format!("host {index}"),
            ..Host::unlisted(&address)
        };
        let ms = |ms: i64| Duration::from_millis(ms.unsigned_abs());
        Arc::new(HostConfig {
            host: Arc::new(host),
            interval: ms(scenario.interval),
            ping_count: scenario.ping_count,
            timeout: ms(scenario.timeout),
            spacing: ms(scenario.spacing),
            payload_bytes: 56,
            time_to_live: None,
            thresholds: Thresholds::default(),
            uses_other_addresses: false,
            role: if *place == Place::Gateway {
                Role::Gateway
            } else {
                Role::Internet
            },
        })
    };
    scenario.hosts.iter().enumerate().map(config).collect()
}

fn runs(scenario: &Scenario) -> Vec<Run> {
    let new = |start: i64| Run {
        start,
        end: scenario.length * MS,
        is_killed: false,
        without_last: Vec::new(),
        unwritten_since: None,
        lost: 0,
        checks: vec![Vec::new(); scenario.hosts.len()],
    };
    let mut runs = vec![new(0)];
    for fault in &scenario.faults {
        let last = runs.last_mut().expect("there is a first");
        match fault.what {
            What::Restart | What::Killed | What::PowerCut => {
                last.end = fault.from * MS;
                last.is_killed = fault.what != What::Restart;
                runs.push(new(fault.until * MS));
            }
            What::Reload if scenario.hosts.len() > 1 => {
                last.without_last.push((fault.from * MS, fault.until * MS));
            }
            _ => {}
        }
    }
    for run in &mut runs {
        let disk = (scenario.faults.iter()).filter(|fault| fault.what == What::Disk);
        let until = run.end;
        // It is tried again every ten seconds.
        let failing =
            |fault: &&Fault| fault.from * MS < until && fault.until * MS + 11_000 * MS > until;
        let last = { disk }.find(failing).map(|fault| fault.from * MS);
        if run.is_killed || last.is_some() {
            // What was not written yet.
            let at = last.unwrap_or(run.end) - (scenario.flush + 3000) * MS;
            run.unwritten_since = Some(at.max(run.start));
        }
    }
    runs
}

/// Plays the whole scenario into a database at `path`.
pub fn play(scenario: &Scenario, path: &Path) -> Played {
    let world = Arc::new(World::new(scenario));
    let configs = host_configs(scenario, &world);
    let mut runs = runs(scenario);
    for run in &mut runs {
        let mut orders: Vec<(i64, Order)> = Vec::new();
        let mut messages: Vec<(i64, Message)> = Vec::new();
        announce(run, &configs, &mut orders, &mut messages);
        let beyond = Arc::default();
        for index in 0..configs.len() {
            for (from, until) in spans_of(run, index, configs.len()) {
                let number = (index as u64) << 32;
                let machine = SimulatedMachine::new(&world, from, until, number);
                let made = ping(scenario, &configs, index, &machine, &beyond);
                for (at, event) in made {
                    match event {
                        Made::Host(event) => messages.push((at, Message::HostEvent(event))),
                        Made::Order(order) => {
                            if let Order::Record(Record::Check(_), _) = &order {
                                run.checks[index].push(at);
                            }
                            orders.push((at, order));
                        }
                    }
                }
            }
        }
        messages.sort_by_key(|(at, _)| *at);
        orders.extend(witness(scenario, &world, run, messages));
        orders.sort_by_key(|(at, _)| *at);
        write(scenario, &world, run, orders, path);
    }
    Played { world, runs }
}

/// When a host is checked within a run.
pub fn spans_of(run: &Run, index: usize, hosts: usize) -> Vec<(i64, i64)> {
    let mut spans = Vec::new();
    let mut from = run.start;
    if index + 1 == hosts {
        for (without, again) in &run.without_last {
            spans.push((from, *without));
            from = *again;
        }
    }
    spans.push((from, run.end));
    spans
}

/// Tells the writer and the witness of the hosts, at the start and after each SIGHUP.
fn announce(
    run: &Run,
    configs: &[Arc<HostConfig>],
    orders: &mut Vec<(i64, Order)>,
    messages: &mut Vec<(i64, Message)>,
) {
    let mut lists = vec![(run.start, configs.len())];
    for (without, again) in &run.without_last {
        lists.extend([(*without, configs.len() - 1), (*again, configs.len())]);
    }
    for (at, count) in lists {
        let hosts = || {
            configs[..count]
                .iter()
                .map(|config| Arc::clone(&config.host))
        };
        orders.push((at, Order::Hosts(hosts().collect())));
        let other = |host| OtherHost { host, source: None };
        messages.push((at, Message::Hosts(hosts().map(other).collect())));
    }
}

enum Made {
    Order(Order),
    Host(ace_connection_logger::pinger::HostEvent),
}

/// Runs a pinger until its machine stops it; returns what it delivered.
fn ping(
    scenario: &Scenario,
    configs: &[Arc<HostConfig>],
    index: usize,
    machine: &SimulatedMachine,
    beyond: &Arc<RepliesBeyond>,
) -> Vec<(i64, Made)> {
    use ace_connection_logger::clock::Clock;
    let config = &configs[index];
    let settings = ProbeSettings {
        read_mode: ReadMode::Deferred,
        linger: Duration::ZERO,
        fast_interval: fast_interval(scenario),
        outages: rules(scenario),
    };
    let start = machine.monotonic();
    let first = Schedule::first_check(start, config.interval, index, configs.len());
    let schedule = Schedule::phased(start, config.interval, index, configs.len());
    let mut pinger = Pinger::new(
        machine.clone(),
        Arc::clone(config),
        settings,
        Some(Arc::clone(beyond)),
    );
    let mut made = Vec::new();
    pinger.run(first, schedule, machine.stop(), |event| {
        let record = |record| Made::Order(Order::Record(record, machine.clocks()));
        let event = match event {
            PingerEvent::Check(result) => record(Record::Check(result)),
            PingerEvent::Probe(probe) => record(Record::Probe(probe)),
            PingerEvent::Interruption(interruption) => record(Record::Interruption(interruption)),
            PingerEvent::Unsent(unsent) => record(Record::Unsent(unsent)),
            PingerEvent::HostEvent(event) => Made::Host(event),
            PingerEvent::Skipped(_) => return,
        };
        made.push((machine.now(), event));
    });
    made
}

pub fn fast_interval(scenario: &Scenario) -> Option<Duration> {
    (scenario.probes > 0).then(|| Duration::from_millis(scenario.probes.unsigned_abs()))
}

fn rules(scenario: &Scenario) -> OutageRules {
    OutageRules {
        down_after: scenario.down_after,
        up_after: scenario.up_after,
    }
}

/// Runs the witness; returns its observations.
fn witness(
    scenario: &Scenario,
    world: &Arc<World>,
    run: &Run,
    messages: Vec<(i64, Message)>,
) -> Vec<(i64, Order)> {
    let machine = SimulatedMachine::new(world, run.start, run.end, 1 << 60);
    let observed: Arc<Mutex<Vec<(i64, Order)>>> = Arc::default();
    let moved = machine.moved();
    let deliver = {
        let observed = Arc::clone(&observed);
        move |observation: Observation| {
            let at = moved.load(Ordering::Relaxed);
            let mut observed = observed.lock().expect("one thread");
            observed.push((at, Order::Observation(observation)));
        }
    };
    let stop = machine.stop().clone();
    let mut witness = WitnessState::new(machine.clone(), stop, fast_interval(scenario), deliver);
    let mut messages = messages.into_iter().peekable();
    loop {
        let due = (witness.due()).map(|due| machine.when(due).max(machine.now()));
        let told = messages.peek().map(|(at, _)| *at);
        let is_told = match (told, due) {
            (Some(told), due) => due.is_none_or(|due| told <= due),
            (None, None) => break,
            (None, Some(_)) => false,
        };
        let at = if is_told { told } else { due }.expect("one of them");
        if at >= run.end || machine.now() >= run.end {
            break;
        }
        machine.go_to(at.max(machine.now()));
        let message = if is_told { messages.next() } else { None };
        witness.step(message.map(|(_, message)| message));
    }
    drop(witness);
    std::mem::take(&mut *observed.lock().expect("one thread"))
}

/// Another program that holds the database while nothing can be written to it.
struct OtherProgram<'s> {
    path: &'s Path,
    /// When it takes the lock and when it gives it back, in order.
    changes: VecDeque<(i64, bool)>,
    lock: Option<rusqlite::Connection>,
}

impl OtherProgram<'_> {
    fn new<'s>(scenario: &Scenario, run: &Run, path: &'s Path) -> OtherProgram<'s> {
        let disk = (scenario.faults.iter())
            .filter(|fault| fault.what == What::Disk)
            .flat_map(|fault| [(fault.from * MS, true), (fault.until * MS, false)])
            .filter(|(at, _)| (run.start..run.end).contains(at));
        OtherProgram {
            path,
            changes: disk.collect(),
            lock: None,
        }
    }

    fn change(&mut self, is_locked: bool) {
        self.lock = is_locked.then(|| {
            let lock = rusqlite::Connection::open(self.path).expect("the database");
            lock.execute_batch("begin immediate")
                .expect("the only writer");
            lock
        });
    }
}

/// Runs the writer, and ends it as the run ends.
fn write(
    scenario: &Scenario,
    world: &Arc<World>,
    run: &mut Run,
    orders: Vec<(i64, Order)>,
    path: &Path,
) {
    let machine = SimulatedMachine::new(world, run.start, i64::MAX, 1 << 61);
    let opened = Database::open(path, &mut |_, _| ());
    let mut database = opened.expect("a database in memory").database;
    database.set_clock(Arc::new(machine.clone()));
    let day = Duration::from_secs(86_400);
    let settings = StoreSettings {
        flush: Duration::from_millis(scenario.flush.unsigned_abs()),
        retention: day * 1000,
        rollup_retention: day * 2000,
        outages: rules(scenario),
        alerts: [AlertKind::Down, AlertKind::Up].into_iter().collect(),
    };
    let mut state = WriterState::begin(database, settings).expect("the database can be written");
    state.set_commit_wait(Duration::ZERO);
    let mut other = OtherProgram::new(scenario, run, path);
    for (at, order) in orders {
        if run.is_killed && at >= run.end {
            break;
        }
        write_until(&mut state, &machine, &mut other, at);
        machine.go_to(at.max(machine.now()));
        state.follow(order);
        state.write_due();
    }
    write_until(&mut state, &machine, &mut other, run.end);
    if !run.is_killed {
        machine.go_to(machine.now().max(run.end + STOP_TAKES));
        run.lost = state.close(Monotonic(0));
        let may_lose = run.unwritten_since.is_some();
        assert!(may_lose || run.lost == 0, "results were lost");
    }
}

/// Writes whatever is due before an instant.
fn write_until(
    state: &mut WriterState,
    machine: &SimulatedMachine,
    other: &mut OtherProgram,
    until: i64,
) {
    while let Some((at, is_locked)) = other.changes.front().copied()
        && at < until
    {
        other.changes.pop_front();
        write_due_until(state, machine, at);
        other.change(is_locked);
    }
    write_due_until(state, machine, until);
}

fn write_due_until(state: &mut WriterState, machine: &SimulatedMachine, until: i64) {
    loop {
        let due: Monotonic = state.due();
        let at = machine.when(due).max(machine.now());
        if at >= until {
            return;
        }
        machine.go_to(at);
        state.write_due();
    }
}
