//! What is true at each instant: which parts of the line work, what the clocks show, and so whether
//! a ping would be answered. Instants are nanoseconds since the scenario began.

use std::net::{IpAddr, Ipv4Addr};

use super::random::mix;
use super::scenario::{Fault, Place, Scenario, What};

pub const MS: i64 = 1_000_000;

/// 2025-01-01.
pub const BEGIN_MS: i64 = 1_735_689_600_000;

pub const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
pub const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub const PROVIDER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
pub const CORE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 2));
pub const INTERFACE: &str = "eth0";

/// After a carrier is back the neighbours are asked for anew, and packets are lost meanwhile.
pub const MAX_SETTLE: i64 = 800 * MS;

/// What works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub has_no_carrier: bool,
    /// The carrier is back, and the neighbours are not known yet.
    pub is_settling: bool,
    pub has_no_route: bool,
    pub is_router_off: bool,
    pub is_provider_off: bool,
    pub are_names_dead: bool,
    /// The machine sleeps.
    pub is_asleep: bool,
    /// One bit for each host that is off.
    pub off: u32,
    /// Of a thousand packets.
    pub loss: u16,
}

impl State {
    /// Whether a packet reaches this place, apart from random loss, if it can be sent.
    pub fn reaches(&self, place: Place, index: usize) -> bool {
        let is_near = !self.is_asleep && !self.has_no_carrier && !self.is_settling;
        let is_beyond = !self.is_router_off && !self.is_provider_off && !self.has_no_route;
        let is_on = self.off & (1 << index) == 0;
        is_near
            && is_on
            && match place {
                Place::Near => true,
                Place::Gateway => !self.is_router_off,
                Place::Far | Place::Named => is_beyond,
            }
    }

    /// Whether this machine can send to the place.
    pub fn can_send(&self, place: Place) -> bool {
        let needs_route = matches!(place, Place::Far | Place::Named);
        let has_link = !self.has_no_carrier && !self.is_settling;
        !self.is_asleep && has_link && (!needs_route || !self.has_no_route)
    }
}

/// The clocks from an instant on.
#[derive(Clone, Copy, Debug)]
struct ClockPart {
    from: i64,
    monotonic: i64,
    boottime: i64,
    /// The wall clock minus the truth.
    ahead: i64,
    is_asleep: bool,
}

#[derive(Debug)]
pub struct World {
    pub seed: u64,
    pub hosts: Vec<Place>,
    states: Vec<(i64, State)>,
    clocks: Vec<ClockPart>,
    /// When the process is stopped by a signal.
    stopped: Vec<(i64, i64)>,
    /// Changes of the carrier: when the kernel reports them, and whether there is one.
    pub carrier: Vec<(i64, bool)>,
}

impl World {
    pub fn new(scenario: &Scenario) -> World {
        let mut changes: Vec<(i64, usize, bool)> = Vec::new();
        for (index, fault) in scenario.faults.iter().enumerate() {
            changes.push((fault.from * MS, index, true));
            changes.push((fault.until * MS, index, false));
            if fault.what == What::Cable {
                let settle = settle_time(scenario.seed, fault);
                changes.push((fault.until * MS + settle, index, false));
            }
        }
        changes.sort_unstable();
        let mut active: Vec<usize> = Vec::new();
        let mut states = vec![(0, State::default())];
        for (at, index, is_on) in changes {
            active.retain(|other| *other != index);
            if is_on {
                active.push(index);
            }
            let faults = active.iter().map(|index| &scenario.faults[*index]);
            let mut state = state_of(faults);
            state.is_settling = !state.has_no_carrier
                && (scenario.faults.iter()).any(|fault| {
                    let settle = settle_time(scenario.seed, fault);
                    fault.what == What::Cable
                        && (fault.until * MS..fault.until * MS + settle).contains(&at)
                });
            match states.last_mut() {
                Some(last) if last.0 == at => last.1 = state,
                _ => states.push((at, state)),
            }
        }
        World {
            seed: scenario.seed,
            hosts: scenario.hosts.clone(),
            carrier: carrier_changes(scenario.seed, &states),
            states,
            clocks: clock_parts(scenario),
            stopped: (scenario.faults.iter())
                .filter(|fault| fault.what == What::Stopped)
                .map(|fault| (fault.from * MS, fault.until * MS))
                .collect(),
        }
    }

    pub fn state_at(&self, at: i64) -> &State {
        let index = self.states.partition_point(|(from, _)| *from <= at);
        &self.states[index.saturating_sub(1)].1
    }

    /// Every span with one state, in order.
    pub fn spans(&self, end: i64) -> impl Iterator<Item = (i64, i64, &State)> {
        let ends = (self.states.iter().skip(1).map(|(at, _)| *at)).chain([end]);
        (self.states.iter().zip(ends)).map(|((from, state), until)| (*from, until, state))
    }

    /// When the process runs again, if it wants to at `at`.
    pub fn running_at(&self, at: i64) -> i64 {
        let index = self.stopped.partition_point(|(from, _)| *from <= at);
        match index.checked_sub(1).map(|index| self.stopped[index]) {
            Some((_, until)) if at < until => until,
            _ => at,
        }
    }

    pub fn address_of(&self, index: usize) -> IpAddr {
        let number = u8::try_from(index).expect("few hosts");
        match self.hosts[index] {
            Place::Gateway => GATEWAY,
            Place::Near => [192, 0, 2, 10 + number].into(),
            Place::Far | Place::Named => [198, 51, 100, 10 + number].into(),
        }
    }

    /// Whose address it is: a host's, or the gateway's although it is not among the hosts.
    pub fn place_of(&self, ip: IpAddr) -> Option<(Place, usize)> {
        let known = (0..self.hosts.len()).find(|index| self.address_of(*index) == ip);
        known
            .map(|index| (self.hosts[index], index))
            .or((ip == GATEWAY).then_some((Place::Gateway, 31)))
    }

    /// The round-trip time of a ping that is sent now, or `None` if it is lost. `number` tells the
    /// pings of one instant apart.
    pub fn round_trip(&self, place: Place, index: usize, at: i64, number: u64) -> Option<i64> {
        let state = self.state_at(at);
        if !state.reaches(place, index) {
            return None;
        }
        let chance = mix(self.seed ^ at.unsigned_abs() ^ number.rotate_left(40));
        let base = match place {
            Place::Near | Place::Gateway => 300_000,
            Place::Far | Place::Named => 8 * MS + 7 * MS * index as i64,
        };
        let round_trip = base + i64::from((chance & 0xfffff) as u32);
        if state.loss > 0 && (chance >> 32) % 1000 < u64::from(state.loss) {
            let is_beyond = matches!(place, Place::Far | Place::Named);
            if is_beyond {
                return None;
            }
        }
        (self.state_at(at + round_trip).reaches(place, index)).then_some(round_trip)
    }

    fn clock_part(&self, at: i64) -> &ClockPart {
        let index = self.clocks.partition_point(|part| part.from <= at);
        &self.clocks[index.saturating_sub(1)]
    }

    pub fn monotonic(&self, at: i64) -> i64 {
        let part = self.clock_part(at);
        part.monotonic + if part.is_asleep { 0 } else { at - part.from }
    }

    pub fn boottime(&self, at: i64) -> i64 {
        let part = self.clock_part(at);
        part.boottime + at - part.from
    }

    /// Nanoseconds since 1970.
    pub fn wall(&self, at: i64) -> i64 {
        BEGIN_MS * MS + at + self.clock_part(at).ahead
    }

    /// Which boot of the machine it is.
    pub fn boot(&self, at: i64) -> usize {
        let index = self.clocks.partition_point(|part| part.from <= at);
        self.clocks[..index]
            .iter()
            .filter(|part| part.monotonic == 0)
            .count()
    }

    /// The first instant at or after `at` at which the monotonic clock shows that.
    pub fn when_monotonic(&self, at: i64, monotonic: i64) -> i64 {
        let mut index = self
            .clocks
            .partition_point(|part| part.from <= at)
            .saturating_sub(1);
        loop {
            let part = &self.clocks[index];
            let next = self.clocks.get(index + 1);
            if !part.is_asleep {
                let found = part.from + monotonic.saturating_sub(part.monotonic);
                if next.is_none_or(|next| found <= next.from) {
                    return found.max(at);
                }
            }
            index += 1;
            if index == self.clocks.len() {
                return i64::MAX;
            }
        }
    }
}

fn state_of<'f>(faults: impl Iterator<Item = &'f Fault>) -> State {
    let mut state = State::default();
    for fault in faults {
        match fault.what {
            What::Provider => state.is_provider_off = true,
            What::Router => state.is_router_off = true,
            What::Host(index) => state.off |= 1 << index,
            What::Cable => state.has_no_carrier = true,
            What::Route => state.has_no_route = true,
            What::Loss(permille) => state.loss = state.loss.max(permille),
            What::Names => state.are_names_dead = true,
            What::Sleep => state.is_asleep = true,
            _ => {}
        }
    }
    state
}

fn settle_time(seed: u64, fault: &Fault) -> i64 {
    let chance = mix(seed ^ fault.until.unsigned_abs());
    i64::try_from(chance % MAX_SETTLE.unsigned_abs()).expect("it is small")
}

/// The kernel reports a lost carrier up to a second late (net/core/link_watch.c).
fn carrier_changes(seed: u64, states: &[(i64, State)]) -> Vec<(i64, bool)> {
    let mut changes: Vec<(i64, bool)> = Vec::new();
    let mut has_carrier = true;
    for (at, state) in states {
        if state.has_no_carrier == has_carrier {
            has_carrier = !state.has_no_carrier;
            let late =
                i64::try_from(mix(seed ^ at.unsigned_abs()) % 900).expect("it is small") * MS;
            let at = if has_carrier { *at } else { at + late };
            // A loss that is over before it is reported is only counted.
            match changes.last() {
                Some((before, false)) if has_carrier && *before >= at => {
                    changes.push((*before, true))
                }
                _ => changes.push((at, has_carrier)),
            }
        }
    }
    changes
}

fn clock_parts(scenario: &Scenario) -> Vec<ClockPart> {
    let mut changes: Vec<(i64, What, bool)> = Vec::new();
    for fault in &scenario.faults {
        if matches!(fault.what, What::PowerCut | What::Sleep | What::Clock(_)) {
            changes.push((fault.from * MS, fault.what, true));
            changes.push((fault.until * MS, fault.what, false));
        }
    }
    changes.sort_by_key(|(at, ..)| *at);
    let mut parts = vec![ClockPart {
        from: 0,
        // The machine was booted a while ago.
        monotonic: 100_000 * MS,
        boottime: 100_000 * MS,
        ahead: 0,
        is_asleep: false,
    }];
    for (at, what, is_begin) in changes {
        let last = parts.last().expect("there is a first");
        let passed = at - last.from;
        let mut part = ClockPart {
            from: at,
            monotonic: last.monotonic + if last.is_asleep { 0 } else { passed },
            boottime: last.boottime + passed,
            ..*last
        };
        match (what, is_begin) {
            (What::PowerCut, true) => continue,
            (What::PowerCut, false) => (part.monotonic, part.boottime) = (0, 0),
            (What::Sleep, is_asleep) => part.is_asleep = is_asleep,
            (What::Clock(by), is_wrong) => part.ahead = if is_wrong { by * MS } else { 0 },
            _ => {}
        }
        parts.push(part);
    }
    parts
}
